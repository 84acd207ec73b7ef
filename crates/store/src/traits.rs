//! What every store can do: one trait to write, one to read. Nothing here knows which stores there are.

use std::sync::Arc;

use async_trait::async_trait;
use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, SeriesKey};
use logtally_core::source::{SourceId, SourceState};

use crate::error::StoreError;
use crate::model::{
    Changes, Committed, Folded, Opened, Opening, PageCursor, Snapshot, SourcesPage, StoreClock,
    StoreInfo,
};
use crate::pace::Pace;

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

    /// Opens a generation of a source, if its stored state is still the one that the opener saw.
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

/// A store that is written and read in one process.
pub trait Store: CountStore + SnapshotReader {}

impl<T: CountStore + SnapshotReader> Store for T {}

/// A shared store.
pub type SharedStore = Arc<dyn Store>;
