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

mod counts;

mod identity;

mod partition_log;

mod pieces;

pub use args::{STORE_GROUP, StoreArgs, StoreArgsError};
pub use counts::Counts;
pub use pieces::forget_pieces;
pub use url::{InvalidStoreUrl, StoreUrl};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use logtally_core::batch::{Batch, Verdict};
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::limits::{
    UNFOLDED_BYTES_MAX, UNFOLDED_MAX, UNFOLDED_ON_DISK_BYTES_MAX, UNFOLDED_ON_DISK_MAX,
};
use logtally_core::partition::Partition;
use logtally_core::series::{Amount, Family, FamilyId, SeriesKey};
use logtally_core::source::{SourceId, SourceState};

/// The write side, used by aggregators.
#[async_trait]
pub trait CountStore: Send + Sync {
    /// Creates the store if nothing of it exists, and checks that it agrees with `wanted`
    /// partitions (`None`: whatever it has, or the store's default). Called at start and again
    /// after [`StoreError::Missing`]. Never re-creates a part of a store.
    async fn create(&self, wanted: Option<u16>) -> Result<StoreInfo, StoreError>;

    /// Applies a batch whole or not at all: positions, families and one journal entry in one atomic
    /// step. `nonce` is a fresh random id. An empty batch is an error of the caller.
    async fn commit(
        &self,
        at: Partition,
        batch: &Batch,
        nonce: Nonce,
    ) -> Result<Committed, StoreError>;

    /// Opens a life of a source, if its stored state is still the one that the opener saw.
    async fn open(&self, at: Partition, opening: &Opening) -> Result<Opened, StoreError>;

    /// [`CountStore::open`] for many sources, each for itself. A folder of a million files is opened at
    /// once, so a store should not pay for each of them what it pays for one.
    async fn open_all(
        &self,
        at: Partition,
        openings: &[Opening],
    ) -> Result<Vec<Opened>, StoreError> {
        let mut opened = Vec::with_capacity(openings.len());
        for opening in openings {
            opened.push(self.open(at, opening).await?);
        }
        Ok(opened)
    }

    /// The stored states of sources, in order; `None` for one that is not registered.
    async fn states(
        &self,
        at: Partition,
        sources: &[SourceId],
    ) -> Result<Vec<Option<SourceState>>, StoreError>;

    /// Removes the position of a source, if its stored state is still the whole `expected` one.
    /// Returns whether it was removed. What was counted stays; if the file is still there, it counts
    /// again from its beginning.
    async fn forget_source(
        &self,
        at: Partition,
        source: &SourceId,
        expected: &SourceState,
    ) -> Result<bool, StoreError>;

    /// [`CountStore::forget_source`] for some sources, each for itself. Returns how many were removed.
    /// As with [`CountStore::open_all`], a store should not pay for each of them what it pays for one.
    async fn forget_sources(
        &self,
        at: Partition,
        sources: &[(SourceId, SourceState)],
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        for (source, expected) in sources {
            removed += u64::from(self.forget_source(at, source, expected).await?);
        }
        Ok(removed)
    }

    /// Appends one journal entry that forgets series: from there on their rows are gone, and a later
    /// increment begins a new one. `nonce` is a fresh random id. Nothing happens without keys. All
    /// keys go into one entry: pass no more at once than fit a batch.
    async fn forget(
        &self,
        at: Partition,
        keys: &[SeriesKey],
        nonce: Nonce,
    ) -> Result<Option<Mark>, StoreError>;

    /// Appends an empty journal entry, with which the store's time reaches the readers. `nonce` is a
    /// fresh random id.
    async fn tick(&self, at: Partition, nonce: Nonce) -> Result<Mark, StoreError>;

    /// Marks a source as recovering: a reader reports `acknowledged`, which is ahead of what is
    /// stored. The mark goes away with the commit that reaches it, or when the content turns out to
    /// have been replaced; if the store had forgotten the source, it goes over to the new generation.
    /// Returns whether the store is behind.
    async fn report_acknowledged(
        &self,
        at: Partition,
        source: &SourceId,
        acknowledged: &SourceState,
    ) -> Result<bool, StoreError>;

    /// Merges journal entries into the counts, and trims folded entries older than the grace time.
    /// Any number of folders may run at once, late or twice.
    async fn fold(&self, at: Partition) -> Result<Folded, StoreError>;

    /// When to fold.
    fn pace(&self) -> Pace {
        Pace::IN_MEMORY
    }

    /// Whether what is acknowledged survives a crash of whatever serves the store.
    fn is_durable(&self) -> bool;

    /// Checks whatever serves the store, at start and from time to time: refuses settings that
    /// would lose counts for certain, naming the fix, and returns warnings about the rest.
    async fn check(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

/// When a partition's journal is to be folded. Folding late is cheaper, because increments of one series
/// meet first; how late is a question of what an unfolded entry costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How often when little happens.
    pub every: Duration,
    /// Entries after which folding does not wait any longer.
    pub entries: u64,
    /// Increments (bytes) after which it does not.
    pub bytes: u64,
    /// Unfolded entries above which nothing more is committed.
    pub entries_max: u64,
    /// Unfolded increments (bytes) above which nothing more is committed.
    pub bytes_max: u64,
}

impl Pace {
    /// For journals in memory.
    pub const IN_MEMORY: Self = Self {
        every: Duration::from_secs(2),
        entries: UNFOLDED_MAX / 4,
        bytes: UNFOLDED_BYTES_MAX / 4,
        entries_max: UNFOLDED_MAX,
        bytes_max: UNFOLDED_BYTES_MAX,
    };

    /// For journals on disk. A fold writes every block that has a change, however small that is, so it is
    /// worth waiting for many.
    pub const ON_DISK: Self = Self {
        every: Duration::from_secs(30),
        entries: UNFOLDED_ON_DISK_MAX / 4,
        bytes: UNFOLDED_ON_DISK_BYTES_MAX / 2,
        entries_max: UNFOLDED_ON_DISK_MAX,
        bytes_max: UNFOLDED_ON_DISK_BYTES_MAX,
    };
}

/// The read side, used by exporters.
#[async_trait]
pub trait SnapshotReader: Send + Sync {
    /// The store's identity. [`StoreError::Missing`] if nothing has been created yet.
    async fn info(&self) -> Result<StoreInfo, StoreError>;

    /// A whole partition at one place of its journal.
    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError>;

    /// What happened in a partition after `since`.
    async fn changes(&self, at: Partition, since: Mark) -> Result<Changes, StoreError>;

    /// The families registered in a partition.
    async fn families(&self, at: Partition) -> Result<Vec<Family>, StoreError>;

    /// Where the time of a partition's journal stands.
    async fn clock(&self, at: Partition) -> Result<StoreClock, StoreError>;

    /// All sources of a partition and their states, by name: for people, not for pages. One that is
    /// opened or forgotten meanwhile may be among them or not. All of them are in memory: see
    /// [`SnapshotReader::sources_page`].
    async fn sources(&self, at: Partition) -> Result<Vec<(SourceId, SourceState)>, StoreError>;

    /// Some sources of a partition: the first ones, or those from a cursor on. A source that is there
    /// from the first page to the last is on one of them; it may be on two. One that is opened or
    /// forgotten meanwhile may be there or not.
    async fn sources_page(
        &self,
        at: Partition,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError>;
}

/// Some sources of a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourcesPage {
    /// About [`SOURCES_PAGE`] of them and their states, in any order.
    pub sources: Vec<(SourceId, SourceState)>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<PageCursor>,
}

/// Where a page of sources begins. It means something only to the store that gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCursor(pub(crate) String);

/// Sources that are read at once: some hundred kilobytes.
pub const SOURCES_PAGE: usize = 1_000;

/// A store that is written and read in one process.
pub trait Store: CountStore + SnapshotReader {}

impl<T: CountStore + SnapshotReader> Store for T {}

/// A shared store.
pub type SharedStore = Arc<dyn Store>;

/// Who a store is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreInfo {
    /// Random id, given at creation: another id is another store, whatever its address.
    pub state_id: u64,
    /// Number of partitions, fixed at creation.
    pub partitions: u16,
    /// When it was created, milliseconds since 1970.
    pub created_ms: u64,
    /// Changes when the serving process was replaced (restart, failover): what was read before may
    /// be gone. Constant for stores inside the process.
    pub server: u64,
}

/// The outcome of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The place of the new journal entry, or `None` if nothing was applied.
    pub applied: Option<Mark>,
    /// One verdict per delta, in order.
    pub verdicts: Vec<Verdict>,
}

/// A request to open a life of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The source.
    pub source: SourceId,
    /// The whole stored state that the opener saw, `None` if the source was not registered.
    pub expected: Option<SourceState>,
    /// The state to install: a fresh generation at its start.
    pub fresh: SourceState,
}

/// The outcome of an opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Whether the fresh state was installed.
    pub installed: bool,
    /// The state stored now.
    pub stored: Option<SourceState>,
}

/// The outcome of a fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Folded {
    /// Entries merged into the counts by this call.
    pub entries: u64,
    /// Entries that still wait to be folded.
    pub waiting: u64,
    /// Entries in the journal, folded ones within the grace time included.
    pub journal: u64,
    /// Age of the oldest entry that waits, milliseconds.
    pub lag_ms: u64,
}

/// One stored count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Records, and the value beside them.
    pub amount: Amount,
    /// The store's time of the first increment, milliseconds since 1970; 0 for kinds without
    /// ([`Kind::has_created`](logtally_core::series::Kind::has_created)).
    pub created_ms: u64,
    /// The store's time of the last increment, milliseconds since 1970; 0 for families without a
    /// time-to-live.
    pub touched_ms: u64,
}

/// A partition at one place of its journal.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The place.
    pub at: Mark,
    /// The time of the entry at that place, milliseconds since 1970; 0 before the first one. Times in a
    /// journal never go back.
    pub time_ms: u64,
    /// Everything counted up to there.
    pub counts: Counts,
    /// The families of the partition.
    pub families: Vec<Family>,
    /// Sources whose acknowledged state has not been reached again after a rollback.
    pub recovering: Recovering,
}

/// The time of a journal beside the time of its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreClock {
    /// The time of the last entry, milliseconds since 1970; 0 before the first.
    pub time_ms: u64,
    /// The store's time now, milliseconds since 1970.
    pub now_ms: u64,
}

/// What happened in a partition after a place.
#[derive(Clone, Debug)]
pub enum Changes {
    /// The entries after the place, which link to it.
    Linked {
        /// The entries in order; empty if nothing happened.
        entries: Vec<Entry>,
        /// Sources still recovering.
        recovering: Recovering,
    },
    /// The place is not in this journal's history any more (trimmed or rolled back), or so far back
    /// that the changes would exceed [`logtally_core::limits::CHANGES_BYTES_MAX`]: load again.
    Broken,
}

/// Sources that are behind what was acknowledged to their readers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovering {
    /// How many.
    pub sources: u64,
    /// The store's time of the latest report, milliseconds since 1970.
    pub latest_ms: u64,
    /// The store's time now, milliseconds since 1970.
    pub now_ms: u64,
}

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer: away, loading, refusing connections, timing out. Worth another try.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Nothing has been created at this place (or everything was wiped).
    #[error("the store holds nothing yet: start an aggregator, which creates it")]
    Missing,
    /// A part of the store is gone while others are there: refused, never re-created.
    #[error(
        "the store is damaged: {0}; restore it from a copy, or remove all of it to count again from the sources"
    )]
    Damaged(String),
    /// The store was made for another configuration or by another build.
    #[error("the store does not fit: {0}")]
    Mismatch(String),
    /// The place is in use by another process.
    #[error("the store is in use: {0}")]
    InUse(String),
    /// The store is full or refuses writes.
    #[error("the store refuses writes: {0}")]
    Refused(String),
    /// A journal and its counts do not join; another fold or trim came between. Worth another try.
    #[error("the partition changed while it was read: {0}")]
    Moved(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Moved(_) | Self::Refused(_))
    }
}

/// How long a folded entry stays in the journal (milliseconds), so that exporters that were briefly
/// away need no cold load.
pub const TRIM_GRACE_MS: u64 = 10_000;

/// The families by id, which is how series keys name them.
pub fn by_id(families: &[Family]) -> HashMap<FamilyId, Family> {
    families.iter().map(|f| (f.id(), f.clone())).collect()
}
