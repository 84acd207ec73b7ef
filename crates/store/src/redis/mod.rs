//! The Redis store: one server from version 7.0 on, shared by any number of aggregators and exporters.
//!
//! [`Key`] documents the layout. Whatever is written is written by a script that checks everything it
//! relies on in the same atomic step, so no call here needs a lock, a lease or a memory of its own: a
//! call that is late, repeated or overtaken changes nothing. This module never re-creates a part of a
//! store, never believes a number without its nonce, and never waits longer than its timeouts.

mod options;

mod keys;

mod scripts;

mod link;

mod value;

mod partition;

mod identity;

mod commit;

mod row;

mod counts;

mod journal;

mod fold;

mod load;

mod server;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, SeriesKey};
use logtally_core::source::{SourceId, SourceState};

use self::link::Link;
use self::partition::RedisPartition;
use crate::error::StoreError;
use crate::model::{
    Changes, Committed, Folded, Opened, Opening, PageCursor, Snapshot, SourcesPage, StoreClock,
    StoreInfo,
};
use crate::traits::{CountStore, SnapshotReader};

pub use self::keys::{Key, MARKER};
pub use self::options::{Durability, RedisOptions};

/// A store on a Redis server.
pub struct RedisStore {
    /// For commits and for what an exporter asks at every scrape.
    quick: Link,
    /// For folds and loads, whose large replies would hold up the others.
    bulk: Link,
    options: RedisOptions,
    /// The store that writes are meant for. Only [`CountStore::create`] changes it: whoever computes
    /// partitions must have been told their number.
    writes: Known,
    /// The store that reads are meant for.
    reads: Known,
}

impl RedisStore {
    /// A store at `url` (`redis://[user:password@]host:port[/database]`). Does not connect: that is
    /// done when it is needed, and done again whenever the connection is lost.
    pub fn connect(url: &str, options: RedisOptions) -> Result<Self, StoreError> {
        let link = || Link::new(url, options.connect_timeout, options.response_timeout);
        Ok(Self {
            quick: link()?,
            bulk: link()?,
            options,
            writes: Known::default(),
            reads: Known::default(),
        })
    }

    /// Checks the server's version and settings, at start and from time to time. Refuses what would
    /// lose counts for certain, naming the command that mends it; returns warnings about the rest.
    pub async fn check_server(&self) -> Result<Vec<String>, StoreError> {
        server::check(&self.quick, self.options.durability).await
    }

    /// A partition of the store that writes are meant for.
    async fn to_write<'a>(
        &'a self,
        link: &'a Link,
        at: Partition,
    ) -> Result<RedisPartition<'a>, StoreError> {
        self.place(&self.writes, link, at).await
    }

    /// A partition of the store that reads are meant for.
    async fn to_read<'a>(
        &'a self,
        link: &'a Link,
        at: Partition,
    ) -> Result<RedisPartition<'a>, StoreError> {
        self.place(&self.reads, link, at).await
    }

    async fn place<'a>(
        &'a self,
        known: &Known,
        link: &'a Link,
        at: Partition,
    ) -> Result<RedisPartition<'a>, StoreError> {
        let info = match known.get() {
            Some(info) => info,
            None => self.info().await?,
        };
        if at.0 >= info.partitions {
            return Err(StoreError::Mismatch(format!(
                "it has {} partitions, and partition {at} is not one of them",
                info.partitions
            )));
        }
        Ok(RedisPartition { link, at, state_id: info.state_id })
    }

    async fn append(
        &self,
        at: Partition,
        block: &Increments,
        nonce: Nonce,
    ) -> Result<Mark, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.append(block, nonce).await).await
    }

    /// Says more precisely why a partition is not there.
    async fn explained<T>(
        &self,
        at: Partition,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match result {
            Err(StoreError::Missing) => Err(identity::explain(&self.quick, at).await),
            result => result,
        }
    }
}

/// What this object was last told about the store.
#[derive(Default)]
struct Known(Mutex<Option<StoreInfo>>);

impl Known {
    fn get(&self) -> Option<StoreInfo> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, info: StoreInfo) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(info);
    }

    fn set_first(&self, info: StoreInfo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(info);
    }
}

#[async_trait]
impl CountStore for RedisStore {
    fn is_durable(&self) -> bool {
        self.options.durability == Durability::Fsync
    }

    async fn create(&self, wanted: Option<u16>) -> Result<StoreInfo, StoreError> {
        let info = identity::create(&self.quick, wanted, rand::random()).await?;
        self.writes.set(info);
        self.reads.set(info);
        Ok(info)
    }

    async fn commit(
        &self,
        at: Partition,
        batch: &Batch,
        nonce: Nonce,
    ) -> Result<Committed, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.commit(batch, nonce).await).await
    }

    async fn open(&self, at: Partition, opening: &Opening) -> Result<Opened, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.open(opening).await).await
    }

    async fn open_all(
        &self,
        at: Partition,
        openings: &[Opening],
    ) -> Result<Vec<Opened>, StoreError> {
        // Sent one behind the other on one connection, without waiting for each answer.
        let opened = openings.iter().map(|opening| self.open(at, opening));
        futures::future::try_join_all(opened).await
    }

    async fn states(
        &self,
        at: Partition,
        sources: &[SourceId],
    ) -> Result<Vec<Option<SourceState>>, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.states(sources).await).await
    }

    async fn forget_source(
        &self,
        at: Partition,
        source: &SourceId,
        expected: &SourceState,
    ) -> Result<bool, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.forget_source(source, expected).await).await
    }

    async fn forget_sources(
        &self,
        at: Partition,
        sources: &[(SourceId, SourceState)],
    ) -> Result<u64, StoreError> {
        let removed = sources.iter().map(|(source, state)| self.forget_source(at, source, state));
        let removed = futures::future::try_join_all(removed).await?;
        Ok(removed.into_iter().map(u64::from).sum())
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
        self.append(at, &block, nonce).await.map(Some)
    }

    async fn tick(&self, at: Partition, nonce: Nonce) -> Result<Mark, StoreError> {
        self.append(at, &Increments::default(), nonce).await
    }

    async fn report_acknowledged(
        &self,
        at: Partition,
        source: &SourceId,
        acknowledged: &SourceState,
    ) -> Result<bool, StoreError> {
        let place = self.to_write(&self.quick, at).await?;
        self.explained(at, place.report(source, acknowledged).await).await
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        let warnings = self.check_server().await?;
        // Commits only look at their partition: that the metadata is gone shows here.
        match identity::info(&self.quick, None).await {
            Ok(_) | Err(StoreError::Missing) => Ok(warnings),
            Err(error) => Err(error),
        }
    }

    async fn fold(&self, at: Partition) -> Result<Folded, StoreError> {
        let place = self.to_write(&self.bulk, at).await?;
        self.explained(at, fold::fold(&place, self.options.trim_grace_ms).await).await
    }
}

#[async_trait]
impl SnapshotReader for RedisStore {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        let info = identity::info(&self.quick, None).await?;
        self.writes.set_first(info);
        self.reads.set(info);
        Ok(info)
    }

    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        let place = self.to_read(&self.bulk, at).await?;
        self.explained(at, load::load(&place).await).await
    }

    async fn changes(&self, at: Partition, since: Mark) -> Result<Changes, StoreError> {
        let place = self.to_read(&self.quick, at).await?;
        self.explained(at, load::changes(&place, since).await).await
    }

    async fn families(&self, at: Partition) -> Result<Vec<Family>, StoreError> {
        let place = self.to_read(&self.quick, at).await?;
        self.explained(at, load::families(&place).await).await
    }

    async fn clock(&self, at: Partition) -> Result<StoreClock, StoreError> {
        let place = self.to_read(&self.quick, at).await?;
        self.explained(at, load::clock(&place).await).await
    }

    async fn sources(&self, at: Partition) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        let place = self.to_read(&self.bulk, at).await?;
        self.explained(at, place.sources().await).await
    }

    async fn sources_page(
        &self,
        at: Partition,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError> {
        let place = self.to_read(&self.bulk, at).await?;
        self.explained(at, place.sources_page(from).await).await
    }
}
