//! A server that is away, silent, full, read-only, killed, or forgets its scripts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::redis::cmd;
use logtally_core::admission::Admission;
use logtally_core::batch::Batch;
use logtally_core::journal::{Mark, Nonce};
use logtally_store::redis::{Durability, RedisOptions, RedisStore};
use logtally_store::{Committed, Folded, SharedStore, StoreError};
use logtally_testkit::RedisServer;

use super::{Redis, connect, until_available};
use crate::backend::Backend;
use crate::words::{
    P, apply, delta, expected, gauge, install, is_broken, lines, load, state, store_with, stored,
    sums,
};

/// What is committed at `position`, counted as 1.
async fn commit_at(store: &SharedStore, position: u64) -> Result<Committed, StoreError> {
    let pairs = [(gauge("x"), 1), (gauge(&format!("h{}", position % 50)), 1)];
    let (batch, _) = Batch::build([delta("a", 1, position..position + 1, &pairs)]);
    store.commit(P, &batch, Nonce(rand::random())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_flushed_come_back() {
    const COMMITS: u64 = 300;
    let place = Redis::fresh().await;
    let store = store_with(&place, &["a"]).await;
    let done = Arc::new(AtomicBool::new(false));
    let flusher = {
        let (mut connection, done) = (place.connection(), done.clone());
        tokio::task::spawn_blocking(move || {
            while !done.load(Ordering::Acquire) {
                let flush = cmd("SCRIPT").arg("FLUSH").query::<()>(&mut connection);
                flush.expect("the server answers");
            }
        })
    };
    for position in 0..COMMITS {
        // A script may be gone again before it is run again; that is like any other outage.
        until_available(async || commit_at(&store, position).await).await;
        if position % 10 == 0 {
            until_available(async || store.fold(P).await).await;
        }
    }
    done.store(true, Ordering::Release);
    flusher.await.expect("no panic");
    assert_eq!(sums(&store).await.get(&gauge("x")), Some(&COMMITS));
}

#[tokio::test]
async fn a_server_that_comes_late_is_found() {
    let mut server = RedisServer::start(&[]);
    server.stop();
    let store: SharedStore = Arc::new(connect(&server.url()));
    let began = Instant::now();
    for _ in 0..3 {
        let created = store.create(Some(2)).await;
        assert!(matches!(created, Err(StoreError::Unavailable(_))), "{created:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(6));
    server.restart();
    until_available(async || store.create(Some(2)).await).await;
    install(&store, "a", state(1, 0)).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
}

#[tokio::test]
async fn connections_come_back_after_a_restart() {
    let place = Redis::fresh().await;
    let store = store_with(&place, &["a"]).await;
    apply(&store, lines("a", 1, 0..10, "x")).await;
    store.fold(P).await.expect("folds");
    let before = store.info().await.expect("created");
    place.server(RedisServer::stop);
    assert!(matches!(commit_at(&store, 10).await, Err(StoreError::Unavailable(_))));
    place.server(RedisServer::restart);
    until_available(async || commit_at(&store, 10).await).await;
    until_available(async || store.fold(P).await).await;
    let after = store.info().await.expect("created");
    assert_eq!(after.state_id, before.state_id);
    assert_ne!(after.server, before.server, "another process answers");
    assert_eq!(sums(&store).await.get(&gauge("x")), Some(&11));
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let place = Redis::fresh().await;
    store_with(&place, &["a"]).await;
    let options = RedisOptions {
        response_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(200),
        ..RedisOptions::default()
    };
    let store = RedisStore::connect(&place.url(), options).expect("a valid address");
    let store: SharedStore = Arc::new(store);
    store.create(Some(2)).await.expect("answers");
    place.server(|server| server.pause());
    let began = Instant::now();
    let silent = commit_at(&store, 0).await;
    assert!(matches!(silent, Err(StoreError::Unavailable(_))), "{silent:?}");
    // Several calls wait for the connection at the same time, not one after the other.
    let waiting = (0..20).map(|_| store.load(P));
    let loads = futures::future::join_all(waiting).await;
    assert!(loads.iter().all(|load| matches!(load, Err(StoreError::Unavailable(_)))));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    place.server(|server| server.resume());
    // Whether the silent commit has been applied is not known: its repetition tells.
    let again = until_available(async || commit_at(&store, 0).await).await;
    assert!(matches!(again.verdicts[0].admission, Admission::Apply | Admission::Duplicate));
    assert_eq!(sums(&store).await.get(&gauge("x")), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_after_fsync_survives_a_kill() {
    let place = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let options = RedisOptions { durability: Durability::Fsync, ..RedisOptions::default() };
    let store = RedisStore::connect(&place.url(), options).expect("a valid address");
    store.check_server().await.expect("the server is set up for it");
    let store: SharedStore = Arc::new(store);
    store.create(Some(2)).await.expect("answers");
    install(&store, "a", state(1, 0)).await;
    for _ in 0..3 {
        let committer = {
            let store = store.clone();
            let from = stored(&store, "a").await.expect("registered").position;
            tokio::spawn(async move {
                let mut position = from;
                while commit_at(&store, position).await.is_ok() {
                    position += 1;
                }
                position
            })
        };
        let reached = |position: u64| async move { position };
        until_available(async || match stored(&store, "a").await.map(|s| s.position) {
            Some(position) if position % 100 > 20 => Ok(reached(position).await),
            _ => Err(StoreError::Unavailable("not yet".to_owned())),
        })
        .await;
        place.server(RedisServer::kill);
        let acknowledged = committer.await.expect("no panic");
        place.server(RedisServer::restart);
        until_available(async || store.info().await).await;
        until_available(async || store.load(P).await).await;
        let position = stored(&store, "a").await.expect("registered").position;
        assert!((acknowledged..=acknowledged + 1).contains(&position), "{position}");
        assert_eq!(sums(&store).await.get(&gauge("x")), Some(&position));
        install_padding(&store, position).await;
    }
}

/// Goes on to the next hundred, from which the next round starts.
async fn install_padding(store: &SharedStore, from: u64) {
    for position in from..from.next_multiple_of(100) {
        commit_at(store, position).await.expect("answers");
    }
}

/// Memory is full: commits are refused with nothing written, folding goes on, and gives memory back.
#[tokio::test]
async fn a_full_server_refuses_commits_and_folds() {
    let place = Redis::fresh().await;
    store_with(&place, &["a"]).await;
    let options = RedisOptions { trim_grace_ms: 0, ..RedisOptions::default() };
    let store = RedisStore::connect(&place.url(), options).expect("a valid address");
    let store: SharedStore = Arc::new(store);
    for position in 0..50 {
        commit_at(&store, position).await.expect("answers");
    }
    let set = |limit: &str| place.run::<()>(cmd("CONFIG").arg("SET").arg("maxmemory").arg(limit));
    set("1");
    let before = load(&store).await;
    let refused = commit_at(&store, 50).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let folded = store.fold(P).await.expect("folding gives memory back");
    assert_eq!((folded.entries, folded.waiting), (50, 0));
    let trimmed = store.fold(P).await.expect("trims");
    assert_eq!(trimmed, Folded { journal: 0, ..Folded::default() });
    let after = load(&store).await;
    assert_eq!((after.at, after.counts.len()), (before.at, before.counts.len()));
    set("0");
    commit_at(&store, 50).await.expect("answers again");
    assert_eq!(sums(&store).await.get(&gauge("x")), Some(&51));
    assert!(is_broken(&store, Mark::default()).await);
}

/// A demoted primary is only asked until it says so.
#[tokio::test]
async fn a_replica_takes_no_commits() {
    let place = Redis::fresh().await;
    let store = store_with(&place, &["a"]).await;
    commit_at(&store, 0).await.expect("answers");
    let port = logtally_testkit::free_port().to_string();
    place.run::<()>(cmd("REPLICAOF").arg("127.0.0.1").arg(port));
    let refused = commit_at(&store, 1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    place.run::<()>(cmd("REPLICAOF").arg("NO").arg("ONE"));
    until_available(async || commit_at(&store, 1).await).await;
    assert_eq!(sums(&store).await, expected([(gauge("h0"), 1), (gauge("h1"), 1), (gauge("x"), 2)]));
}

/// A snapshot cannot be written: the server refuses writes, and says why.
#[tokio::test]
async fn a_server_that_cannot_write_its_snapshot_refuses_commits() {
    let place = Redis::fresh().await;
    let store = store_with(&place, &["a"]).await;
    let config = |name: &str, value: &str| {
        place.run::<()>(cmd("CONFIG").arg("SET").arg(name).arg(value));
    };
    config("save", "3600 1");
    let dump = place.server(|server| server.dir().join("dump.rdb"));
    std::fs::create_dir(dump).expect("a folder where the snapshot would be");
    place.run::<()>(&cmd("BGSAVE"));
    let status = || place.run::<String>(cmd("INFO").arg("persistence"));
    while status().contains("rdb_last_bgsave_status:ok") {
        tokio::task::yield_now().await;
    }
    let refused = commit_at(&store, 0).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    config("stop-writes-on-bgsave-error", "no");
    commit_at(&store, 0).await.expect("answers again");
}
