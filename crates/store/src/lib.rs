//! Where positions, journals and counts live: one trait to write, one to read, three stores behind
//! them (memory, embedded, Redis), one conformance suite over all.
//!
//! This crate never knows files, wires or pages: it admits batches, folds journals and hands out
//! snapshots. Every decision it takes is in `logtally_core`; the Redis script repeats one of them
//! and is tested against it.

pub mod memory;

pub mod embedded;

pub mod redis;

pub mod clock;

mod url;

mod args;

mod traits;

mod model;

mod error;

mod pace;

mod count;

mod counts;

mod identity;

mod partition_log;

mod pieces;

pub use args::{STORE_GROUP, StoreArgs, StoreArgsError};
pub use count::Count;
pub use counts::Counts;
pub use error::StoreError;
pub use model::{
    Changes, Committed, Folded, Opened, Opening, PageCursor, Recovering, SOURCES_PAGE, Snapshot,
    SourcesPage, StoreClock, StoreInfo, by_id,
};
pub use pace::{Pace, TRIM_GRACE_MS};
pub use pieces::forget_pieces;
pub use traits::{CountStore, SharedStore, SnapshotReader, Store};
pub use url::{InvalidStoreUrl, StoreUrl};
