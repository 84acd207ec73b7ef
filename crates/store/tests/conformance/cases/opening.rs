//! Opening a generation of a source is a compare-and-set on its whole stored state.

use logtally_core::admission::Admission::{Apply, Stale};
use logtally_core::source::{Generation, RecordCounts, SourceState, Tail};
use logtally_store::{Opened, Opening, SharedStore};

use crate::backend::Backend;
use crate::words::{
    P, apply, commit, expected, gauge, install, lines, load, source, state, store_with, stored,
    sums,
};

async fn open(
    store: &SharedStore,
    name: &str,
    expected: Option<SourceState>,
    fresh: SourceState,
) -> Opened {
    let opening = Opening { source: source(name), expected, fresh };
    store.open(P, &opening).await.expect("the store answers")
}

pub(crate) async fn only_the_whole_state_opens(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    let found = state(1, 10);
    let seen_with = |change: fn(&mut SourceState)| {
        let mut seen = found;
        change(&mut seen);
        Some(seen)
    };
    let table = [
        ("nothing stored, nothing seen", None, None, true),
        ("nothing stored, something seen", None, Some(found), false),
        ("stored, nothing seen", Some(found), None, false),
        ("the same", Some(found), Some(found), true),
        ("another generation", Some(found), seen_with(|s| s.generation = Generation(2)), false),
        ("a lower position", Some(found), seen_with(|s| s.position = 9), false),
        ("a higher position", Some(found), seen_with(|s| s.position = 11), false),
        ("another tail", Some(found), seen_with(|s| s.tail = Tail(3)), false),
        ("another note", Some(found), seen_with(|s| s.note = Some(0)), true),
        ("other records", Some(found), seen_with(|s| s.records.counted = 9), true),
    ];
    for (i, (case, stored_before, seen, installs)) in table.into_iter().enumerate() {
        let name = format!("s{i}");
        if let Some(before) = stored_before {
            install(&store, &name, before).await;
        }
        let fresh = state(77, 0);
        let after = if installs { Some(fresh) } else { stored_before };
        let opened = open(&store, &name, seen, fresh).await;
        assert_eq!(opened, Opened { installed: installs, stored: after }, "{case}");
        assert_eq!(stored(&store, &name).await, after, "{case}");
    }
}

pub(crate) async fn many_open_at_once_each_for_itself(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let seen = stored(&store, "a").await;
    let openings: Vec<Opening> = ["a", "b", "b", "c"]
        .into_iter()
        .zip([seen, None, None, Some(state(9, 9))])
        .zip(2..)
        .map(|((name, expected), generation)| Opening {
            source: source(name),
            expected,
            fresh: state(generation, 0),
        })
        .collect();
    let opened = store.open_all(P, &openings).await.expect("the store answers");
    let installed: Vec<bool> = opened.iter().map(|opened| opened.installed).collect();
    assert_eq!(installed, [true, true, false, false], "one refusal refuses no other");
    assert_eq!(opened[2].stored, Some(state(3, 0)), "the first one of a source wins");
    for (name, expected) in [("a", Some(state(2, 0))), ("b", Some(state(3, 0))), ("c", None)] {
        assert_eq!(stored(&store, name).await, expected, "{name}");
    }
}

pub(crate) async fn of_many_openers_one_wins(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    let openers = (1..=8).map(|generation| {
        let store = store.clone();
        tokio::spawn(async move { open(&store, "a", None, state(generation, 0)).await })
    });
    let mut answers = Vec::new();
    for opener in openers.collect::<Vec<_>>() {
        answers.push(opener.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|a| a.installed).count(), 1);
    let winner = stored(&store, "a").await;
    assert!(winner.is_some() && answers.iter().all(|a| a.stored == winner), "{answers:?}");
}

pub(crate) async fn an_opening_counts_nothing(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let mark = apply(&store, lines("a", 1, 0..10, "x")).await;
    let seen = stored(&store, "a").await;
    assert!(open(&store, "a", seen, state(2, 0)).await.installed);
    let fresh = stored(&store, "a").await.expect("registered");
    assert_eq!((fresh.position, fresh.records), (0, RecordCounts::default()));
    let snapshot = load(&store).await;
    assert_eq!(snapshot.at, mark, "an opening is no journal entry");
    // What the old generation still had under way does not touch the new one.
    let late = commit(&store, [lines("a", 1, 10..20, "x")]).await;
    assert_eq!(late.verdicts[0].admission, Stale);
    let again = commit(&store, [lines("a", 2, 0..5, "x")]).await;
    assert_eq!(again.verdicts[0].admission, Apply);
    assert_eq!(sums(&store).await, expected([(gauge("x"), 15)]));
}

pub(crate) async fn a_delayed_opening_after_a_rollback_is_refused(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    drop(store);
    place.save().await;
    let store = place.store();
    apply(&store, lines("a", 1, 10..20, "x")).await;
    let seen = stored(&store, "a").await;
    drop(store);
    place.roll_back().await;
    let store = place.store();
    let delayed = open(&store, "a", seen, state(2, 0)).await;
    assert!(!delayed.installed);
    assert_eq!(delayed.stored.map(|s| s.position), Some(10));
    // The store's own answer leads on.
    assert!(open(&store, "a", delayed.stored, state(2, 0)).await.installed);
}
