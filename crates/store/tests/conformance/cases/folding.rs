//! Folding: merging into counts changes no total, whoever does it, however often.

use logtally_core::journal::Mark;
use logtally_core::limits::{FOLD_PAIRS_MAX, JOURNAL_READ_MAX};
use logtally_core::series::{Amount, SeriesKey};
use logtally_store::{Changes, Count, Folded, SharedStore, TRIM_GRACE_MS};

use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::words::{
    P, Sums, Watch, apply, changes, counter, delta, expected, gauge, install, is_broken, lines,
    load, state, store_with, stored, sums, sums_of,
};

async fn fold(store: &SharedStore) -> Folded {
    store.fold(P).await.expect("folds")
}

pub(crate) async fn folding_twice_changes_nothing(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert_eq!(fold(&store).await, Folded::default(), "an empty journal");
    for i in 0..3 {
        apply(&store, lines("a", 1, i * 10..i * 10 + 10, &format!("h{}", i % 2))).await;
    }
    let before = load(&store).await;
    let folded = fold(&store).await;
    assert_eq!((folded.entries, folded.waiting, folded.lag_ms), (3, 0, 0));
    assert_eq!(folded.journal, 3, "what is folded stays for the grace time");
    assert_eq!(fold(&store).await.entries, 0);
    let after = load(&store).await;
    assert_eq!(after.at, before.at);
    assert_eq!(after.counts.to_map(), before.counts.to_map());
    assert!(!is_broken(&store, Mark::default()).await, "within the grace time");
}

pub(crate) async fn many_entries_and_series_fold(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let mut wanted = Sums::new();
    let rounds = 2 * JOURNAL_READ_MAX as u64 + 3;
    for i in 0..rounds {
        let wide = if i == 1 { 2 * FOLD_PAIRS_MAX + 1 } else { 3 };
        let pairs: Vec<(SeriesKey, u64)> =
            (0..wide).map(|k| (gauge(&format!("host-{k}")), i + 1)).collect();
        for (key, n) in &pairs {
            *wanted.entry(key.clone()).or_default() += n;
        }
        apply(&store, delta("a", 1, i..i + 1, &pairs)).await;
    }
    assert_eq!(sums(&store).await, wanted);
    // All of it is old by now: a fold in several steps must not trim what waits for the next one.
    place.advance(TRIM_GRACE_MS + 1).await;
    let folded = fold(&store).await;
    assert_eq!((folded.entries, folded.waiting), (rounds, 0));
    assert_eq!(sums(&store).await, wanted);
    apply(&store, lines("a", 1, rounds..rounds + 5, "host-0")).await;
    *wanted.get_mut(&gauge("host-0")).expect("counted") += 5;
    assert_eq!(sums(&store).await, wanted);
}

pub(crate) async fn trimmed_entries_break_old_places(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let first = apply(&store, lines("a", 1, 0..10, "x")).await;
    apply(&store, lines("a", 1, 10..20, "x")).await;
    let third = apply(&store, lines("a", 1, 20..30, "x")).await;
    fold(&store).await;
    assert!(!is_broken(&store, first).await, "within the grace time");
    place.advance(TRIM_GRACE_MS + 1).await;
    let last = apply(&store, lines("a", 1, 30..40, "x")).await;
    fold(&store).await;
    let folded = fold(&store).await;
    assert!((1..=2).contains(&folded.journal), "old entries are trimmed: {folded:?}");
    assert!(is_broken(&store, Mark::default()).await);
    assert!(is_broken(&store, first).await);
    for known in [third, last] {
        assert!(!is_broken(&store, known).await, "{known:?}");
    }
    assert_eq!(sums(&store).await, expected([(gauge("x"), 40)]));
}

pub(crate) async fn what_is_not_folded_is_not_trimmed(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    apply(&store, lines("a", 1, 10..20, "x")).await;
    place.advance(TRIM_GRACE_MS + 1).await;
    assert!(!is_broken(&store, Mark::default()).await);
    assert_eq!(sums(&store).await, expected([(gauge("x"), 20)]));
    assert_eq!(fold(&store).await.entries, 2);
    assert_eq!(sums(&store).await, expected([(gauge("x"), 20)]));
}

pub(crate) async fn creation_times_stay(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let pairs = |key: &str| [(counter(key), 1), (gauge(key), 1)];
    apply(&store, delta("a", 1, 0..1, &pairs("x"))).await;
    place.advance(5).await;
    apply(&store, delta("a", 1, 1..2, &pairs("x"))).await;
    place.advance(5).await;
    apply(&store, delta("a", 1, 2..3, &pairs("y"))).await;
    let Changes::Linked { entries, .. } = changes(&store, Mark::default()).await else {
        panic!("the journal is whole");
    };
    let times: Vec<u64> = entries.iter().map(|e| e.time_ms).collect();
    assert!(times[1] >= times[0] + 5 && times[2] >= times[1] + 5, "{times:?}");
    let check = async |x: u64, y: u64| {
        let counts = load(&store).await.counts.to_map();
        let is = |n, created_ms| Count { amount: Amount::records(n), created_ms, touched_ms: 0 };
        assert_eq!(counts[&counter("x")], is(x, times[0]));
        assert_eq!(counts[&gauge("x")], is(x, 0));
        assert_eq!(counts[&counter("y")], is(y, times[2]));
        assert_eq!(counts[&gauge("y")], is(y, 0));
    };
    check(2, 1).await;
    fold(&store).await;
    check(2, 1).await;
    place.advance(5).await;
    apply(&store, delta("a", 1, 3..4, &[pairs("x"), pairs("y")].concat())).await;
    check(3, 2).await;
    fold(&store).await;
    check(3, 2).await;
}

pub(crate) async fn folding_after_a_rollback_adds_up(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    drop(store);
    for kept_is_folded in [false, true] {
        if kept_is_folded {
            fold(&place.store()).await;
        }
        place.save().await;
        let store = place.store();
        let from = stored(&store, "a").await.expect("registered").position;
        apply(&store, lines("a", 1, from..from + 7, "lost")).await;
        fold(&store).await;
        apply(&store, lines("a", 1, from + 7..from + 9, "lost")).await;
        drop(store);
        place.roll_back().await;
        let store = place.store();
        apply(&store, lines("a", 1, from..from + 9, "x")).await;
        fold(&store).await;
        assert_eq!(sums(&store).await, expected([(gauge("x"), from + 9)]));
    }
}

pub(crate) async fn folders_and_committers_at_once_add_up(place: impl Backend) {
    const COMMITTERS: u64 = 3;
    const COMMITS: u64 = 40;
    let store = store_with(&place, &[]).await;
    for c in 0..COMMITTERS {
        install(&store, &format!("s{c}"), state(1, 0)).await;
    }
    let mut tasks = JoinSet::new();
    let watches: Vec<Watch> = (0..COMMITTERS).map(|_| Watch::default()).collect();
    for (c, watch) in watches.iter().enumerate() {
        let (store, under_way) = (store.clone(), watch.begin());
        tasks.spawn(async move {
            let _under_way = under_way;
            for i in 0..COMMITS {
                let pairs = [(gauge("all"), 1), (counter(&format!("h{}", i % 5)), i + 1)];
                apply(&store, delta(&format!("s{c}"), 1, i..i + 1, &pairs)).await;
            }
        });
    }
    for _ in 0..4 {
        let (store, watches) = (store.clone(), watches.clone());
        tasks.spawn(async move {
            while !watches.iter().all(Watch::is_over) {
                fold_whoever_is_first(&store).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    let mut wanted = expected([(gauge("all"), COMMITTERS * COMMITS)]);
    for i in 0..COMMITS {
        *wanted.entry(counter(&format!("h{}", i % 5))).or_default() += COMMITTERS * (i + 1);
    }
    assert_eq!(sums(&store).await, wanted);
    fold(&store).await;
    let snapshot = load(&store).await;
    assert_eq!(sums_of(&snapshot), wanted);
    assert_eq!(snapshot.at.seq, COMMITTERS * COMMITS);
}

/// A fold among others may find that another came between; it must not fail otherwise.
async fn fold_whoever_is_first(store: &SharedStore) {
    if let Err(e) = store.fold(P).await {
        assert!(e.is_transient(), "{e}");
    }
}
