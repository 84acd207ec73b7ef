//! What a reader is given stands at exactly one place of the journal, whatever happens meanwhile.

use std::collections::HashMap;

use logtally_core::journal::{Mark, follow};
use logtally_core::series::SeriesKey;
use logtally_store::{Changes, SharedStore, Snapshot, StoreError};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::words::{
    P, Sums, UnderWay, Watch, apply, counter, delta, gauge, load, store_with, sums_of,
};

const COMMITS: u64 = 120;

/// What commit `i` adds: a sum that no two prefixes share, and some series that come and go.
fn pairs(i: u64) -> Vec<(SeriesKey, u64)> {
    vec![(gauge("all"), 1), (gauge(&format!("g{}", i % 7)), i + 1), (counter("n"), i * i + 1)]
}

fn prefix(commits: u64) -> Sums {
    let mut sums = Sums::new();
    for (key, n) in (0..commits).flat_map(pairs) {
        *sums.entry(key).or_default() += n;
    }
    sums
}

/// Commits and folds until all is committed. The readers stop when it is over.
async fn write(store: SharedStore, _under_way: UnderWay) {
    for i in 0..COMMITS {
        apply(&store, delta("a", 1, i..i + 1, &pairs(i))).await;
        if i % 5 == 3 {
            store.fold(P).await.expect("one folder alone");
        }
    }
}

/// Loads again if a fold came between, as every reader does.
async fn load_again(store: &SharedStore) -> Snapshot {
    for _ in 0..10_000 {
        match store.load(P).await {
            Ok(snapshot) => return snapshot,
            Err(StoreError::Moved(_)) => tokio::task::yield_now().await,
            Err(e) => panic!("{e}"),
        }
    }
    panic!("folds always come between");
}

pub(crate) async fn a_load_is_an_exact_prefix(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let watch = Watch::default();
    let mut tasks = JoinSet::new();
    tasks.spawn(write(store.clone(), watch.begin()));
    for _ in 0..2 {
        let (store, watch) = (store.clone(), watch.clone());
        tasks.spawn(async move {
            let mut last = 0;
            while !watch.is_over() {
                let snapshot = load_again(&store).await;
                assert_eq!(sums_of(&snapshot), prefix(snapshot.at.seq), "{:?}", snapshot.at);
                assert!(snapshot.at.seq >= last, "a later load is not an earlier place");
                last = snapshot.at.seq;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    assert_eq!(sums_of(&load(&store).await), prefix(COMMITS));
}

pub(crate) async fn a_follower_sees_what_a_load_sees(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let watch = Watch::default();
    let writer = tokio::spawn(write(store.clone(), watch.begin()));
    let mut follower = Follower::start(&store).await;
    while !watch.is_over() {
        follower.catch_up(&store).await;
        assert_eq!(follower.sums(), prefix(follower.at.seq), "{:?}", follower.at);
    }
    writer.await.expect("no panic");
    follower.catch_up(&store).await;
    assert_eq!(follower.sums(), prefix(COMMITS));
    assert_eq!(follower.at, load(&store).await.at);
}

/// The simplest exporter: it loads once and then follows the journal.
struct Follower {
    at: Mark,
    counts: HashMap<SeriesKey, u64>,
}

impl Follower {
    async fn start(store: &SharedStore) -> Self {
        let snapshot = load_again(store).await;
        let counts =
            snapshot.counts.to_map().into_iter().map(|(key, count)| (key, count.amount.count));
        Self { at: snapshot.at, counts: counts.collect() }
    }

    async fn catch_up(&mut self, store: &SharedStore) {
        let changes = store.changes(P, self.at).await.expect("the store answers");
        let Changes::Linked { entries, .. } = changes else {
            *self = Self::start(store).await;
            return;
        };
        self.at = follow(self.at, &entries).expect("linked, as the store says");
        for (key, n) in entries.iter().flat_map(|e| e.increments.iter()) {
            *self.counts.entry(SeriesKey::parse(key).expect("checked")).or_default() += n.count;
        }
    }

    fn sums(&self) -> Sums {
        self.counts.iter().map(|(key, n)| (key.clone(), *n)).collect()
    }
}
