//! The follower: one task that owns all sources and decides what happens next.
//!
//! It never reads a file (workers do), never blocks and never waits for an aggregator: everything
//! reaches it as an event, so there is one place to look for any decision about a source.

mod backfill;
mod event;
mod findings;
mod follower;
mod idle;
mod open_files;
mod options;
mod problems;
mod queue;
mod report;
mod schedule;
mod sources;
mod table;
mod traffic;
mod view;

pub use follower::follow;
pub use open_files::raise_file_limit;
pub use options::{FollowOptions, FollowOutcome};
pub use view::{FollowView, RecordsRead, SampleRow, SourceProgress, SourceRow};
