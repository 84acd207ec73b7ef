//! Short words for the cases: deltas, commits and sums in one line each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_store::{Changes, Committed, Opening, SharedStore, Snapshot};

use crate::backend::Backend;

/// The partition of nearly all cases.
pub(crate) const P: Partition = Partition(0);

/// Values by series, in order.
pub(crate) type Sums = BTreeMap<SeriesKey, u64>;

pub(crate) fn source(name: &str) -> SourceId {
    SourceId::new(name).expect("a valid name")
}

/// The tail that the cases use at a position: any function does, as long as a reader and the store
/// mean the same one.
pub(crate) fn tail(position: u64) -> Tail {
    if position == 0 { Tail::empty() } else { Tail(position.wrapping_mul(0x9e37_79b9_7f4a_7c15)) }
}

pub(crate) fn state(generation: u64, position: u64) -> SourceState {
    let start = SourceState::start(Generation(generation));
    SourceState { position, tail: tail(position), ..start }
}

pub(crate) fn family(kind: Kind) -> Family {
    let name = if kind == Kind::Counter { "log_lines_total" } else { "log_lines" };
    Family::new(name, kind, "Lines", &["host"])
}

pub(crate) fn gauge(host: &str) -> SeriesKey {
    SeriesKey::new(family(Kind::Gauge).id(), [host])
}

pub(crate) fn counter(host: &str) -> SeriesKey {
    SeriesKey::new(family(Kind::Counter).id(), [host])
}

pub(crate) fn increments<'a>(pairs: impl IntoIterator<Item = &'a (SeriesKey, u64)>) -> Increments {
    Increments::pack(pairs.into_iter().map(|(key, n)| (key.as_bytes(), *n)))
}

/// A delta of one record per position, counted in `series`.
pub(crate) fn delta(
    name: &str,
    generation: u64,
    span: Range<u64>,
    series: &[(SeriesKey, u64)],
) -> Delta {
    Delta {
        source: source(name),
        generation: Generation(generation),
        span: Span::new(span.start, span.end).expect("a valid span"),
        tail_before: tail(span.start),
        tail_after: tail(span.end),
        note: None,
        records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
        families: vec![family(Kind::Gauge), family(Kind::Counter)],
        limits: Vec::new(),
        increments: increments(series),
    }
}

/// A delta that counts its length for `host`.
pub(crate) fn lines(name: &str, generation: u64, span: Range<u64>, host: &str) -> Delta {
    let n = span.end - span.start;
    delta(name, generation, span, &[(gauge(host), n)])
}

pub(crate) async fn commit_at(
    store: &SharedStore,
    at: Partition,
    deltas: impl IntoIterator<Item = Delta>,
) -> Committed {
    let (batch, later) = Batch::build(deltas);
    assert!(later.is_empty(), "the deltas fit one batch");
    store.commit(at, &batch, Nonce(rand::random())).await.expect("the store answers")
}

pub(crate) async fn commit(
    store: &SharedStore,
    deltas: impl IntoIterator<Item = Delta>,
) -> Committed {
    commit_at(store, P, deltas).await
}

/// Commits what must be applied, and returns the place of its entry.
pub(crate) async fn apply(store: &SharedStore, delta: Delta) -> Mark {
    let committed = commit(store, [delta]).await;
    committed.applied.unwrap_or_else(|| panic!("refused: {:?}", committed.verdicts))
}

/// Installs any state for a source that is not registered.
pub(crate) async fn install(store: &SharedStore, name: &str, fresh: SourceState) {
    let opening = Opening { source: source(name), expected: None, fresh };
    let opened = store.open(P, &opening).await.expect("the store answers");
    assert!(opened.installed, "{name} was registered before: {opened:?}");
}

/// A created store in which some sources are open in generation 1 at position 0.
pub(crate) async fn store_with<B: Backend>(place: &B, names: &[&str]) -> SharedStore {
    let store = place.store();
    store.create(Some(2)).await.expect("a fresh place");
    for name in names {
        install(&store, name, state(1, 0)).await;
    }
    store
}

pub(crate) async fn stored(store: &SharedStore, name: &str) -> Option<SourceState> {
    store.states(P, &[source(name)]).await.expect("the store answers")[0]
}

pub(crate) async fn load(store: &SharedStore) -> Snapshot {
    store.load(P).await.expect("the store answers")
}

pub(crate) fn sums_of(snapshot: &Snapshot) -> Sums {
    snapshot.counts.to_map().into_iter().map(|(key, count)| (key, count.amount.count)).collect()
}

pub(crate) async fn sums(store: &SharedStore) -> Sums {
    sums_of(&load(store).await)
}

pub(crate) fn expected<const N: usize>(pairs: [(SeriesKey, u64); N]) -> Sums {
    pairs.into_iter().collect()
}

pub(crate) async fn changes(store: &SharedStore, since: Mark) -> Changes {
    store.changes(P, since).await.expect("the store answers")
}

/// Whether the journal does not know a place any more.
pub(crate) async fn is_broken(store: &SharedStore, since: Mark) -> bool {
    matches!(changes(store, since).await, Changes::Broken)
}

/// Something under way that others watch. It is over when the handle to it is dropped, be it by a
/// panic: a broken store must make a case fail, not run for ever.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<AtomicBool>);

/// The handle to what others watch.
pub(crate) struct UnderWay(Arc<AtomicBool>);

impl Watch {
    pub(crate) fn begin(&self) -> UnderWay {
        UnderWay(self.0.clone())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
