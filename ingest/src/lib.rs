//! Ingest: from CSV shards to deltas, and on to the aggregators.
//!
//! Data flows one way: a [`plan`] says what is read and counted, [`discover`] finds files,
//! [`content`] has their bytes, [`reader`] turns them into records, [`tally`] counts them into a
//! delta, [`follow`] decides what is read and sent when, [`uplink`] carries it. This crate never sees
//! the store.

pub mod args;

pub mod plan;

pub mod pattern;

pub mod discover;

pub mod open;

pub mod content;

pub mod stdin;

pub mod tally;

pub mod records;

pub mod reader;

pub mod worker;

pub mod slot;

pub mod follow;

pub mod uplink;

pub mod links;

pub mod watch;

pub mod shard;

pub mod metrics;

pub mod progress;

pub mod reload;

pub mod push;

mod server;

pub use args::{Args, ConfigArgs, FollowArgs};
pub use follow::{Options, Outcome, View, follow};
pub use reload::{Reads, Reloader};
pub use server::{Listeners, raise_file_limit, run};
