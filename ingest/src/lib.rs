//! The ingest as a program: its flags, its wiring, and the reload of its configuration.
//!
//! The work is done in the crates below: `logtally-tail` follows files, `logtally-receive` takes pushes,
//! `logtally-count` counts both, and `logtally-session` carries the counts to the aggregators. This
//! crate never sees the store.

mod args;

mod follow;

mod reload;

mod server;

pub use args::{ConfigArgs, IngestArgs, Reads};
pub use follow::FollowArgs;
pub use reload::Reloader;
pub use server::run;
