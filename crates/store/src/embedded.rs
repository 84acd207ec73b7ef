//! A store in one directory, for one process: redb, a file with atomic and durable transactions.
//!
//! Position, families, journal entry and head of a commit are one transaction, which is on disk when
//! the commit returns. So a loss of power takes counts and positions together, and the sources are
//! read again from there. No call occupies a thread of the runtime while it waits for the disk.
//!
//! `layout` documents every table, `rows` reads and writes them, `database` owns the file.

mod database;

mod failure;

mod layout;

mod rows;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, SeriesKey};
use logtally_core::source::{SourceId, SourceState};

use self::database::{Database, Written};
use self::rows::{Part, ReadTable, Tables, WriteTable};
use crate::clock::{self, Clock};
use crate::error::StoreError;
use crate::identity::{self, Meta};
use crate::model::{
    Changes, Committed, Folded, Opened, Opening, PageCursor, Snapshot, SourcesPage, StoreClock,
    StoreInfo,
};
use crate::pace::Pace;
use crate::partition_log::{self, Rows, fold, view};
use crate::traits::{CountStore, SnapshotReader};

/// Partitions of a new store when nothing else is asked for: there are no nodes to spread over.
const PARTITIONS_DEFAULT: u16 = 1;

/// A store in a directory.
pub struct EmbeddedStore {
    database: Arc<Database>,
    clock: Clock,
}

impl EmbeddedStore {
    /// Opens the store in `dir`, which is created if it is absent, and locks it for this process.
    /// Blocks while a store that was not closed is checked, which takes about a second per
    /// gigabyte.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if it is open already, [`StoreError::Damaged`] or
    /// [`StoreError::Mismatch`] if what is there cannot be read, [`StoreError::Refused`] or
    /// [`StoreError::Unavailable`] if the directory cannot be used.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let database = Arc::new(Database::open(dir)?);
        Ok(Self { database, clock: clock::system() })
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    async fn append(
        &self,
        at: Partition,
        block: Increments,
        nonce: Nonce,
    ) -> Result<Mark, StoreError> {
        let now_ms = self.now_ms();
        self.write(at, move |part| {
            partition_log::append_alone(part, &block, nonce, now_ms).map(Written::changed)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        at: Partition,
        f: impl FnOnce(&Part<ReadTable>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.read(move |tables| f(&tables.into_part(at)?)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        at: Partition,
        f: impl FnOnce(&mut Part<WriteTable<'_>>) -> Result<Written<T>, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.write(move |tables| f(&mut tables.into_part(at)?)).await
    }
}

#[async_trait]
impl CountStore for EmbeddedStore {
    fn pace(&self) -> Pace {
        Pace::ON_DISK
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn create(&self, wanted: Option<u16>) -> Result<StoreInfo, StoreError> {
        let partitions = wanted.unwrap_or(PARTITIONS_DEFAULT);
        let fresh = Meta::new(layout::VERSION, rand::random(), partitions, self.now_ms())?;
        let there = self.database.read(move |t| identity::existing_whole(&t, wanted)).await?;
        if let Some(meta) = there {
            return Ok(meta.info(0));
        }
        let create = move |tables: &mut Tables<WriteTable<'_>>| {
            identity::create(tables, wanted, fresh).map(Written::changed)
        };
        let meta = self.database.write(move |mut tables| create(&mut tables)).await?;
        Ok(meta.info(0))
    }

    async fn commit(
        &self,
        at: Partition,
        batch: &Batch,
        nonce: Nonce,
    ) -> Result<Committed, StoreError> {
        let (batch, now_ms) = (batch.clone(), self.now_ms());
        self.write(at, move |part| {
            let value = partition_log::commit(part, &batch, nonce, now_ms)?;
            Ok(Written { changed: value.applied.is_some(), value })
        })
        .await
    }

    async fn open(&self, at: Partition, opening: &Opening) -> Result<Opened, StoreError> {
        let opening = opening.clone();
        self.write(at, move |part| {
            let value = partition_log::open(part, &opening)?;
            Ok(Written { changed: value.installed, value })
        })
        .await
    }

    async fn open_all(
        &self,
        at: Partition,
        openings: &[Opening],
    ) -> Result<Vec<Opened>, StoreError> {
        let openings = openings.to_vec();
        self.write(at, move |part| {
            let open = |opening| partition_log::open(part, opening);
            let value: Vec<Opened> = openings.iter().map(open).collect::<Result<_, _>>()?;
            Ok(Written { changed: value.iter().any(|opened| opened.installed), value })
        })
        .await
    }

    async fn states(
        &self,
        at: Partition,
        sources: &[SourceId],
    ) -> Result<Vec<Option<SourceState>>, StoreError> {
        let sources = sources.to_vec();
        self.read(at, move |part| partition_log::states(part, sources.iter())).await
    }

    async fn forget_source(
        &self,
        at: Partition,
        source: &SourceId,
        expected: &SourceState,
    ) -> Result<bool, StoreError> {
        let (source, expected) = (source.clone(), *expected);
        self.write(at, move |part| {
            let value = partition_log::forget_source(part, &source, &expected)?;
            Ok(Written { changed: value, value })
        })
        .await
    }

    async fn forget_sources(
        &self,
        at: Partition,
        sources: &[(SourceId, SourceState)],
    ) -> Result<u64, StoreError> {
        let sources = sources.to_vec();
        self.write(at, move |part| {
            let value = partition_log::forget_sources(part, &sources)?;
            Ok(Written { changed: value > 0, value })
        })
        .await
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
        self.append(at, block, nonce).await.map(Some)
    }

    async fn tick(&self, at: Partition, nonce: Nonce) -> Result<Mark, StoreError> {
        self.append(at, Increments::default(), nonce).await
    }

    async fn report_acknowledged(
        &self,
        at: Partition,
        source: &SourceId,
        acknowledged: &SourceState,
    ) -> Result<bool, StoreError> {
        let (source, acknowledged, now_ms) = (source.clone(), *acknowledged, self.now_ms());
        self.write(at, move |part| {
            let value = partition_log::report(part, &source, &acknowledged, now_ms)?;
            Ok(Written { changed: value, value })
        })
        .await
    }

    async fn fold(&self, at: Partition) -> Result<Folded, StoreError> {
        let now_ms = self.now_ms();
        let target = self.read(at, move |part| fold::target(part, now_ms)).await?;
        let mut merged = 0;
        while let Some(target) = target {
            // One transaction per round, so that commits come in between.
            let round = move |part: &mut Part<WriteTable<'_>>| fold::round(part, now_ms);
            let round = self.write(at, move |part| round(part).map(Written::changed)).await?;
            merged += round.merged;
            if round.is_last(target) {
                break;
            }
        }
        self.read(at, move |part| fold::progress(part, merged, now_ms)).await
    }
}

#[async_trait]
impl SnapshotReader for EmbeddedStore {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        let meta = self.database.read(|tables| identity::opened(&tables)).await?;
        Ok(meta.info(0))
    }

    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        let now_ms = self.now_ms();
        self.read(at, move |part| view::load(part, now_ms)).await
    }

    async fn changes(&self, at: Partition, since: Mark) -> Result<Changes, StoreError> {
        let now_ms = self.now_ms();
        self.read(at, move |part| view::changes(part, since, now_ms)).await
    }

    async fn families(&self, at: Partition) -> Result<Vec<Family>, StoreError> {
        self.read(at, Rows::families).await
    }

    async fn clock(&self, at: Partition) -> Result<StoreClock, StoreError> {
        let now_ms = self.now_ms();
        self.read(at, move |part| view::clock(part, now_ms)).await
    }

    async fn sources(&self, at: Partition) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        self.read(at, Rows::sources).await
    }

    async fn sources_page(
        &self,
        at: Partition,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError> {
        let from = from.cloned();
        self.read(at, move |part| view::sources_page(part, from.as_ref())).await
    }
}
