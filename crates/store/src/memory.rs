//! A store in memory: for tests, and for trying things out. It forgets everything with its process.
//!
//! One lock holds the whole content, so every call is one atomic step. Nothing waits while it is
//! held. A test can keep an image of the content and put it back, as a store does that lost its last
//! seconds.

mod rows;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, SeriesKey};
use logtally_core::source::{SourceId, SourceState};

pub use self::rows::MemoryContent;
use crate::clock::{self, Clock};
use crate::error::StoreError;
use crate::identity::{self, Meta, Root};
use crate::model::{
    Changes, Committed, Folded, Opened, Opening, PageCursor, Snapshot, SourcesPage, StoreClock,
    StoreInfo,
};
use crate::partition_log::{self, Rows, fold, view};
use crate::traits::{CountStore, SnapshotReader};

/// Partitions of a new store when nothing else is asked for: there are no nodes to spread over.
const PARTITIONS_DEFAULT: u16 = 1;

/// A store in memory.
pub struct MemoryStore {
    content: Mutex<MemoryContent>,
    clock: Clock,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { content: Mutex::default(), clock: clock::system() }
    }
}

impl MemoryStore {
    /// A store that holds nothing, with the clock of the machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// An image of the whole content.
    pub fn snapshot(&self) -> MemoryContent {
        self.content().clone()
    }

    /// Puts an image back: everything after it is lost.
    pub fn restore(&self, content: MemoryContent) {
        *self.content() = content;
    }

    fn content(&self) -> MutexGuard<'_, MemoryContent> {
        // Every function decides before it writes, so a panic leaves the content whole.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    fn append(&self, at: Partition, block: &Increments, nonce: Nonce) -> Result<Mark, StoreError> {
        let now_ms = self.now_ms();
        partition_log::append_alone(&mut self.content().part(at)?, block, nonce, now_ms)
    }
}

#[async_trait]
impl CountStore for MemoryStore {
    fn is_durable(&self) -> bool {
        false
    }

    async fn create(&self, wanted: Option<u16>) -> Result<StoreInfo, StoreError> {
        let partitions = wanted.unwrap_or(PARTITIONS_DEFAULT);
        let fresh = Meta::new(MemoryContent::LAYOUT, rand::random(), partitions, self.now_ms())?;
        Ok(identity::create(&mut *self.content(), wanted, fresh)?.info(0))
    }

    async fn commit(
        &self,
        at: Partition,
        batch: &Batch,
        nonce: Nonce,
    ) -> Result<Committed, StoreError> {
        partition_log::commit(&mut self.content().part(at)?, batch, nonce, self.now_ms())
    }

    async fn open(&self, at: Partition, opening: &Opening) -> Result<Opened, StoreError> {
        partition_log::open(&mut self.content().part(at)?, opening)
    }

    async fn states(
        &self,
        at: Partition,
        sources: &[SourceId],
    ) -> Result<Vec<Option<SourceState>>, StoreError> {
        partition_log::states(&self.content().part(at)?, sources.iter())
    }

    async fn forget_source(
        &self,
        at: Partition,
        source: &SourceId,
        expected: &SourceState,
    ) -> Result<bool, StoreError> {
        partition_log::forget_source(&mut self.content().part(at)?, source, expected)
    }

    async fn forget_sources(
        &self,
        at: Partition,
        sources: &[(SourceId, SourceState)],
    ) -> Result<u64, StoreError> {
        partition_log::forget_sources(&mut self.content().part(at)?, sources)
    }

    async fn forget(
        &self,
        at: Partition,
        keys: &[SeriesKey],
        nonce: Nonce,
    ) -> Result<Option<Mark>, StoreError> {
        if keys.is_empty() {
            return Ok(None);
        }
        let block = Increments::forget(keys.iter().map(SeriesKey::as_bytes));
        self.append(at, &block, nonce).map(Some)
    }

    async fn tick(&self, at: Partition, nonce: Nonce) -> Result<Mark, StoreError> {
        self.append(at, &Increments::default(), nonce)
    }

    async fn report_acknowledged(
        &self,
        at: Partition,
        source: &SourceId,
        acknowledged: &SourceState,
    ) -> Result<bool, StoreError> {
        let mut content = self.content();
        partition_log::report(&mut content.part(at)?, source, acknowledged, self.now_ms())
    }

    async fn fold(&self, at: Partition) -> Result<Folded, StoreError> {
        let now_ms = self.now_ms();
        let target = fold::target(&self.content().part(at)?, now_ms)?;
        let mut merged = 0;
        while let Some(target) = target {
            // The lock is given back after each round, so that commits come in between.
            let round = self.content().whole_or_not(at, |part| fold::round(part, now_ms))?;
            merged += round.merged;
            if round.is_last(target) {
                break;
            }
        }
        fold::progress(&self.content().part(at)?, merged, now_ms)
    }
}

#[async_trait]
impl SnapshotReader for MemoryStore {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        Ok(identity::opened(&*self.content())?.info(0))
    }

    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        view::load(&self.content().part(at)?, self.now_ms())
    }

    async fn changes(&self, at: Partition, since: Mark) -> Result<Changes, StoreError> {
        view::changes(&self.content().part(at)?, since, self.now_ms())
    }

    async fn families(&self, at: Partition) -> Result<Vec<Family>, StoreError> {
        self.content().part(at)?.families()
    }

    async fn clock(&self, at: Partition) -> Result<StoreClock, StoreError> {
        view::clock(&self.content().part(at)?, self.now_ms())
    }

    async fn sources(&self, at: Partition) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        self.content().part(at)?.sources()
    }

    async fn sources_page(
        &self,
        at: Partition,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError> {
        view::sources_page(&self.content().part(at)?, from)
    }
}
