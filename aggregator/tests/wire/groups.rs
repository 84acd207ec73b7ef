//! Groups of pushed metrics over the wire: which there are, and that one is forgotten and no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_core::batch::Batch;
use logtally_core::decimal::Decimal;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::{Partition, partition_of};
use logtally_core::push::{Group, Scope};
use logtally_core::series::{Amount, Family, Increments, Kind, Latest, SeriesKey, Value};
use logtally_core::source::{Generation, RecordCounts, SourceState, Tail};
use logtally_proto::v1;
use logtally_store::memory::MemoryStore;
use logtally_store::{CountStore, Opening, SnapshotReader};
use tonic::{Code, Status};

use crate::bench::Bench;

const PARTITIONS: u16 = 3;
const TTL_S: u64 = 60;

/// A store, and its clock.
async fn store(partitions: u16) -> (Arc<MemoryStore>, Arc<AtomicU64>) {
    let now_ms = Arc::new(AtomicU64::new(1_700_000_000_000));
    let hand = Arc::clone(&now_ms);
    let clock = Arc::new(move || hand.load(Ordering::Relaxed));
    let store = Arc::new(MemoryStore::new().with_clock(clock));
    store.create(Some(partitions)).await.expect("a fresh store");
    (store, now_ms)
}

fn labels(group: &[(&str, &str)]) -> Vec<(String, String)> {
    group.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn family(group: &[(&str, &str)], name: &str, kind: Kind, ttl_s: u64) -> Family {
    let is_histogram = kind == Kind::Histogram;
    let mut names: Vec<&str> = vec!["shard"];
    names.extend(group.iter().map(|(name, _)| *name));
    names.extend(is_histogram.then_some("le"));
    let mut of_group: Vec<String> = group.iter().map(|(name, _)| (*name).to_owned()).collect();
    of_group.sort();
    let buckets = if is_histogram { vec!["1".to_owned()] } else { Vec::new() };
    Family { ttl_s, buckets, group: of_group, ..Family::new(name, kind, "", &names) }
}

/// Counts rows of a group as a push does: `shard`, and for a histogram its bucket, as they are given.
async fn push(
    store: &MemoryStore,
    group: &[(&str, &str)],
    family: &Family,
    rows: &[(&str, Amount)],
) {
    let scope = Scope::Group(Group::new(labels(group)).expect("a group"));
    let source = scope.anonymous(rand_id());
    let at = partition_of(&source, store.info().await.expect("created").partitions);
    let fresh = SourceState::start(Generation(1));
    let opening = Opening { source: source.clone(), expected: None, fresh };
    store.open(at, &opening).await.expect("opens");
    let key = |row: &str| {
        let (shard, le) = row.split_once(' ').map_or((row, None), |(shard, le)| (shard, Some(le)));
        let values = group.iter().map(|(_, value)| *value);
        SeriesKey::new(family.id(), std::iter::once(shard).chain(values).chain(le))
    };
    let rows: Vec<_> = rows.iter().map(|(row, amount)| (key(row), *amount)).collect();
    let delta = Delta {
        source,
        generation: Generation(1),
        span: Span::new(0, 1).expect("valid"),
        tail_before: Tail::empty(),
        tail_after: Tail(1),
        note: None,
        records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
        families: vec![family.clone()],
        limits: Vec::new(),
        increments: Increments::pack(rows.iter().map(|(key, amount)| (key.as_bytes(), *amount))),
    };
    let (batch, _) = Batch::build([delta]);
    let committed = store.commit(at, &batch, Nonce(rand_id())).await.expect("commits");
    assert!(committed.applied.is_some());
}

fn rand_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn arrived(text: &str) -> Amount {
    let value: Decimal = text.parse().expect("a decimal");
    Amount { count: 1, value: Value::Last(Latest::arrived(0, value)) }
}

async fn push_gauge(
    store: &MemoryStore,
    group: &[(&str, &str)],
    name: &str,
    ttl_s: u64,
    value: &str,
) {
    let family = family(group, name, Kind::Last, ttl_s);
    push(store, group, &family, &[("0", arrived(value))]).await;
}

async fn list(bench: &mut Bench) -> Vec<v1::PushedGroup> {
    let answer = bench.groups.list_groups(v1::ListGroupsRequest {}).await;
    answer.expect("an answer").into_inner().groups
}

async fn delete(bench: &mut Bench, group: &[(&str, &str)]) -> Result<u64, Status> {
    let label = |(name, value)| v1::Label { name, value };
    let labels = labels(group).into_iter().map(label).collect();
    let answer = bench.groups.delete_group(v1::DeleteGroupRequest { labels }).await;
    answer.map(|answer| answer.into_inner().series)
}

/// `job=a instance=b: 3 series, 1.5, , hidden`
fn written(groups: &[v1::PushedGroup]) -> Vec<String> {
    let one = |group: &v1::PushedGroup| {
        let labels = group.labels.iter().map(|label| format!("{}={}", label.name, label.value));
        let labels: Vec<String> = labels.collect();
        let v1::PushedGroup {
            series, push_time_seconds, push_failure_time_seconds, hidden, ..
        } = group;
        format!(
            "{}: {series}, {push_time_seconds:?}, {push_failure_time_seconds:?}, {hidden}",
            labels.join(" ")
        )
    };
    groups.iter().map(one).collect()
}

/// Two groups whose labels differ by one, one with the same values under another name, and a family
/// without groups whose series have the labels of the first.
async fn filled(partitions: u16) -> (Arc<MemoryStore>, Arc<AtomicU64>) {
    let (store, now_ms) = store(partitions).await;
    let a: &[(&str, &str)] = &[("job", "a")];
    let histogram = family(a, "seconds", Kind::Histogram, 0);
    let bucket = Amount { count: 1, value: Value::Sum(Decimal::ZERO) };
    push(&store, a, &histogram, &[("0 1", bucket), ("0 +Inf", bucket), ("1 1", bucket)]).await;
    push_gauge(&store, a, "push_time_seconds", 0, "1700000000.25").await;
    push_gauge(&store, a, "push_time_seconds", 0, "1700000001.5").await;
    let b = &[("job", "a"), ("instance", "x")];
    push_gauge(&store, b, "push_time_seconds", TTL_S, "12").await;
    push_gauge(&store, b, "push_failure_time_seconds", TTL_S, "34").await;
    push_gauge(&store, &[("task", "a")], "temperature", 0, "-1.5").await;
    let plain = Family { group: Vec::new(), ..family(a, "lines", Kind::Gauge, 0) };
    push(&store, a, &plain, &[("0", Amount::records(7))]).await;
    (store, now_ms)
}

#[tokio::test]
async fn groups_are_listed_with_their_times() {
    let (store, now_ms) = filled(PARTITIONS).await;
    let mut bench = Bench::over(store.clone()).await;
    let wanted = [
        "instance=x job=a: 2, \"12\", \"34\", false",
        "job=a: 3, \"1700000001.5\", \"\", false",
        "task=a: 1, \"\", \"\", false",
    ];
    assert_eq!(written(&list(&mut bench).await), wanted);
    // By the journal's time, whatever the clock says, and that of any partition.
    now_ms.fetch_add(TTL_S * 1000, Ordering::Relaxed);
    for at in (0..PARTITIONS).map(Partition) {
        let is_hidden = list(&mut bench).await.iter().map(|group| group.hidden).collect::<Vec<_>>();
        assert_eq!(is_hidden, [at.0 > 0, false, false]);
        store.tick(at, Nonce(rand_id())).await.expect("answers");
    }
}

#[tokio::test]
async fn a_deleted_group_is_gone_and_no_other() {
    check_deletion(PARTITIONS).await;
}

#[tokio::test]
async fn other_groups_of_its_partition_stay() {
    check_deletion(1).await;
}

async fn check_deletion(partitions: u16) {
    let (store, _) = filled(partitions).await;
    let mut bench = Bench::over(store.clone()).await;
    assert_eq!(delete(&mut bench, &[("job", "a")]).await.expect("an answer"), 3);
    let left = written(&list(&mut bench).await);
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|group| !group.starts_with("job=a:")), "{left:?}");
    let mut lines = 0;
    for at in (0..partitions).map(Partition) {
        let counts = store.load(at).await.expect("loads").counts;
        lines += counts.iter().filter(|(_, count)| count.amount == Amount::records(7)).count();
    }
    assert_eq!(lines, 1, "what belongs to no group stays");
    for unknown in [&[("job", "a")][..], &[("job", "never")], &[("nothing", "")]] {
        assert_eq!(delete(&mut bench, unknown).await.expect("an answer"), 0, "{unknown:?}");
    }
    // In any order of the labels; and what is pushed later begins anew.
    assert_eq!(delete(&mut bench, &[("job", "a"), ("instance", "x")]).await.expect("answers"), 2);
    push_gauge(&store, &[("job", "a")], "push_time_seconds", 0, "5").await;
    let wanted = ["job=a: 1, \"5\", \"\", false", "task=a: 1, \"\", \"\", false"];
    assert_eq!(written(&list(&mut bench).await), wanted);
}

#[tokio::test]
async fn a_large_group_is_deleted_in_pieces() {
    let (store, _) = store(PARTITIONS).await;
    let group: &[(&str, &str)] = &[("job", "a")];
    let family = family(group, "m", Kind::Gauge, 0);
    let shards: Vec<String> = (0..700).map(|n| format!("{n:01000}")).collect();
    let rows: Vec<_> = shards.iter().map(|shard| (shard.as_str(), Amount::records(1))).collect();
    push(&store, group, &family, &rows).await;
    let scope = Scope::Group(Group::new(labels(group)).expect("a group"));
    let at = partition_of(&scope.anonymous(0), PARTITIONS);
    let before = store.load(at).await.expect("loads").at;
    let mut bench = Bench::over(store.clone()).await;
    assert_eq!(delete(&mut bench, group).await.expect("an answer"), 700);
    let snapshot = store.load(at).await.expect("loads");
    assert!(snapshot.counts.is_empty());
    assert_eq!(snapshot.at.seq, before.seq + 3, "several entries, none too large");
}

#[tokio::test]
async fn what_is_no_group_is_refused() {
    let mut bench = Bench::start().await;
    for wrong in [&[][..], &[("job", "a"), ("job", "b")]] {
        let status = delete(&mut bench, wrong).await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("each name once"), "{status}");
    }
    assert_eq!(list(&mut bench).await, []);
}

#[tokio::test]
async fn an_error_of_the_store_is_told() {
    let (store, _) = filled(PARTITIONS).await;
    let mut bench = Bench::over(store.clone()).await;
    let whole = store.snapshot();
    let mut damaged = whole.clone();
    (0..PARTITIONS).for_each(|at| damaged.remove_head(Partition(at)));
    store.restore(damaged);
    let status = delete(&mut bench, &[("job", "a")]).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("the store is damaged"), "{status}");
    let status = bench.groups.list_groups(v1::ListGroupsRequest {}).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    store.restore(whole);
    assert_eq!(list(&mut bench).await.len(), 3);
}
