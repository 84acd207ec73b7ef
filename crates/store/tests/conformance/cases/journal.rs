//! The journal: linked entries, and places that are a number and a nonce.

use logtally_core::journal::{Mark, Nonce, follow};
use logtally_store::{Changes, StoreError};

use crate::backend::{Backend, Damage};
use crate::words::{
    P, apply, changes, expected, gauge, increments, is_broken, lines, load, store_with, sums,
};

pub(crate) async fn entries_link(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert_eq!(load(&store).await.at, Mark::default());
    let mut marks = vec![Mark::default()];
    for i in 0..5 {
        marks.push(apply(&store, lines("a", 1, i * 10..i * 10 + 10, "x")).await);
    }
    let numbers: Vec<u64> = marks.iter().map(|m| m.seq).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    for (i, since) in marks.iter().enumerate() {
        let Changes::Linked { entries, recovering } = changes(&store, *since).await else {
            panic!("{since:?} is in the journal");
        };
        assert_eq!(entries.iter().map(|e| e.mark).collect::<Vec<_>>(), marks[i + 1..]);
        assert_eq!(follow(*since, &entries), marks.last().copied());
        assert!(entries.iter().all(|e| e.increments == increments(&[(gauge("x"), 10)])));
        assert!(entries.is_sorted_by_key(|e| e.time_ms));
        assert!(entries.iter().all(|e| e.time_ms <= recovering.now_ms));
    }
}

pub(crate) async fn a_foreign_place_is_broken(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert!(is_broken(&store, Mark { seq: 0, nonce: Nonce(1) }).await, "nonce before the first");
    assert!(is_broken(&store, Mark { seq: 1, nonce: Nonce(1) }).await, "ahead of nothing");
    let first = apply(&store, lines("a", 1, 0..10, "x")).await;
    let last = apply(&store, lines("a", 1, 10..20, "x")).await;
    for (case, since) in [
        ("the last number, another nonce", Mark { nonce: Nonce(!last.nonce.0), ..last }),
        ("a number before, another nonce", Mark { nonce: Nonce(!first.nonce.0), ..first }),
        ("the nonce of another number", Mark { nonce: last.nonce, ..first }),
        ("ahead of the journal", Mark { seq: last.seq + 1, ..last }),
        ("far ahead of the journal", Mark { seq: u64::MAX / 2, ..last }),
    ] {
        assert!(is_broken(&store, since).await, "{case}");
    }
    store.fold(P).await.expect("folds");
    assert!(is_broken(&store, Mark { nonce: Nonce(!last.nonce.0), ..last }).await);
    assert!(!is_broken(&store, last).await);
}

pub(crate) async fn a_reused_number_is_broken(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let kept = apply(&store, lines("a", 1, 0..10, "x")).await;
    drop(store);
    place.save().await;
    let store = place.store();
    let lost = apply(&store, lines("a", 1, 10..20, "lost")).await;
    let lost_too = apply(&store, lines("a", 1, 20..30, "lost")).await;
    drop(store);
    place.roll_back().await;

    let store = place.store();
    assert!(is_broken(&store, lost).await, "the journal ends before it");
    let reused = apply(&store, lines("a", 1, 10..25, "x")).await;
    assert_eq!(reused.seq, lost.seq, "numbers are reused");
    assert!(is_broken(&store, lost).await, "the journal ends at its number");
    assert!(is_broken(&store, lost_too).await);
    apply(&store, lines("a", 1, 25..30, "x")).await;
    let end = apply(&store, lines("a", 1, 30..35, "x")).await;
    assert!(is_broken(&store, lost).await, "the journal goes on after it");
    assert!(is_broken(&store, lost_too).await);
    for place in [kept, reused, end] {
        assert!(!is_broken(&store, place).await, "{place:?}");
    }
    assert_eq!(sums(&store).await, expected([(gauge("x"), 35)]));
}

pub(crate) async fn a_lost_entry_is_seen(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    for i in 0..3 {
        apply(&store, lines("a", 1, i * 10..i * 10 + 10, "x")).await;
    }
    drop(store);
    place.damage(Damage::Entry(P, 2)).await;
    let store = place.store();
    assert!(is_broken(&store, Mark::default()).await);
    // A store that reads in several steps cannot tell damage from a fold that came between.
    let refused = |e: &StoreError| matches!(e, StoreError::Damaged(_) | StoreError::Moved(_));
    assert!(store.load(P).await.as_ref().is_err_and(refused));
    assert!(store.fold(P).await.as_ref().is_err_and(refused));
}
