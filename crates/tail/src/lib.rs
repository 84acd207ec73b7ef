//! Follows files: finds them, reads them to their end, and has what they count committed.
//!
//! Data flows one way: [`discover`] finds files, [`content`] has their bytes, [`reader`] turns them into
//! what a delta counts, and [`follow()`] decides what is read and sent when. This crate never sees the
//! store.

pub mod content;

pub mod discover;

pub mod reader;

pub mod shard;

pub mod stdin;

mod follow;

mod followed;

mod metrics;

mod open;

mod progress;

mod watch;

mod worker;

pub use follow::{
    FollowOptions, FollowOutcome, FollowView, RecordsRead, SampleRow, SourceProgress, SourceRow,
    follow, raise_file_limit,
};
pub use metrics::TailMetrics;
