//! Many processes on one store, some of which die at any point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logtally_core::series::SeriesKey;
use logtally_store::{SharedStore, Snapshot, StoreError};
use rand::Rng;
use tokio::task::JoinSet;

use super::Redis;
use crate::backend::Backend;
use crate::words::{
    P, Sums, apply, counter, delta, gauge, install, state, store_with, stored, sums_of,
};

const COMMITTERS: u64 = 3;
const COMMITS: u64 = 60;
/// Enough for a fold of several pieces.
const SERIES: u64 = 1_500;

fn name(committer: u64) -> String {
    format!("source-{committer}")
}

/// What every commit of a committer adds. The gauge `n…` tells how many there were.
fn pairs(committer: u64, position: u64) -> Vec<(SeriesKey, u64)> {
    let spread = (0..SERIES).filter(|series| (series + position).is_multiple_of(3));
    let mut pairs: Vec<_> =
        spread.map(|series| (counter(&format!("series-{series}")), position + 1)).collect();
    pairs.push((gauge(&format!("n{committer}")), 1));
    pairs
}

/// An independent recount of `commits[c]` commits of each committer `c`.
fn recount(commits: impl IntoIterator<Item = u64>) -> Sums {
    let mut sums = Sums::new();
    for (committer, commits) in (0..).zip(commits) {
        for (key, n) in (0..commits).flat_map(|position| pairs(committer, position)) {
            *sums.entry(key).or_default() += n;
        }
    }
    sums
}

async fn commit_all(store: SharedStore, committer: u64) {
    for position in 0..COMMITS {
        commit_one(&store, committer, position).await;
    }
}

async fn commit_one(store: &SharedStore, committer: u64, position: u64) {
    let pairs = pairs(committer, position);
    apply(store, delta(&name(committer), 1, position..position + 1, &pairs)).await;
}

/// Folds again and again. Some folds are given up at a random point, as if the process died there.
async fn fold_and_die(store: SharedStore, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Acquire) {
        let life = Duration::from_micros(rand::rng().random_range(0..20_000));
        if let Ok(Err(e)) = tokio::time::timeout(life, store.fold(P)).await {
            assert!(e.is_transient(), "{e}");
        }
    }
}

/// Loads again and again: every load is the recount of the commits that it contains.
async fn load_and_check(store: SharedStore, done: Arc<AtomicBool>) -> u64 {
    let mut loads = 0;
    while !done.load(Ordering::Acquire) {
        match store.load(P).await {
            Ok(snapshot) => check(&snapshot),
            Err(e) => assert!(matches!(e, StoreError::Moved(_)), "{e}"),
        }
        loads += 1;
    }
    loads
}

fn check(snapshot: &Snapshot) {
    let sums = sums_of(snapshot);
    let commits = (0..COMMITTERS).map(|c| sums.get(&gauge(&format!("n{c}"))).copied());
    let commits: Vec<u64> = commits.map(Option::unwrap_or_default).collect();
    assert_eq!(commits.iter().sum::<u64>(), snapshot.at.seq);
    assert_eq!(sums, recount(commits));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying_folders_committers_and_loads_add_up() {
    let place = Redis::fresh().await;
    let store = store_with(&place, &[]).await;
    for committer in 0..COMMITTERS {
        install(&store, &name(committer), state(1, 0)).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut committers = JoinSet::new();
    for committer in 0..COMMITTERS {
        committers.spawn(commit_all(place.another_store(), committer));
    }
    let mut others = JoinSet::new();
    for _ in 0..3 {
        others.spawn(fold_and_die(place.another_store(), done.clone()));
    }
    let loads = tokio::spawn(load_and_check(place.another_store(), done.clone()));
    while let Some(task) = committers.join_next().await {
        task.expect("no panic");
    }
    done.store(true, Ordering::Release);
    while let Some(task) = others.join_next().await {
        task.expect("no panic");
    }
    assert!(loads.await.expect("no panic") > 0);
    store.fold(P).await.expect("folds");
    let snapshot = store.load(P).await.expect("loads");
    assert_eq!(sums_of(&snapshot), recount([COMMITS; COMMITTERS as usize]));
}

/// Aggregators go on while the store loses its last steps again and again: the sources are counted
/// again from where the store is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollbacks_under_load_add_up() {
    let place = Redis::fresh().await;
    let store = store_with(&place, &[]).await;
    for committer in 0..COMMITTERS {
        install(&store, &name(committer), state(1, 0)).await;
    }
    drop(store);
    for _ in 0..4 {
        place.save().await;
        run_for_a_while(&place, 8).await;
        place.roll_back().await;
        run_for_a_while(&place, 4).await;
        let store = place.store();
        let mut commits = Vec::new();
        for committer in 0..COMMITTERS {
            commits.push(stored(&store, &name(committer)).await.expect("registered").position);
        }
        let snapshot = store.load(P).await.expect("loads");
        assert_eq!(sums_of(&snapshot), recount(commits));
    }
}

/// Every committer commits `count` times from where the store is, while others fold and die.
async fn run_for_a_while(place: &Redis, count: u64) {
    let done = Arc::new(AtomicBool::new(false));
    let folder = tokio::spawn(fold_and_die(place.another_store(), done.clone()));
    let mut committers = JoinSet::new();
    for committer in 0..COMMITTERS {
        let store = place.another_store();
        committers.spawn(async move {
            let from = stored(&store, &name(committer)).await.expect("registered").position;
            for position in from..from + count {
                commit_one(&store, committer, position).await;
            }
        });
    }
    while let Some(task) = committers.join_next().await {
        task.expect("no panic");
    }
    done.store(true, Ordering::Release);
    folder.await.expect("no panic");
}
