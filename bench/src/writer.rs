//! Commits to a real store through the crate that the aggregators use, as one of them would.
//!
//! Must never know how counts are stored.

use anyhow::{Context as _, Result, ensure};
use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::{Partition, partition_of};
use logtally_core::rule::default_family;
use logtally_core::series::{Increments, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_store::redis::{RedisOptions, RedisStore};
use logtally_store::{CountStore as _, Opening, Snapshot, SnapshotReader as _};
use std::collections::HashMap;
use tokio::runtime::Runtime;

/// A connection to the store, and the sources that are written through it.
pub struct Writer {
    runtime: Runtime,
    store: RedisStore,
    partitions: u16,
    sources: Vec<Source>,
}

/// A source and its stored state.
struct Source {
    id: SourceId,
    at: Partition,
    state: SourceState,
}

impl Writer {
    /// Creates the store, with so many partitions or as many as usual, and opens so many sources.
    pub fn new(url: &str, partitions: Option<u16>, sources: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // What is folded is trimmed at once, so that it is part of what is measured.
        let options = RedisOptions { trim_grace_ms: 0, ..RedisOptions::default() };
        let store = RedisStore::connect(url, options)?;
        let partitions = runtime.block_on(store.create(partitions))?.partitions;
        let mut writer = Self { runtime, store, partitions, sources: Vec::new() };
        for which in 0..sources {
            writer.open(which)?;
        }
        Ok(writer)
    }

    /// All partitions.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.partitions).map(Partition)
    }

    fn open(&mut self, which: usize) -> Result<()> {
        let id = SourceId::new(&format!("file/bench/{which:x}/0"))?;
        let at = partition_of(&id, self.partitions);
        let state = SourceState::start(Generation(which as u64 + 1));
        let opening = Opening { source: id.clone(), expected: None, fresh: state };
        let opened = self.runtime.block_on(self.store.open(at, &opening))?;
        ensure!(opened.installed, "the source {id} is open already");
        self.sources.push(Source { id, at, state });
        Ok(())
    }

    /// Commits increments of a source.
    pub fn commit(&mut self, source: usize, increments: Increments) -> Result<()> {
        let Source { id, at, state } = &mut self.sources[source];
        let records = increments.iter().map(|(_, amount)| amount.count).sum();
        let to = state.position + records;
        let delta = Delta {
            source: id.clone(),
            generation: state.generation,
            span: Span::new(state.position, to)?,
            tail_before: state.tail,
            tail_after: Tail(to),
            note: None,
            records: RecordCounts { counted: records, ..RecordCounts::default() },
            families: vec![default_family()],
            limits: Vec::new(),
            increments,
        };
        let (batch, _) = Batch::build([delta]);
        let nonce = Nonce(rand::random());
        let committed = self.runtime.block_on(self.store.commit(*at, &batch, nonce))?;
        ensure!(committed.applied.is_some(), "not applied: {:?}", committed.verdicts);
        *state = committed.verdicts[0].stored.context("the state of the source")?;
        Ok(())
    }

    /// Folds everything that was committed.
    pub fn fold(&self) -> Result<()> {
        for at in self.partitions() {
            while self.runtime.block_on(self.store.fold(at))?.waiting > 0 {}
        }
        Ok(())
    }

    /// Reads a whole partition.
    pub fn load(&self, at: Partition) -> Result<Snapshot> {
        Ok(self.runtime.block_on(self.store.load(at))?)
    }

    /// Demands that the store holds exactly these values of these series.
    pub fn check(&self, keys: &[SeriesKey], values: &[u64]) -> Result<()> {
        let mut snapshots = Vec::new();
        for at in self.partitions() {
            snapshots.push(self.load(at)?);
        }
        let rows: usize = snapshots.iter().map(|snapshot| snapshot.counts.len()).sum();
        let mut sums = HashMap::<&[u8], u64>::with_capacity(rows);
        for (key, count) in snapshots.iter().flat_map(|snapshot| snapshot.counts.iter()) {
            *sums.entry(key).or_default() += count.amount.count;
        }
        let stored = |key: &SeriesKey| sums.get(key.as_bytes()).copied().unwrap_or_default();
        for (key, value) in keys.iter().zip(values) {
            ensure!(stored(key) == *value, "{key:?} is {} and not {value}", stored(key));
        }
        let written = values.iter().filter(|value| **value > 0).count();
        ensure!(rows >= written, "{rows} rows of {written} series");
        ensure!(self.partitions > 1 || rows == written, "there are series that nobody wrote");
        Ok(())
    }
}
