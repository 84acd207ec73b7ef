//! Forgetting series and sources on purpose, and letting the journal tell the time.

use std::collections::BTreeMap;

use logtally_core::admission::Admission;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::series::SeriesKey;
use logtally_core::source::{RecordCounts, SourceEnd, SourceId, SourceState, Tail};
use logtally_store::{Changes, Opening, SOURCES_PAGE, SharedStore, SourcesPage, TRIM_GRACE_MS};

use crate::backend::Backend;
use crate::words::{
    P, apply, changes, commit, counter, delta, expected, gauge, install, lines, load, source,
    state, store_with, stored, sums,
};

async fn forget(store: &SharedStore, keys: &[SeriesKey]) -> Option<Mark> {
    store.forget(P, keys, Nonce(rand::random())).await.expect("the store answers")
}

pub(crate) async fn a_forgotten_series_begins_anew(place: impl Backend) {
    for folds in 0..8 {
        let store = store_with(&place, &[]).await;
        let name = format!("s{folds}");
        install(&store, &name, state(1, 0)).await;
        let (kept, gone) = (gauge(&format!("kept{folds}")), counter(&format!("gone{folds}")));
        let pairs = [(kept.clone(), 1), (gone.clone(), 5)];
        let fold_if = async |bit: u32| {
            if folds >> bit & 1 == 1 {
                store.fold(P).await.expect("folds");
            }
        };
        apply(&store, delta(&name, 1, 0..1, &pairs)).await;
        fold_if(0).await;
        place.advance(5).await;
        let mark = forget(&store, std::slice::from_ref(&gone)).await.expect("an entry");
        let snapshot = load(&store).await;
        assert_eq!(snapshot.at, mark);
        let counts = snapshot.counts.to_map();
        assert!(counts.contains_key(&kept) && !counts.contains_key(&gone));
        fold_if(1).await;
        place.advance(5).await;
        apply(&store, delta(&name, 1, 1..2, &pairs)).await;
        let before = load(&store).await;
        fold_if(2).await;
        let after = load(&store).await;
        let counts = after.counts.to_map();
        assert_eq!(before.counts.to_map(), counts);
        let row = counts[&gone];
        assert_eq!((row.amount.count, counts[&kept].amount.count), (5, 2));
        assert_eq!(row.created_ms, after.time_ms, "created again");
        store.fold(P).await.expect("folds");
        assert_eq!(load(&store).await.counts.to_map(), counts);
    }
}

pub(crate) async fn forgetting_is_told_to_followers(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert_eq!(forget(&store, &[]).await, None);
    let before = apply(&store, delta("a", 1, 0..1, &[(gauge("x"), 1), (gauge("y"), 1)])).await;
    let mark = forget(&store, &[gauge("x"), gauge("never there")]).await;
    let Changes::Linked { entries, .. } = changes(&store, before).await else {
        panic!("the journal is whole");
    };
    assert_eq!(entries.last().map(|entry| entry.mark), mark);
    let told: Vec<_> = entries[0].increments.iter().map(|(key, n)| (key, n.count)).collect();
    assert_eq!(told, [(gauge("x").as_bytes(), 0), (gauge("never there").as_bytes(), 0)]);
    assert_eq!(sums(&store).await, expected([(gauge("y"), 1)]));
    assert_eq!(stored(&store, "a").await.map(|s| s.position), Some(1), "positions stay");
}

pub(crate) async fn a_rollback_brings_a_forgotten_series_back(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..3, "x")).await;
    store.fold(P).await.expect("folds");
    drop(store);
    place.save().await;
    let store = place.store();
    forget(&store, &[gauge("x")]).await;
    store.fold(P).await.expect("folds");
    assert_eq!(sums(&store).await, expected([]));
    drop(store);
    place.roll_back().await;
    let store = place.store();
    assert_eq!(sums(&store).await, expected([(gauge("x"), 3)]));
    apply(&store, lines("a", 1, 3..4, "x")).await;
    store.fold(P).await.expect("folds");
    assert_eq!(sums(&store).await, expected([(gauge("x"), 4)]));
}

pub(crate) async fn a_source_is_forgotten_if_it_is_still_as_it_was(place: impl Backend) {
    let store = store_with(&place, &["a", "b"]).await;
    apply(&store, lines("a", 1, 0..5, "x")).await;
    let known = stored(&store, "a").await.expect("registered");
    let forget = async |expected: SourceState| {
        store.forget_source(P, &source("a"), &expected).await.expect("the store answers")
    };
    let records = RecordCounts { counted: 9, ..known.records };
    for other in [
        state(2, 5),
        SourceState { records, ..known },
        SourceState { note: Some(0), ..known },
        SourceState { end: Some(SourceEnd { position: 9, tail: Tail(9) }), ..known },
    ] {
        assert!(!forget(other).await, "{other:?}");
    }
    assert_eq!(stored(&store, "a").await, Some(known));
    let ahead = state(1, 99);
    assert!(store.report_acknowledged(P, &source("a"), &ahead).await.expect("answers"));
    assert!(forget(known).await);
    assert!(!forget(known).await, "only once");
    assert_eq!(stored(&store, "a").await, None);
    let snapshot = load(&store).await;
    assert_eq!(snapshot.recovering.sources, 0, "nobody waits for it");
    assert_eq!(sums(&store).await, expected([(gauge("x"), 5)]), "what was counted stays");
    let late = commit(&store, [lines("a", 1, 5..6, "x")]).await;
    assert_eq!(late.verdicts[0].admission, Admission::Unknown);
    apply(&store, lines("b", 1, 0..1, "x")).await;
    install(&store, "a", state(7, 0)).await;
}

pub(crate) async fn all_sources_are_listed(place: impl Backend) {
    let names: Vec<String> = (0..300).map(|n| format!("s{n:03}")).collect();
    let store = store_with(&place, &[]).await;
    assert_eq!(store.sources(P).await.expect("answers"), []);
    for name in &names {
        install(&store, name, state(1, 0)).await;
    }
    let listed = store.sources(P).await.expect("answers");
    let wanted: Vec<_> = names.iter().map(|name| (source(name), state(1, 0))).collect();
    assert_eq!(listed, wanted);
}

/// Everything that the pages of a partition tell, and how many pages there were. `between` runs after
/// each of them.
async fn paged(
    store: &SharedStore,
    mut between: impl AsyncFnMut(&SourcesPage),
) -> (BTreeMap<SourceId, SourceState>, usize) {
    let (mut sources, mut pages, mut from) = (BTreeMap::new(), 0, None);
    loop {
        let page = store.sources_page(P, from.as_ref()).await.expect("answers");
        assert!(page.sources.len() <= 2 * SOURCES_PAGE, "bounded: {}", page.sources.len());
        between(&page).await;
        sources.extend(page.sources);
        pages += 1;
        from = page.next;
        if from.is_none() {
            return (sources, pages);
        }
    }
}

pub(crate) async fn sources_are_read_in_pages(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    assert_eq!(store.sources_page(P, None).await.expect("answers"), SourcesPage::default());
    let names = (0..2 * SOURCES_PAGE + 500).map(|n| format!("s/{n}"));
    let wanted: BTreeMap<_, _> = names.map(|name| (source(&name), state(1, 0))).collect();
    let opening = |(source, fresh): (&SourceId, &SourceState)| Opening {
        source: source.clone(),
        expected: None,
        fresh: *fresh,
    };
    let openings: Vec<Opening> = wanted.iter().map(opening).collect();
    for some in openings.chunks(500) {
        store.open_all(P, some).await.expect("answers");
    }
    let (sources, pages) = paged(&store, async |_| {}).await;
    assert_eq!(sources, wanted);
    assert!(pages > 1, "one page has all of them");
    // Somebody who forgets what he has read misses nothing of the rest.
    let mut removed = 0;
    let (sources, _) = paged(&store, async |page| {
        let mut some = page.sources[..page.sources.len() / 2].to_vec();
        some.extend(page.sources.last().map(|(source, _)| (source.clone(), state(9, 9))));
        removed += store.forget_sources(P, &some).await.expect("answers");
    })
    .await;
    assert_eq!(sources, wanted);
    let left = store.sources(P).await.expect("answers");
    assert_eq!(left.len() as u64, wanted.len() as u64 - removed);
    assert!(removed > SOURCES_PAGE as u64, "{removed}");
}

pub(crate) async fn the_end_of_a_source_stays(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    let end = Some(SourceEnd { position: 20, tail: Tail(8) });
    install(&store, "a", SourceState { end, ..state(1, 0) }).await;
    let mut first = lines("a", 1, 0..10, "x");
    first.note = Some(3);
    first.records = RecordCounts { counted: 5, filtered: 4, rejected: 1 };
    apply(&store, first.clone()).await;
    let mut second = lines("a", 1, 10..20, "x");
    second.records = first.records;
    apply(&store, second).await;
    let records = RecordCounts { counted: 10, filtered: 8, rejected: 2 };
    assert_eq!(stored(&store, "a").await, Some(SourceState { end, records, ..state(1, 20) }));
}

pub(crate) async fn an_empty_entry_tells_the_time(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    assert_eq!(load(&store).await.time_ms, 0);
    let first = apply(&store, lines("a", 1, 0..10, "x")).await;
    place.advance(20).await;
    let tick = store.tick(P, Nonce(77)).await.expect("answers");
    assert_eq!(tick, Mark { seq: first.seq + 1, nonce: Nonce(77) });
    let Changes::Linked { entries, .. } = changes(&store, Mark::default()).await else {
        panic!("the journal is whole");
    };
    assert!(entries[1].increments.is_empty());
    assert!(entries[1].time_ms >= entries[0].time_ms + 20);
    // Whatever is folded or trimmed, a load knows the time of the entry that it stands at.
    let time_ms = entries[1].time_ms;
    assert_eq!(load(&store).await.time_ms, time_ms);
    for _ in 0..3 {
        store.fold(P).await.expect("folds");
        assert_eq!(load(&store).await.time_ms, time_ms);
        place.advance(TRIM_GRACE_MS + 1).await;
    }
    let clock = store.clock(P).await.expect("answers");
    assert_eq!(clock.time_ms, time_ms);
    assert!(clock.now_ms >= time_ms);
    assert_eq!(sums(&store).await, expected([(gauge("x"), 10)]));
}
