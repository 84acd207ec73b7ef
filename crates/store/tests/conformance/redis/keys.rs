//! The layout: what a person finds there, how many rows there are, and what happens when a key is
//! gone.

use std::collections::HashMap;

use ::redis::cmd;
use logtally_core::limits::COUNTS_BUCKETS;
use logtally_core::partition::{Partition, bucket_of};
use logtally_store::redis::{Key, MARKER};
use logtally_store::{CountStore, Opening, SharedStore, SnapshotReader, StoreError};

use super::Redis;
use crate::backend::Backend;
use crate::words::{
    P, apply, commit, counter, delta, expected, family, gauge, install, is_broken, lines, load,
    source, state, store_with, sums,
};

fn is_damaged<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged(_)))
}

/// A store with folded and waiting entries, and a source at position 20.
async fn used() -> (Redis, SharedStore) {
    let place = Redis::fresh().await;
    let store = store_with(&place, &["a"]).await;
    apply(&store, delta("a", 1, 0..10, &[(gauge("x"), 5), (counter("x"), 7)])).await;
    store.fold(P).await.expect("folds");
    apply(&store, lines("a", 1, 10..20, "x")).await;
    (place, store)
}

async fn try_commit(store: &SharedStore) -> Result<(), StoreError> {
    let (batch, _) = logtally_core::batch::Batch::build([lines("a", 1, 20..30, "x")]);
    store.commit(P, &batch, logtally_core::journal::Nonce(1)).await.map(|_| ())
}

async fn try_open(store: &SharedStore, name: &str) -> Result<(), StoreError> {
    let opening = Opening { source: source(name), expected: None, fresh: state(9, 0) };
    store.open(P, &opening).await.map(|_| ())
}

#[tokio::test]
async fn a_person_can_read_it() {
    let (place, store) = used().await;
    let read =
        |key: Key| -> HashMap<String, String> { place.run(cmd("HGETALL").arg(key.to_string())) };
    let times: Vec<u64> = load(&store).await.counts.iter().map(|(_, c)| c.created_ms).collect();
    let created_ms = times.iter().max().expect("a counter");
    for (series, text) in [(gauge("x"), "5".to_owned()), (counter("x"), format!("7@{created_ms}"))]
    {
        let rows = read(Key::Counts(P, bucket_of(series.as_bytes())));
        let key = String::from_utf8(series.as_bytes().to_vec()).expect("text");
        assert_eq!(rows[&key], text);
        assert!(key.ends_with("\0x"));
        assert!(rows[std::str::from_utf8(MARKER).expect("text")].starts_with("1 "));
    }
    let at = read(Key::Positions(P));
    assert_eq!(at["a"], state_text(&store).await);
    let head = read(Key::Head(P));
    assert_eq!((head["seq"].as_str(), head["sources"].as_str()), ("2", "1"));
    let families = read(Key::Families(P));
    let gauges = family(logtally_core::series::Kind::Gauge);
    assert_eq!(families[gauges.id().as_str()], gauges.encode());
}

async fn state_text(store: &SharedStore) -> String {
    let states = store.states(P, &[source("a")]).await.expect("answers");
    states[0].expect("registered").encode()
}

#[tokio::test]
async fn every_key_is_in_the_table_and_in_one_slot() {
    let (place, store) = used().await;
    store.report_acknowledged(P, &source("a"), &state(1, 99)).await.expect("answers");
    let keys: Vec<String> = place.run(cmd("KEYS").arg("*"));
    assert!(keys.len() > 6, "{keys:?}");
    for key in keys {
        let known = Key::parse(&key);
        assert!(known.is_some(), "{key}");
        let tagged = key.starts_with("lt:{000}:") || key.starts_with("lt:{001}:");
        assert!(tagged || known == Some(Key::Meta), "{key}");
    }
}

#[tokio::test]
async fn a_series_has_one_row_however_many_sources_have_it() {
    const SOURCES: u64 = 30;
    let place = Redis::fresh().await;
    let store = store_with(&place, &[]).await;
    for n in 0..SOURCES {
        let name = format!("s{n}");
        install(&store, &name, state(1, 0)).await;
        apply(&store, delta(&name, 1, 0..2, &[(gauge("x"), 1), (counter("y"), 2)])).await;
        if n % 7 == 0 {
            store.fold(P).await.expect("folds");
        }
    }
    store.fold(P).await.expect("folds");
    let (mut rows, mut markers) = (0, 0);
    for bucket in 0..COUNTS_BUCKETS {
        let key = Key::Counts(P, bucket).to_string();
        rows += place.run::<u64>(cmd("HLEN").arg(&key));
        markers += place.run::<u64>(cmd("HEXISTS").arg(&key).arg(MARKER));
    }
    assert_eq!(rows - markers, 2);
    assert!(markers <= 2);
    assert_eq!(sums(&store).await, expected([(gauge("x"), SOURCES), (counter("y"), 2 * SOURCES)]));
}

/// Nobody is told that a source is unknown, which would count all of it again.
#[tokio::test]
async fn lost_positions_are_refused() {
    let (place, store) = used().await;
    place.delete(Key::Positions(P));
    assert!(is_damaged(&try_commit(&store).await));
    assert!(is_damaged(&store.states(P, &[source("a")]).await));
    assert!(is_damaged(&try_open(&store, "a").await));
    assert!(is_damaged(&try_open(&store, "new").await));
    assert!(is_damaged(&store.report_acknowledged(P, &source("a"), &state(1, 99)).await));
}

#[tokio::test]
async fn one_lost_position_is_refused() {
    let (place, store) = used().await;
    install(&store, "b", state(1, 0)).await;
    place.run::<u64>(cmd("HDEL").arg(Key::Positions(P).to_string()).arg("a"));
    assert!(is_damaged(&try_commit(&store).await));
    assert!(is_damaged(&store.states(P, &[source("a")]).await));
    assert!(is_damaged(&try_open(&store, "a").await));
}

#[tokio::test]
async fn lost_families_are_refused() {
    let (place, store) = used().await;
    place.delete(Key::Families(P));
    assert!(is_damaged(&try_commit(&store).await));
    assert!(is_damaged(&store.load(P).await));
    assert!(is_damaged(&store.families(P).await));
}

#[tokio::test]
async fn a_lost_journal_is_refused_if_it_held_anything() {
    let (place, store) = used().await;
    let before = load(&store).await;
    place.delete(Key::Journal(P));
    assert!(is_damaged(&store.fold(P).await));
    assert!(store.load(P).await.is_err());
    assert!(is_broken(&store, logtally_core::journal::Mark::default()).await);
    assert!(!is_broken(&store, before.at).await, "whoever has seen all of it needs no more");
}

#[tokio::test]
async fn lost_counts_are_refused() {
    let (place, store) = used().await;
    place.delete(Key::Counts(P, bucket_of(gauge("x").as_bytes())));
    assert!(is_damaged(&store.load(P).await));
    assert!(is_damaged(&store.fold(P).await));
    assert!(is_damaged(&store.load(P).await), "a refused fold has mended nothing");
}

#[tokio::test]
async fn unreadable_rows_are_refused() {
    let (place, store) = used().await;
    let set = |key: Key, field: &[u8], value: &str| {
        place.run::<u64>(cmd("HSET").arg(key.to_string()).arg(field).arg(value))
    };
    let bucket = Key::Counts(P, bucket_of(gauge("x").as_bytes()));
    set(bucket, gauge("x").as_bytes(), "many");
    assert!(is_damaged(&store.load(P).await));
    assert!(is_damaged(&store.fold(P).await));
    let (first_word, rest) = (format!("{:016x}", 1), "020 0000000000000001 - - 0 0 0");
    set(Key::Positions(P), b"a", &format!("{first_word} {rest}"));
    assert!(!is_damaged(&store.states(P, &[source("a")]).await), "a number all the same");
    set(Key::Positions(P), b"a", "nonsense");
    assert!(is_damaged(&try_commit(&store).await));
    assert!(is_damaged(&store.states(P, &[source("a")]).await));
    place.run::<u64>(cmd("HDEL").arg(Key::Head(P).to_string()).arg("folded"));
    assert!(is_damaged(&try_commit(&store).await));
    assert!(is_damaged(&store.load(P).await));
}

/// Everything is gone: the writer is told to create the store again, and goes on by that.
#[tokio::test]
async fn a_wiped_store_is_created_again() {
    let (place, store) = used().await;
    let before = store.info().await.expect("created");
    place.run::<()>(&cmd("FLUSHALL"));
    assert!(matches!(store.info().await, Err(StoreError::Missing)));
    assert!(matches!(try_commit(&store).await, Err(StoreError::Missing)));
    assert!(matches!(store.load(P).await, Err(StoreError::Missing)));
    let created = store.create(Some(2)).await.expect("nothing is there");
    assert_ne!(created.state_id, before.state_id);
    let unknown = commit(&store, [lines("a", 1, 20..30, "x")]).await;
    assert_eq!(unknown.verdicts[0].stored, None);
    install(&store, "a", state(2, 0)).await;
    apply(&store, lines("a", 2, 0..30, "x")).await;
    assert_eq!(sums(&store).await, expected([(gauge("x"), 30)]));
}

/// Somebody else has created it again, perhaps otherwise: writes to it begin with `create`, which
/// checks the number of partitions.
#[tokio::test]
async fn a_store_that_others_created_again_is_not_written_unseen() {
    let (place, store) = used().await;
    place.run::<()>(&cmd("FLUSHALL"));
    let others = place.another_store();
    let theirs = others.create(Some(3)).await.expect("nothing is there");
    let missing = |e: &StoreError| matches!(e, StoreError::Missing);
    assert!(try_commit(&store).await.is_err_and(|e| missing(&e)));
    assert!(store.fold(P).await.is_err_and(|e| missing(&e)));
    assert!(store.load(P).await.is_err_and(|e| missing(&e)));
    // A reader asks who it is, and then reads; a writer in the same process is still not let in.
    assert_eq!(store.info().await.expect("created").state_id, theirs.state_id);
    assert!(store.load(Partition(2)).await.is_ok());
    assert!(try_commit(&store).await.is_err_and(|e| missing(&e)));
    assert!(matches!(store.create(Some(2)).await, Err(StoreError::Mismatch(_))));
    assert!(try_commit(&store).await.is_err_and(|e| missing(&e)));
    store.create(None).await.expect("as it is");
    install(&store, "a", state(1, 0)).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
}

#[tokio::test]
async fn a_head_of_another_store_is_refused() {
    let (place, store) = used().await;
    let head = Key::Head(Partition(1)).to_string();
    place.run::<u64>(cmd("HSET").arg(head).arg("state_id").arg("00000000000000aa"));
    assert!(is_damaged(&place.redis_store().create(None).await));
    assert!(is_damaged(&place.redis_store().info().await));
    assert!(try_commit(&store).await.is_ok(), "another partition goes on");
}
