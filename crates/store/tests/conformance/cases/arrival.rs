//! Values without a time: they take their place by the journal, however it is folded and read.

use logtally_core::decimal::Decimal;
use logtally_core::delta::Delta;
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::series::{Amount, Family, Increments, Kind, Latest, SeriesKey, Value};
use logtally_store::{Changes, Count, SharedStore};

use crate::backend::Backend;
use crate::words::{P, apply, changes, commit, install, lines, load, state, store_with};

fn family() -> Family {
    Family::new("pushed", Kind::Last, "", &["job"])
}

fn key(job: &str) -> SeriesKey {
    SeriesKey::new(family().id(), [job])
}

/// A delta of one value of `job` that came without a time.
fn arrived(name: &str, from: u64, job: &str, tie: u64, value: i128) -> Delta {
    let latest = Latest::arrived(tie, Decimal::from_units(value));
    let amount = Amount { count: 1, value: Value::Last(latest) };
    let mut delta = lines(name, 1, from..from + 1, "x");
    delta.families = vec![family()];
    delta.increments = Increments::pack([(key(job).as_bytes(), amount)]);
    delta
}

/// How many values a series has got, and the one that is shown.
fn shown(count: Count) -> (u64, i128) {
    let Value::Last(latest) = count.amount.value else { panic!("{count:?} has no latest value") };
    assert!(latest.time_ns < Latest::ARRIVAL_NS, "what is stored has its place: {count:?}");
    (count.amount.count, latest.value.units())
}

async fn loaded(store: &SharedStore, job: &str) -> Option<(u64, i128)> {
    load(store).await.counts.to_map().get(&key(job)).copied().map(shown)
}

async fn entries(store: &SharedStore, since: Mark) -> Vec<Entry> {
    let Changes::Linked { entries, .. } = changes(store, since).await else {
        panic!("the journal is whole");
    };
    entries
}

/// What a reader has of a series that takes in entries one by one.
fn followed(entries: &[Entry], job: &str) -> Option<Amount> {
    let key = key(job);
    let of_series = entries.iter().flat_map(Entry::amounts).filter(|(k, _)| *k == key.as_bytes());
    of_series.fold(None, |known: Option<Amount>, (_, amount)| match (known, amount.count) {
        (_, 0) => None,
        (Some(known), _) => Some(known.merge(amount).expect("of one kind")),
        (None, _) => Some(amount),
    })
}

pub(crate) async fn the_later_entry_wins_whatever_the_tie(place: impl Backend) {
    // Every way to fold between and after three entries: bit by bit of a number.
    for folds in 0..8_u32 {
        let store = store_with(&place, &[]).await;
        let (name, job) = (format!("s{folds}"), format!("j{folds}"));
        install(&store, &name, state(1, 0)).await;
        for (n, (tie, value)) in [(9, 500), (4, -300), (7, 20)].into_iter().enumerate() {
            apply(&store, arrived(&name, n as u64, &job, tie, value)).await;
            assert_eq!(loaded(&store, &job).await, Some((n as u64 + 1, value)), "{folds:b}");
            if folds >> n & 1 == 1 {
                store.fold(P).await.expect("folds");
            }
            assert_eq!(loaded(&store, &job).await, Some((n as u64 + 1, value)), "{folds:b}");
            // With and without a new millisecond between two entries.
            place.advance(u64::from(folds >> n & 1)).await;
        }
        let told = followed(&entries(&store, Mark::default()).await, &job);
        assert_eq!(load(&store).await.counts.to_map().get(&key(&job)).map(|c| c.amount), told);
        store.fold(P).await.expect("folds");
        assert_eq!(load(&store).await.counts.to_map().get(&key(&job)).map(|c| c.amount), told);
    }
}

pub(crate) async fn within_one_entry_the_higher_tie_wins(place: impl Backend) {
    let store = store_with(&place, &["a", "b", "c"]).await;
    let deltas = [("a", 5, 100), ("b", 8, -100), ("c", 2, 300)];
    let deltas = deltas.map(|(name, tie, value)| arrived(name, 0, "j", tie, value));
    assert!(commit(&store, deltas).await.applied.is_some());
    assert_eq!(loaded(&store, "j").await, Some((3, -100)));
    store.fold(P).await.expect("folds");
    assert_eq!(loaded(&store, "j").await, Some((3, -100)));
    // The tie decides among those of one entry only.
    apply(&store, arrived("c", 1, "j", 0, -999)).await;
    assert_eq!(loaded(&store, "j").await, Some((4, -999)));
    store.fold(P).await.expect("folds");
    assert_eq!(loaded(&store, "j").await, Some((4, -999)));
}

pub(crate) async fn a_forgotten_series_arrives_anew(place: impl Backend) {
    for folds in 0..4_u32 {
        let store = store_with(&place, &[]).await;
        let (name, job) = (format!("s{folds}"), format!("j{folds}"));
        install(&store, &name, state(1, 0)).await;
        let before = load(&store).await.at;
        apply(&store, arrived(&name, 0, &job, 50, 7)).await;
        if folds & 1 == 1 {
            store.fold(P).await.expect("folds");
        }
        store.forget(P, &[key(&job)], Nonce(rand::random())).await.expect("answers");
        assert_eq!(loaded(&store, &job).await, None);
        if folds & 2 == 2 {
            store.fold(P).await.expect("folds");
        }
        apply(&store, arrived(&name, 1, &job, 3, -7)).await;
        assert_eq!(loaded(&store, &job).await, Some((1, -7)));
        let told = followed(&entries(&store, before).await, &job);
        store.fold(P).await.expect("folds");
        assert_eq!(load(&store).await.counts.to_map().get(&key(&job)).map(|c| c.amount), told);
        assert_eq!(loaded(&store, &job).await, Some((1, -7)));
    }
}
