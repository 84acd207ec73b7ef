//! Limits of series, over stores that are restarted.

use std::collections::BTreeMap;
use std::sync::Arc;

use logtally_core::delta::{Delta, SeriesLimit, Span, TenantSeriesLimit};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::rule::records_overflowed;
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_proto::Action;
use logtally_store::SharedStore;
use logtally_store::embedded::EmbeddedStore;
use logtally_store::memory::MemoryStore;

use crate::bench::Bench;

const P: Partition = Partition(0);

fn family() -> Family {
    Family::new("requests", Kind::Gauge, "", &["tenant", "path"])
}

fn key(values: [&str; 2]) -> SeriesKey {
    SeriesKey::new(family().id(), values)
}

fn limit(series_max: u64, tenant_max: Option<u64>) -> Vec<SeriesLimit> {
    let tenant = tenant_max.map(|series_max| TenantSeriesLimit { label: 0, series_max });
    vec![SeriesLimit { family: family().id(), series_max, tenant }]
}

/// A source that is open, and how far it is read.
struct Source {
    name: &'static str,
    position: u64,
}

impl Source {
    async fn open(bench: &mut Bench, name: &'static str) -> Self {
        let fresh = SourceState::start(Generation(7));
        bench.ask(name, Action::Open { expected: None, fresh }).await;
        Self { name, position: 0 }
    }

    fn delta(&self, limits: &[SeriesLimit], series: &[[&str; 2]]) -> Delta {
        let keys: Vec<_> = series.iter().map(|values| key(*values)).collect();
        let tail = |at| if at == 0 { Tail::empty() } else { Tail(at) };
        Delta {
            source: SourceId::new(self.name).expect("valid"),
            generation: Generation(7),
            span: Span::new(self.position, self.position + 1).expect("valid"),
            tail_before: tail(self.position),
            tail_after: tail(self.position + 1),
            note: None,
            records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
            families: vec![family()],
            limits: limits.to_vec(),
            increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))),
        }
    }

    async fn count(&mut self, bench: &mut Bench, limits: &[SeriesLimit], series: &[[&str; 2]]) {
        let delta = self.delta(limits, series);
        let stored = bench.ask(self.name, Action::Commit(Box::new(delta))).await;
        self.position += 1;
        assert_eq!(stored.map(|state| state.position), Some(self.position));
    }
}

/// All counts of a store.
async fn counts(store: &SharedStore) -> BTreeMap<SeriesKey, u64> {
    let mut counts = BTreeMap::new();
    for at in (0..store.info().await.expect("answers").partitions).map(Partition) {
        let snapshot = store.load(at).await.expect("loads");
        for (key, count) in snapshot.counts.to_map() {
            *counts.entry(key).or_default() += count.amount.count;
        }
    }
    counts
}

async fn check(bench: &Bench, expected: &[([&str; 2], u64)], overflowed: u64) {
    let counts = counts(&bench.store).await;
    let mut wanted: BTreeMap<_, _> =
        expected.iter().map(|(values, n)| (key(*values), *n)).collect();
    if overflowed > 0 {
        wanted.insert(SeriesKey::new(records_overflowed().id(), ["requests"]), overflowed);
    }
    assert_eq!(counts, wanted);
}

const O: &str = "__overflow__";

/// Counts beyond the limit before and after a restart, which `again` does.
async fn beyond_the_limit(store: SharedStore, again: impl FnOnce(SharedStore) -> SharedStore) {
    let mut bench = Bench::over(store).await;
    let mut source = Source::open(&mut bench, "a").await;
    let only = limit(2, None);
    source.count(&mut bench, &only, &[["t", "1"], ["t", "2"], ["t", "3"]]).await;
    check(&bench, &[(["t", "1"], 1), (["t", "2"], 1), ([O, O], 1)], 1).await;
    source.count(&mut bench, &only, &[["t", "2"], ["t", "4"]]).await;
    source.count(&mut bench, &[], &[["u", "free"]]).await;
    bench.store.fold(P).await.expect("folds");
    let store = again(bench.stop().await);

    let mut bench = Bench::over(store).await;
    source.count(&mut bench, &only, &[["t", "1"], ["t", "3"], ["u", "free"]]).await;
    let expected = [(["t", "1"], 2), (["t", "2"], 2), (["u", "free"], 2), ([O, O], 3)];
    check(&bench, &expected, 3).await;
    // More room is used at once.
    source.count(&mut bench, &limit(4, None), &[["t", "3"], ["t", "4"]]).await;
    let expected =
        [(["t", "1"], 2), (["t", "2"], 2), (["u", "free"], 2), (["t", "3"], 1), ([O, O], 4)];
    check(&bench, &expected, 4).await;
    bench.stop().await;
}

#[tokio::test]
async fn beyond_the_limit_records_overflow_in_memory() {
    beyond_the_limit(Arc::new(MemoryStore::new()), |store| store).await;
}

#[tokio::test]
async fn beyond_the_limit_records_overflow_on_disk() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = || -> SharedStore { Arc::new(EmbeddedStore::open(dir.path()).expect("ours")) };
    beyond_the_limit(open(), |store| {
        drop(store);
        open()
    })
    .await;
}

#[tokio::test]
async fn sources_of_all_partitions_share_a_limit() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    store.create(Some(4)).await.expect("a fresh store");
    let mut bench = Bench::over(store).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut sources = Vec::new();
    for name in names {
        sources.push(Source::open(&mut bench, name).await);
    }
    // All at once: the committers of the partitions decide one after the other.
    for source in &sources {
        let series = [["t", source.name], ["t", "all"]];
        let delta = source.delta(&limit(4, None), &series);
        bench.send(source.name, Action::Commit(Box::new(delta)));
    }
    for _ in &sources {
        bench.answer().await.expect("an answer");
    }
    let counts = counts(&bench.store).await;
    let of_family = counts.keys().filter(|key| key.family() == family().id());
    assert_eq!(of_family.count(), 4 + 1, "{counts:?}");
    let total: u64 =
        counts.iter().filter(|(key, _)| key.family() == family().id()).map(|c| c.1).sum();
    assert_eq!(total, 16);
    let overflowed = SeriesKey::new(records_overflowed().id(), ["requests"]);
    assert_eq!(counts[&key([O, O])], counts[&overflowed]);
}

#[tokio::test]
async fn a_tenant_does_not_take_the_room_of_others() {
    let mut bench = Bench::start().await;
    let mut source = Source::open(&mut bench, "a").await;
    let limits = limit(10, Some(1));
    source.count(&mut bench, &limits, &[["loud", "1"], ["loud", "2"], ["quiet", "1"]]).await;
    source.count(&mut bench, &limits, &[["loud", "3"], ["quiet", "1"]]).await;
    let expected = [(["loud", "1"], 1), (["loud", O], 2), (["quiet", "1"], 2)];
    check(&bench, &expected, 2).await;
}

#[tokio::test]
async fn a_forgotten_series_makes_room() {
    let mut bench = Bench::start().await;
    let mut source = Source::open(&mut bench, "a").await;
    let only = limit(1, None);
    source.count(&mut bench, &only, &[["t", "1"], ["t", "2"]]).await;
    bench.store.forget(P, &[key(["t", "1"])], Nonce(5)).await.expect("answers");
    source.count(&mut bench, &only, &[["t", "2"], ["t", "3"]]).await;
    check(&bench, &[(["t", "2"], 1), ([O, O], 2)], 2).await;
}

#[tokio::test]
async fn a_store_that_went_back_is_read_again() {
    let store = Arc::new(MemoryStore::new());
    let mut bench = Bench::over(store.clone()).await;
    let mut source = Source::open(&mut bench, "a").await;
    let only = limit(1, None);
    let before = store.snapshot();
    source.count(&mut bench, &only, &[["t", "lost"]]).await;
    source.count(&mut bench, &only, &[["t", "overflows"]]).await;
    store.restore(before);
    source.position = 0;
    source.count(&mut bench, &only, &[["t", "new"]]).await;
    check(&bench, &[(["t", "new"], 1)], 0).await;
}

#[tokio::test]
async fn a_refused_delta_takes_no_room() {
    let mut bench = Bench::start().await;
    let mut source = Source::open(&mut bench, "a").await;
    let only = limit(1, None);
    let mut stale = source.delta(&only, &[["t", "stale"]]);
    stale.tail_before = Tail(0xbad);
    bench.ask("a", Action::Commit(Box::new(stale))).await;
    source.count(&mut bench, &only, &[["t", "real"]]).await;
    check(&bench, &[(["t", "real"], 1)], 0).await;
    let page = bench.context.registry.gather();
    let value = |name: &str| {
        let family = page.iter().find(|f| f.name() == format!("logtally_aggregator_{name}"));
        family.expect("registered").get_metric()[0].get_gauge().get_value()
    };
    assert!((value("limited_series") - 1.0).abs() < 0.1);
    assert!((value("series_limit") - 1.0).abs() < 0.1);
}
