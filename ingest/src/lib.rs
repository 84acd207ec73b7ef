//! Ingest: from CSV shards to deltas, and on to the aggregators.
//!
//! Data flows one way: [`discover`] finds files, [`reader`] turns bytes into records,
//! [`tally`] counts them into a delta, [`follow`] decides what is read and sent when, [`uplink`]
//! carries it. This crate never sees the store.

pub mod args;

pub mod discover;

pub mod tally;

pub mod reader;

pub mod worker;

pub mod slot;

pub mod follow;

pub mod uplink;

pub mod watch;

pub mod shard;

pub mod metrics;

pub mod progress;

mod server;

pub use args::{Args, FollowArgs};
pub use follow::{Options, Outcome, follow};
pub use server::{raise_file_limit, run, serve};
