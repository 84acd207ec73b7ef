//! Rows of every kind: merged by their own rule, with the times that their kind and family ask for.

use std::collections::HashMap;

use logtally_core::decimal::Decimal;
use logtally_core::journal::Mark;
use logtally_core::series::{Amount, Family, Increments, Kind, Latest, SeriesKey, Value};
use logtally_store::{Changes, Count, SharedStore};

use crate::backend::Backend;
use crate::words::{P, apply, changes, lines, load, store_with};

/// A family of each kind, without and with a time-to-live.
fn families() -> Vec<Family> {
    let of_kind = |kind: Kind, ttl_s| {
        let buckets = if kind == Kind::Histogram { vec!["1".to_owned()] } else { vec![] };
        Family { ttl_s, buckets, ..Family::new("n", kind, "", &["le"]) }
    };
    Kind::ALL.into_iter().flat_map(|kind| [of_kind(kind, 0), of_kind(kind, 60)]).collect()
}

fn value(kind: Kind, units: i128, time_ns: i64) -> Value {
    let decimal = Decimal::from_units(units);
    match kind {
        Kind::Counter | Kind::Gauge => Value::None,
        Kind::SumCounter | Kind::SumGauge | Kind::Histogram => Value::Sum(decimal),
        Kind::Min => Value::Min(decimal),
        Kind::Max => Value::Max(decimal),
        Kind::Last => Value::Last(Latest { time_ns, position: 3, value: decimal }),
    }
}

fn key(family: &Family) -> SeriesKey {
    SeriesKey::new(family.id(), ["1"])
}

/// Commits one increment of every family.
async fn count(store: &SharedStore, from: u64, units: i128, time_ns: i64) {
    let keys: Vec<_> = families().iter().map(|family| (key(family), family.kind)).collect();
    let amount = |kind| Amount { count: 2, value: value(kind, units, time_ns) };
    let mut delta = lines("a", 1, from..from + 1, "x");
    delta.families = families();
    delta.increments =
        Increments::pack(keys.iter().map(|(key, kind)| (key.as_bytes(), amount(*kind))));
    apply(store, delta).await;
}

pub(crate) async fn every_kind_is_merged_by_its_rule(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let steps = [(1_500_000_000_000, 10), (-25, 30), (7, 20)];
    for (n, (units, time_ns)) in steps.into_iter().enumerate() {
        count(&store, n as u64, units, time_ns).await;
        place.advance(3).await;
        if n == 1 {
            store.fold(P).await.expect("folds");
        }
    }
    check(&store).await;
    store.fold(P).await.expect("folds");
    check(&store).await;
}

async fn check(store: &SharedStore) {
    let Changes::Linked { entries, .. } = changes(store, Mark::default()).await else {
        panic!("the journal is whole");
    };
    let times: Vec<u64> = entries.iter().map(|entry| entry.time_ms).collect();
    let mut wanted = HashMap::new();
    for family in families() {
        let units = match family.kind {
            Kind::Min | Kind::Last => -25,
            Kind::Max => 1_500_000_000_000,
            _ => 1_500_000_000_000 - 25 + 7,
        };
        let amount = Amount { count: 6, value: value(family.kind, units, 30) };
        let created_ms = if family.kind.has_created() { times[0] } else { 0 };
        let touched_ms = if family.ttl_s > 0 { times[2] } else { 0 };
        wanted.insert(key(&family), Count { amount, created_ms, touched_ms });
    }
    assert_eq!(load(store).await.counts.to_map(), wanted);
}

pub(crate) async fn a_sum_that_leaves_its_range_stops_nobody(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    for n in 0..3 {
        count(&store, n, Decimal::MAX.units() / 2 + 1, 0).await;
        store.fold(P).await.expect("folds");
    }
    let counts = load(&store).await.counts.to_map();
    let sums = families().into_iter().filter(|f| value(f.kind, 0, 0) == Value::Sum(Decimal::ZERO));
    for family in sums {
        let amount = counts[&key(&family)].amount;
        assert_eq!(amount, Amount { count: 6, value: Value::Sum(Decimal::MAX) });
    }
}
