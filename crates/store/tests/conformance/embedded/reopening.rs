//! A store that is closed and opened again, properly or not.

use logtally_core::journal::Mark;
use logtally_store::embedded::EmbeddedStore;
use logtally_store::{StoreError, TRIM_GRACE_MS};

use super::{Embedded, file_in};
use crate::backend::Backend;
use crate::words::{
    P, apply, counter, delta, gauge, is_broken, lines, load, source, state, store_with, stored,
};

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let place = Embedded::fresh().await;
    let store = store_with(&place, &["a"]).await;
    let first = apply(&store, delta("a", 1, 0..1, &[(counter("c"), 1), (gauge("x"), 1)])).await;
    store.fold(P).await.expect("folds");
    apply(&store, lines("a", 1, 1..5, "x")).await;
    store.report_acknowledged(P, &source("a"), &state(1, 99)).await.expect("the store answers");
    let (info, before) = (store.info().await.expect("created"), load(&store).await);
    drop(store);

    place.while_closed(|_| {});
    let store = place.store();
    assert_eq!(store.info().await.expect("created"), info);
    assert_eq!(store.create(Some(2)).await.expect("the same"), info);
    let after = load(&store).await;
    assert_eq!(after.at, before.at);
    assert_eq!(after.counts.to_map(), before.counts.to_map());
    assert_eq!(after.families, before.families);
    assert_eq!(after.recovering, before.recovering);
    assert_eq!(stored(&store, "a").await.map(|s| s.position), Some(5));
    assert!(!is_broken(&store, first).await);
    place.advance(TRIM_GRACE_MS + 1).await;
    assert_eq!(store.fold(P).await.expect("folds").entries, 1);
    assert!(is_broken(&store, Mark::default()).await, "trimmed");
}

#[tokio::test]
async fn an_idle_fold_writes_nothing() {
    let place = Embedded::fresh().await;
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    store.fold(P).await.expect("folds");
    let before = std::fs::read(place.file()).expect("the file");
    store.fold(P).await.expect("folds");
    assert!(std::fs::read(place.file()).expect("the file") == before);
}

#[tokio::test]
async fn a_second_opening_is_refused_while_the_first_lives() {
    let place = Embedded::fresh().await;
    let second = EmbeddedStore::open(place.dir.path()).err();
    let Some(StoreError::InUse(text)) = second else { panic!("opened twice: {second:?}") };
    assert!(text.contains(&place.file().display().to_string()), "{text}");
    assert!(text.contains("stop the other one"), "{text}");
    place.store().create(None).await.expect("the first is not disturbed");
}

#[test]
fn of_many_first_openings_one_wins() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = || EmbeddedStore::open(dir.path());
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let refused = opened.iter().filter(|o| matches!(o, Err(StoreError::InUse(_)))).count();
    assert_eq!((opened.iter().filter(|o| o.is_ok()).count(), refused), (1, 5));
}

#[test]
fn a_directory_is_created_with_its_parents() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let deep = dir.path().join("a/b");
    drop(EmbeddedStore::open(&deep).expect("opens"));
    assert!(file_in(&deep).is_file());
}

#[test]
fn what_is_no_store_is_refused_with_its_path() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "text").expect("a file");
    let refused = EmbeddedStore::open(&file).err();
    assert!(matches!(&refused, Some(StoreError::Refused(t)) if t.contains("/file")), "{refused:?}");

    for garbage in [&b""[..], b"short", &[0xa5; 10_000], &[0; 10_000]] {
        std::fs::write(file_in(dir.path()), garbage).expect("a file");
        let damaged = EmbeddedStore::open(dir.path()).err();
        let names_file = |t: &str| t.contains("logtally.redb");
        assert!(matches!(&damaged, Some(StoreError::Damaged(t)) if names_file(t)), "{damaged:?}");
    }
}

#[tokio::test]
async fn a_file_cut_off_is_refused() {
    let place = Embedded::fresh().await;
    let store = store_with(&place, &["a"]).await;
    for i in 0..20 {
        apply(&store, lines("a", 1, i * 10..i * 10 + 10, "x")).await;
    }
    drop(store);
    let dir = tempfile::tempdir().expect("a temporary directory");
    place.while_closed(|file| {
        let whole = std::fs::read(file).expect("the file");
        std::fs::write(file_in(dir.path()), &whole[..whole.len() / 2]).expect("a file");
    });
    let damaged = EmbeddedStore::open(dir.path()).err();
    assert!(matches!(damaged, Some(StoreError::Damaged(_))), "{damaged:?}");
}

#[tokio::test]
async fn a_database_of_something_else_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let database = redb::Database::create(file_in(dir.path())).expect("a database");
    let transaction = database.begin_write().expect("a transaction");
    transaction.open_table(super::table("something")).expect("a table");
    transaction.commit().expect("a commit");
    drop(database);
    let damaged = EmbeddedStore::open(dir.path()).err();
    assert!(matches!(&damaged, Some(StoreError::Damaged(t)) if t.contains("meta")), "{damaged:?}");
}
