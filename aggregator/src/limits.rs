//! Holds deltas to the series that their families may have, before they are put into a batch.
//!
//! What the families have is read from the store: all partitions once, then their journals, and all of
//! it again when a place in a journal is gone or series were forgotten. Nothing here decides (that is
//! [`logtally_core::cardinality`]), and deltas without limits never come here.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::try_join_all;
use logtally_core::cardinality::SeriesIndex;
use logtally_core::delta::{Delta, SeriesLimit};
use logtally_core::journal::{Entry, Mark};
use logtally_core::partition::Partition;
use logtally_core::rule::records_overflowed;
use logtally_core::series::{FamilyId, Increments, SeriesKey};
use logtally_store::{Changes, SharedStore, Snapshot, StoreError};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::metrics::Metrics;

/// Partitions asked for changes at the same time.
const AT_ONCE: usize = 32;

/// How often a load is tried that folds interfere with, before that is an error of the store.
const ATTEMPTS: usize = 5;

/// What all committers of this process know about limited families.
#[derive(Clone)]
pub struct SeriesLimits {
    store: SharedStore,
    metrics: Metrics,
    state: Arc<Mutex<State>>,
}

struct State {
    known: SeriesIndex,
    /// By partition: up to where its series are known.
    marks: Vec<Option<Mark>>,
}

/// The right to decide, which one committer at a time has: from the look at the store until its commit
/// is decided. So two committers of one process never take the last place both.
pub struct LimitGuard {
    state: OwnedMutexGuard<State>,
    metrics: Metrics,
    /// Series that were taken for the deltas held, and are not stored yet.
    taken: Vec<SeriesKey>,
}

impl SeriesLimits {
    /// Knows nothing yet.
    pub fn new(store: SharedStore, partitions: u16, metrics: Metrics) -> Self {
        let state =
            State { known: SeriesIndex::default(), marks: vec![None; usize::from(partitions)] };
        Self { store, metrics, state: Arc::new(Mutex::new(state)) }
    }

    /// The right to decide about deltas; `None` if there is nothing to decide, because all their
    /// series are there.
    pub async fn hold(&self, deltas: &[&Delta]) -> Option<LimitGuard> {
        let mut state = Arc::clone(&self.state).lock_owned().await;
        let mut is_decided = true;
        for delta in deltas.iter().filter(|delta| !delta.limits.is_empty()) {
            if state.known.watch(&delta.limits) {
                state.forget();
            }
            is_decided &= state.known.has_all(&delta.increments);
        }
        let (metrics, taken) = (self.metrics.clone(), Vec::new());
        (!is_decided).then_some(LimitGuard { state, metrics, taken })
    }

    /// What happened in the partitions that are known, after their marks.
    pub async fn changes(
        &self,
        held: &LimitGuard,
    ) -> Result<Vec<(Partition, Changes)>, StoreError> {
        let marks = (0..).map(Partition).zip(held.state.marks.clone());
        let known = marks.filter_map(|(at, mark)| mark.map(|mark| (at, mark)));
        let known: Vec<_> = known.collect();
        let mut all = Vec::with_capacity(known.len());
        for some in known.chunks(AT_ONCE) {
            let reads = some.iter().map(|(at, mark)| self.store.changes(*at, *mark));
            let changes = try_join_all(reads).await?;
            all.extend(some.iter().map(|(at, _)| *at).zip(changes));
        }
        Ok(all)
    }

    /// A whole partition.
    pub async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.store.load(at).await {
                Err(StoreError::Moved(_)) => {}
                result => return result,
            }
        }
        self.store.load(at).await
    }
}

impl State {
    /// Nothing is known any more: everything must be loaded.
    fn forget(&mut self) {
        self.known.clear();
        self.marks.fill(None);
    }

    /// Whether the entries only add.
    fn follow(&mut self, at: Partition, entries: &[Entry]) -> bool {
        for (key, amount) in entries.iter().flat_map(|entry| entry.increments.iter()) {
            if amount.count == 0 {
                return false;
            }
            self.known.insert(key);
        }
        if let Some(last) = entries.last() {
            self.marks[usize::from(at.0)] = Some(last.mark);
        }
        true
    }
}

impl LimitGuard {
    /// Takes in what happened. What cannot be followed must be loaded, all of it: a series that is gone
    /// from one partition may still be in another one.
    pub fn follow(&mut self, changes: &[(Partition, Changes)]) {
        let state = &mut *self.state;
        let mut follow = |(at, changes): &(Partition, Changes)| match changes {
            Changes::Linked { entries, .. } => state.follow(*at, entries),
            Changes::Broken => false,
        };
        if !changes.iter().all(&mut follow) {
            self.state.forget();
        }
    }

    /// The next partition to load.
    pub fn missing(&self) -> Option<Partition> {
        let missing = self.state.marks.iter().position(Option::is_none);
        missing.map(|at| Partition(at as u16))
    }

    /// Takes in a whole partition.
    pub fn take_in(&mut self, at: Partition, snapshot: &Snapshot) {
        for key in snapshot.counts.keys() {
            self.state.known.insert(key);
        }
        self.state.marks[usize::from(at.0)] = Some(snapshot.at);
    }

    /// Holds a delta to its limits.
    pub fn limit(&mut self, delta: &mut Delta) {
        if delta.limits.is_empty() {
            return;
        }
        let limited = self.state.known.limit(&delta.limits, &delta.increments);
        self.taken.extend(limited.taken);
        let names = names(delta);
        self.metrics.limits.show_limits(delta);
        for SeriesLimit { family, .. } in &delta.limits {
            if let Some(name) = names.get(family) {
                self.metrics.limits.show_series(name, self.state.known.series(*family));
            }
        }
        if limited.overflowed.is_empty() {
            return;
        }
        let family = records_overflowed();
        let counted = limited.overflowed.iter().map(|(id, records)| {
            let name = names.get(id).map_or(id.as_str(), String::as_str);
            self.metrics.limits.overflowed.with_label_values(&[name]).inc_by(*records);
            (SeriesKey::new(family.id(), [name]), *records)
        });
        let counted: Vec<_> = counted.collect();
        let counted = Increments::pack(counted.iter().map(|(key, n)| (key.as_bytes(), *n)));
        delta.increments = Increments::merge([&limited.increments, &counted]);
        if !delta.families.contains(&family) {
            delta.families.push(family);
        }
    }
}

impl Drop for LimitGuard {
    /// After the commit: what it has stored is read from the journal, and what it has not is nowhere.
    fn drop(&mut self) {
        for key in std::mem::take(&mut self.taken) {
            self.state.known.remove(&key);
        }
    }
}

/// The names of a delta's families.
fn names(delta: &Delta) -> HashMap<FamilyId, String> {
    delta.families.iter().map(|family| (family.id(), family.name.clone())).collect()
}
