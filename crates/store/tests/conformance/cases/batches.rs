//! A batch is applied whole or not at all, and exactly once.

use logtally_core::admission::Admission::{self, Apply, Duplicate, Rewind, Stale, Unknown};
use logtally_core::batch::Batch;
use logtally_core::delta::Delta;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::limits::{BATCH_BYTES_MAX, BATCH_DELTAS_MAX};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Kind, SeriesKey};
use logtally_core::source::RecordCounts;
use logtally_store::{Changes, Committed, Opening};

use crate::backend::Backend;
use crate::words::{
    P, Sums, apply, changes, commit, commit_at, counter, delta, expected, family, gauge, install,
    lines, load, source, state, store_with, stored, sums, sums_of,
};

pub(crate) async fn an_admitted_batch_is_written_as_a_whole(place: impl Backend) {
    let store = store_with(&place, &["a", "b"]).await;
    let mut first = delta("a", 1, 0..10, &[(gauge("x"), 3), (counter("y"), 1)]);
    first.note = Some(0);
    first.records = RecordCounts { counted: 4, filtered: 3, rejected: 2 };
    let second = delta("b", 1, 0..7, &[(gauge("x"), 2)]);
    let committed = commit(&store, [first.clone(), second.clone()]).await;

    let after = [first, second].map(|d| Some(d.state_after(&state(1, 0))));
    assert_eq!(committed.verdicts.iter().map(|v| v.stored).collect::<Vec<_>>(), after);
    let sources = [source("a"), source("b"), source("c")];
    let states = store.states(P, &sources).await.expect("the store answers");
    assert_eq!(states, [after[0], after[1], None]);
    let snapshot = load(&store).await;
    assert_eq!(Some(snapshot.at), committed.applied);
    assert_eq!(snapshot.at.seq, 1);
    assert_eq!(sums_of(&snapshot), expected([(gauge("x"), 5), (counter("y"), 1)]));
}

pub(crate) async fn one_bad_delta_blocks_the_whole_batch(place: impl Backend) {
    let store = store_with(&place, &["a", "b", "c"]).await;
    apply(&store, lines("b", 1, 0..10, "x")).await;
    let bad = [
        (lines("b", 1, 0..10, "x"), Duplicate),
        (lines("b", 1, 5..15, "x"), Rewind),
        (lines("b", 1, 11..15, "x"), Rewind),
        (lines("b", 2, 10..15, "x"), Stale),
        (lines("unknown", 1, 0..10, "x"), Unknown),
    ];
    for (bad, admission) in bad {
        let good = ["a", "c"].map(|name| lines(name, 1, 0..10, "x"));
        let [first, last] = good.clone();
        for batch in [[bad.clone(), first.clone(), last.clone()], [first, last, bad]] {
            check_refused(&place, batch, admission).await;
        }
    }
}

async fn check_refused(place: &impl Backend, batch: [Delta; 3], admission: Admission) {
    let store = place.store();
    let before = load(&store).await;
    let Committed { applied, verdicts } = commit(&store, batch.clone()).await;
    assert_eq!(applied, None, "{admission:?}");
    for (delta, verdict) in batch.iter().zip(&verdicts) {
        let is_good = ["a", "c"].contains(&delta.source.as_str());
        assert_eq!(verdict.admission, if is_good { Apply } else { admission });
        assert_eq!(verdict.stored, stored(&store, delta.source.as_str()).await);
    }
    assert_eq!(stored(&store, "a").await, Some(state(1, 0)));
    let after = load(&store).await;
    assert_eq!((after.at, sums_of(&after)), (before.at, sums_of(&before)));
}

pub(crate) async fn what_fits_commits_after_a_refusal(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let (batch, _) = Batch::build([lines("a", 1, 0..10, "x"), lines("unknown", 1, 0..10, "y")]);
    let refused = store.commit(P, &batch, Nonce(1)).await.expect("the store answers");
    let rest = batch.only_admitted(&refused.verdicts);
    let committed = store.commit(P, &rest, Nonce(2)).await.expect("the store answers");
    assert_eq!(committed.applied, Some(Mark { seq: 1, nonce: Nonce(2) }));
    assert_eq!(sums(&store).await, expected([(gauge("x"), 10)]));
}

pub(crate) async fn a_duplicate_changes_nothing(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let spans = [lines("a", 1, 0..10, "x"), lines("a", 1, 10..30, "x")];
    for delta in spans.clone() {
        apply(&store, delta).await;
    }
    let before = load(&store).await;
    for delta in spans {
        let committed = commit(&store, [delta]).await;
        assert_eq!(committed.applied, None);
        assert_eq!(committed.verdicts[0].admission, Duplicate);
        assert_eq!(committed.verdicts[0].stored.map(|s| s.position), Some(30));
    }
    let after = load(&store).await;
    assert_eq!((after.at, sums_of(&after)), (before.at, expected([(gauge("x"), 30)])));
}

pub(crate) async fn joined_spans_move_as_one(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let spans = [0..10, 10..15, 15..40].map(|span| lines("a", 1, span, "x"));
    let committed = commit(&store, spans.clone()).await;
    assert_eq!(committed.verdicts.len(), 1, "one source, one verdict");
    let after = stored(&store, "a").await.expect("registered");
    assert_eq!((after.position, after.records.counted), (40, 3));
    assert_eq!(sums(&store).await, expected([(gauge("x"), 40)]));
    // The same spans come again one by one, as after a lost answer.
    for delta in spans {
        assert_eq!(commit(&store, [delta]).await.verdicts[0].admission, Duplicate);
    }
    assert_eq!(sums(&store).await, expected([(gauge("x"), 40)]));
}

/// Pushed metrics have no records: the accounting stays as it is, and everything else goes on.
pub(crate) async fn a_span_without_records_counts_its_increments(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let push =
        |from| Delta { records: RecordCounts::default(), ..lines("a", 1, from..from + 1, "x") };
    apply(&store, push(0)).await;
    apply(&store, push(1)).await;
    let after = stored(&store, "a").await.expect("registered");
    assert_eq!((after.position, after.records), (2, RecordCounts::default()));
    let again = commit(&store, [push(0)]).await;
    assert!(again.applied.is_none(), "it is a duplicate: {:?}", again.verdicts);
    assert_eq!(store.fold(P).await.expect("folds").entries, 2);
    assert_eq!(sums(&store).await, expected([(gauge("x"), 2)]));
}

pub(crate) async fn a_span_without_increments_still_moves(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let mut rejected = delta("a", 1, 0..10, &[]);
    rejected.records = RecordCounts { counted: 0, filtered: 0, rejected: 5 };
    rejected.families.clear();
    let mark = apply(&store, rejected).await;
    let after = stored(&store, "a").await.expect("registered");
    assert_eq!((after.position, after.records.rejected), (10, 5));
    let Changes::Linked { entries, .. } = changes(&store, Mark::default()).await else {
        panic!("the journal is whole");
    };
    assert_eq!(entries.len(), 1);
    assert!(entries[0].mark == mark && entries[0].increments.is_empty());
    assert_eq!(store.fold(P).await.expect("folds").entries, 1);
    assert_eq!(sums(&store).await, Sums::new());
}

pub(crate) async fn families_are_registered_once(place: impl Backend) {
    let store = store_with(&place, &["a", "b"]).await;
    assert_eq!(store.families(P).await.expect("the store answers"), []);
    let other = Family { help: "other \"help\"\n\\ µ".into(), ..family(Kind::Gauge) };
    let mut first = lines("a", 1, 0..10, "x");
    first.families = vec![family(Kind::Gauge)];
    let mut second = lines("b", 1, 0..10, "x");
    second.families = vec![other.clone(), family(Kind::Gauge)];
    apply(&store, first.clone()).await;
    // What is refused registers nothing.
    first.families = vec![family(Kind::Counter)];
    commit(&store, [first]).await;
    apply(&store, second).await;
    let mut wanted = vec![family(Kind::Gauge), other];
    wanted.sort();
    let mut registered = store.families(P).await.expect("the store answers");
    registered.sort();
    assert_eq!(registered, wanted);
    let mut loaded = load(&store).await.families;
    loaded.sort();
    assert_eq!(loaded, wanted);
}

pub(crate) async fn a_batch_at_its_limits_is_one_commit(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    let mut deltas = Vec::new();
    let mut wanted = Sums::new();
    let hosts_per_delta = 12;
    for i in 0..BATCH_DELTAS_MAX {
        let name = format!("file/a-volume-with-a-long-name/{i:x}/17c0ffee");
        install(&store, &name, state(1, 0)).await;
        let hosts = (0..hosts_per_delta).map(|k| format!("{i}/{k} \"µ\"\r\n\\, {:060}", i * k));
        let pairs: Vec<(SeriesKey, u64)> =
            hosts.map(|host| (counter(&host), 1 + i as u64)).collect();
        wanted.extend(pairs.iter().cloned());
        deltas.push(delta(&name, 1, 0..1000, &pairs));
    }
    let bytes: usize = deltas.iter().map(|d| d.increments.len()).sum();
    assert!(bytes >= BATCH_BYTES_MAX, "the case is not at the limit: {bytes} bytes");
    let committed = commit(&store, deltas).await;
    assert_eq!(committed.applied.map(|m| m.seq), Some(1));
    assert_eq!(sums(&store).await, wanted);
    store.fold(P).await.expect("folds");
    assert_eq!(sums(&store).await, wanted);
}

pub(crate) async fn partitions_are_apart(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let other = Partition(1);
    let opening = Opening { source: source("a"), expected: None, fresh: state(5, 0) };
    assert!(store.open(other, &opening).await.expect("the store answers").installed);
    apply(&store, lines("a", 1, 0..10, "x")).await;
    let committed = commit_at(&store, other, [lines("a", 5, 0..4, "y")]).await;
    assert_eq!(committed.applied.map(|m| m.seq), Some(1));
    assert_eq!(stored(&store, "a").await.map(|s| s.position), Some(10));
    store.fold(P).await.expect("folds");
    assert_eq!(sums(&store).await, expected([(gauge("x"), 10)]));
    let there = store.load(other).await.expect("the store answers");
    assert_eq!(sums_of(&there), expected([(gauge("y"), 4)]));
    assert_eq!(store.fold(other).await.expect("folds").entries, 1);
}
