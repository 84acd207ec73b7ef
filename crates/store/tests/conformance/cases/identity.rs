//! Who a store is: created once and whole, refused when it does not fit or has lost a part.

use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_store::{Opening, SharedStore, StoreError};

use crate::backend::{Backend, Damage};
use crate::words::{P, apply, lines, load, source, state, store_with, stored};

/// What every function of a partition says, one after the other.
async fn errors(store: &SharedStore, at: Partition) -> Vec<(&'static str, Option<StoreError>)> {
    let (batch, _) = Batch::build([lines("a", 1, 0..10, "x")]);
    let opening = Opening { source: source("new"), expected: None, fresh: state(1, 0) };
    let acknowledged = state(1, 99);
    vec![
        ("commit", store.commit(at, &batch, Nonce(1)).await.err()),
        ("open", store.open(at, &opening).await.err()),
        ("report", store.report_acknowledged(at, &source("a"), &acknowledged).await.err()),
        ("fold", store.fold(at).await.err()),
        ("load", store.load(at).await.err()),
        ("changes", store.changes(at, Mark::default()).await.err()),
    ]
}

pub(crate) async fn nothing_works_before_creation(place: impl Backend) {
    let store = place.store();
    assert!(matches!(store.info().await, Err(StoreError::Missing)));
    for (call, error) in errors(&store, P).await {
        assert!(matches!(error, Some(StoreError::Missing)), "{call}: {error:?}");
    }
    assert!(matches!(store.info().await, Err(StoreError::Missing)), "nothing was created by it");
}

pub(crate) async fn creation_happens_once<B: Backend>(place: B) {
    let store = place.store();
    let created = store.create(None).await.expect("a fresh place");
    assert_eq!(created.partitions, B::PARTITIONS_DEFAULT);
    assert!(created.created_ms > 0);
    apply_one(&store).await;
    for wanted in [None, Some(created.partitions)] {
        let again = store.create(wanted).await.expect("the same store");
        assert_eq!(again, created);
    }
    assert_eq!(store.info().await.expect("created"), created);
    assert_eq!(load(&store).await.at.seq, 1, "nothing was wiped");
    for at in (0..created.partitions).map(Partition) {
        store.load(at).await.expect("every partition has a head");
    }
}

async fn apply_one(store: &SharedStore) {
    crate::words::install(store, "a", state(1, 0)).await;
    apply(store, lines("a", 1, 0..10, "x")).await;
}

pub(crate) async fn of_many_creators_one_wins(place: impl Backend) {
    let store = place.store();
    let creators = (0..6).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.create(Some(3)).await })
    });
    let mut infos = Vec::new();
    for creator in creators.collect::<Vec<_>>() {
        infos.push(creator.await.expect("no panic").expect("created or found"));
    }
    assert!(infos.iter().all(|info| *info == infos[0]), "{infos:?}");
    assert_eq!(infos[0].partitions, 3);
}

pub(crate) async fn another_number_of_partitions_is_refused(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    for wanted in [1, 3] {
        let Err(StoreError::Mismatch(text)) = store.create(Some(wanted)).await else {
            panic!("a store with 2 partitions was given as one with {wanted}");
        };
        assert!(text.contains('2') && text.contains(&wanted.to_string()), "{text}");
    }
    assert_eq!(store.info().await.expect("created").partitions, 2);
    assert_eq!(stored(&store, "a").await.map(|s| s.position), Some(10));
    for wanted in [0, 1025] {
        assert!(matches!(store.create(Some(wanted)).await, Err(StoreError::Mismatch(_))));
    }
    for (call, error) in errors(&store, Partition(2)).await {
        assert!(matches!(error, Some(StoreError::Mismatch(_))), "{call}: {error:?}");
    }
}

pub(crate) async fn a_damaged_store_is_refused_and_never_mended(place: impl Backend) {
    for (damage, damaged_partition) in [
        (Damage::Head(Partition(1)), Some(Partition(1))),
        (Damage::Head(Partition(0)), Some(Partition(0))),
        (Damage::Meta, None),
        (Damage::MetaAndHeads, Some(Partition(0))),
    ] {
        let place = place_with_counts(&place).await;
        place.damage(damage).await;
        let store = place.store();
        for _ in 0..2 {
            for wanted in [None, Some(2), Some(1)] {
                let created = store.create(wanted).await;
                assert!(
                    matches!(created, Err(StoreError::Damaged(_))),
                    "{damage:?}, {wanted:?}: {created:?}"
                );
            }
        }
        if !matches!(damage, Damage::Head(_)) {
            let info = store.info().await;
            assert!(matches!(info, Err(StoreError::Damaged(_))), "{damage:?}: {info:?}");
        }
        let Some(at) = damaged_partition else { continue };
        for (call, error) in errors(&store, at).await {
            assert!(matches!(error, Some(StoreError::Damaged(_))), "{damage:?}, {call}: {error:?}");
        }
    }
}

/// Another fresh place of the same kind, with two partitions that hold something.
async fn place_with_counts<B: Backend>(_kind: &B) -> B {
    let place = B::fresh().await;
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    let opening = Opening { source: source("a"), expected: None, fresh: state(1, 0) };
    store.open(Partition(1), &opening).await.expect("the store answers");
    place
}
