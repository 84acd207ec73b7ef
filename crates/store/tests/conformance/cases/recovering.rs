//! Marks of sources that are behind what was acknowledged to their readers.

use logtally_core::journal::Mark;
use logtally_core::recovery::is_behind;
use logtally_core::source::SourceState;
use logtally_store::{Changes, Opening, Recovering, SharedStore};

use crate::backend::Backend;
use crate::words::{P, apply, changes, commit, install, lines, load, source, state, store_with};

async fn report(store: &SharedStore, name: &str, acknowledged: SourceState) -> bool {
    let reported = store.report_acknowledged(P, &source(name), &acknowledged).await;
    reported.expect("the store answers")
}

/// What a load says, after checking that changes say the same.
async fn recovering(store: &SharedStore) -> Recovering {
    let loaded = load(store).await;
    let Changes::Linked { recovering, .. } = changes(store, loaded.at).await else {
        panic!("nothing happens meanwhile");
    };
    assert_eq!(recovering.sources, loaded.recovering.sources);
    assert_eq!(recovering.latest_ms, loaded.recovering.latest_ms);
    assert!(recovering.now_ms >= loaded.recovering.now_ms);
    recovering
}

pub(crate) async fn a_report_is_kept_until_it_is_reached(place: impl Backend) {
    let store = store_with(&place, &["a", "b"]).await;
    assert_eq!(recovering(&store).await.sources, 0);
    assert!(report(&store, "a", state(1, 20)).await);
    let first = recovering(&store).await;
    assert_eq!(first.sources, 1);
    assert!(first.latest_ms > 0 && first.latest_ms <= first.now_ms);

    place.advance(5).await;
    assert!(report(&store, "b", state(1, 10)).await);
    let both = recovering(&store).await;
    assert_eq!(both.sources, 2);
    assert!(both.latest_ms >= first.latest_ms + 5, "the latest report counts");

    apply(&store, lines("a", 1, 0..19, "x")).await;
    assert_eq!(recovering(&store).await.sources, 2, "one short of it");
    commit(&store, [lines("a", 1, 0..20, "x")]).await;
    assert_eq!(recovering(&store).await.sources, 2, "a refused commit reaches nothing");
    apply(&store, lines("a", 1, 19..20, "x")).await;
    assert_eq!(recovering(&store).await.sources, 1, "reached exactly");
    apply(&store, lines("b", 1, 0..30, "x")).await;
    let none = recovering(&store).await;
    assert_eq!((none.sources, none.latest_ms), (0, 0), "passed");
}

pub(crate) async fn a_report_that_the_store_has_reached_is_not_kept(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    for (case, acknowledged) in [
        ("equal", state(1, 10)),
        ("behind the store", state(1, 5)),
        ("another generation", state(2, 50)),
    ] {
        assert!(!report(&store, "a", acknowledged).await, "{case}");
    }
    assert_eq!(recovering(&store).await.sources, 0);
}

/// Every store decides as [`is_behind`] does, whatever is stored and whatever was acknowledged.
pub(crate) async fn every_report_is_decided_as_by_the_rule(place: impl Backend) {
    let names: Vec<String> = (0..4 * 5).map(|n| format!("s{n}")).collect();
    let mut names = names.iter();
    let store = store_with(&place, &[]).await;
    for stored in [None, Some(state(1, 0)), Some(state(1, 9)), Some(state(2, 0))] {
        for acknowledged in [state(1, 0), state(1, 8), state(1, 9), state(1, 10), state(2, 100)] {
            let name = names.next().expect("one for each case");
            if let Some(stored) = stored {
                install(&store, name, stored).await;
            }
            let before = recovering(&store).await.sources;
            let expected = is_behind(stored.as_ref(), &acknowledged);
            let reported = report(&store, name, acknowledged).await;
            assert_eq!(reported, expected, "{stored:?} beside {acknowledged:?}");
            let kept = recovering(&store).await.sources - before;
            assert_eq!(kept, u64::from(expected), "{stored:?} beside {acknowledged:?}");
        }
    }
}

/// A file that is empty may stay so for ever: if a mark waited for it, every page would be withheld
/// although nothing is missing.
pub(crate) async fn a_lost_opening_has_nothing_to_reach(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    assert!(!report(&store, "a", state(1, 0)).await, "nothing was counted");
    install(&store, "a", state(7, 0)).await;
    assert_eq!(recovering(&store).await.sources, 0, "nothing to wait for");
    assert!(report(&store, "b", state(1, 1)).await, "a record was counted, and is gone");
    install(&store, "b", state(7, 0)).await;
    assert_eq!(recovering(&store).await.sources, 1, "absent is not zero");
    apply(&store, lines("b", 7, 0..1, "x")).await;
    assert_eq!(recovering(&store).await.sources, 0);
}

pub(crate) async fn an_older_report_lowers_nothing(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert!(report(&store, "a", state(1, 20)).await);
    assert!(report(&store, "a", state(1, 10)).await);
    assert_eq!(recovering(&store).await.sources, 1);
    apply(&store, lines("a", 1, 0..10, "x")).await;
    assert_eq!(recovering(&store).await.sources, 1, "the higher report stands");
    apply(&store, lines("a", 1, 10..20, "x")).await;
    assert_eq!(recovering(&store).await.sources, 0);
}

pub(crate) async fn an_unknown_source_recovers_with_its_opening(place: impl Backend) {
    let store = store_with(&place, &["b"]).await;
    assert!(report(&store, "a", state(1, 20)).await);
    assert!(report(&store, "b", state(1, 20)).await);
    assert_eq!(recovering(&store).await.sources, 2);
    for (name, expected) in [("a", Some(state(9, 9))), ("b", None)] {
        let refused = Opening { source: source(name), expected, fresh: state(7, 0) };
        assert!(!store.open(P, &refused).await.expect("the store answers").installed);
    }
    assert_eq!(recovering(&store).await.sources, 2, "a refused opening heals nothing");
    for (name, expected) in [("a", None), ("b", Some(state(1, 0)))] {
        let opening = Opening { source: source(name), expected, fresh: state(7, 0) };
        assert!(store.open(P, &opening).await.expect("the store answers").installed);
    }
    assert_eq!(recovering(&store).await.sources, 1, "a replaced content has nothing to reach");
    assert_eq!(load(&store).await.at, Mark::default(), "marks are no journal entries");
    apply(&store, lines("a", 7, 0..19, "x")).await;
    assert_eq!(recovering(&store).await.sources, 1, "a forgotten one has to come as far again");
    apply(&store, lines("a", 7, 19..20, "x")).await;
    assert_eq!(recovering(&store).await.sources, 0);
}
