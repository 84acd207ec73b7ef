//! Commits to a store, without a server: whatever all stores have in common, and the one in memory.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::rule::default_family;
use logtally_core::series::{Increments, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_store::memory::MemoryStore;
use logtally_store::{CountStore as _, Opening};
use tokio::runtime::{Builder, Runtime};

use crate::repetition::Repetition;
use crate::text;

/// Increments of a commit.
pub(crate) const INCREMENTS: usize = 10_000;

/// The only partition.
const AT: Partition = Partition(0);

/// Commits the same increments again and again, and folds them.
pub(crate) fn commit() -> Result<Repetition> {
    let keys: Vec<SeriesKey> = (0..INCREMENTS).map(text::key).collect();
    let mut store = Stored::new()?;
    Ok(Box::new(move || {
        store.commit(&keys)?;
        store.runtime.block_on(store.store.fold(AT))?;
        Ok(())
    }))
}

/// A store in memory with one source.
pub(crate) struct Stored {
    /// The store.
    pub store: Arc<MemoryStore>,
    /// Where it is asked.
    pub runtime: Runtime,
    source: SourceId,
    state: SourceState,
}

impl Stored {
    /// An empty store.
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (store, source) = (Arc::new(MemoryStore::new()), SourceId::new("file/hot/1/0")?);
        let state = SourceState::start(Generation(1));
        let opening = Opening { source: source.clone(), expected: None, fresh: state };
        runtime.block_on(store.create(Some(1)))?;
        let opened = runtime.block_on(store.open(AT, &opening))?;
        ensure!(opened.installed, "a new store has no sources");
        Ok(Self { store, runtime, source, state })
    }

    /// Counts one record in each series.
    pub(crate) fn commit(&mut self, keys: &[SeriesKey]) -> Result<()> {
        let increments = Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1)));
        let records = keys.len() as u64;
        let (from, to) = (self.state.position, self.state.position + records);
        let delta = Delta {
            source: self.source.clone(),
            generation: self.state.generation,
            span: Span::new(from, to)?,
            tail_before: self.state.tail,
            tail_after: Tail(to),
            note: None,
            records: RecordCounts { counted: records, ..RecordCounts::default() },
            families: vec![default_family()],
            limits: Vec::new(),
            increments,
        };
        let (batch, _) = Batch::build([delta]);
        let committed = self.runtime.block_on(self.store.commit(AT, &batch, Nonce(to)))?;
        ensure!(committed.applied.is_some(), "not applied: {:?}", committed.verdicts);
        self.state = committed.verdicts[0].stored.context("the state of the source")?;
        Ok(())
    }
}
