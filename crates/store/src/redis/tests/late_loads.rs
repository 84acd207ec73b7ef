//! A load that is slow: between any two of its steps others commit, fold and trim, or the store loses
//! its last steps.

use super::super::load::Loading;
use super::*;
use crate::model::Snapshot;

/// Reads the counts hash of a host.
async fn read(
    loading: &mut Loading,
    place: &RedisPartition<'_>,
    host: &str,
) -> Result<(), StoreError> {
    loading.read(place, &[bucket_of(series(host).as_bytes())]).await
}

fn check_exact(bench: &Bench, snapshot: &Snapshot) {
    assert_eq!(snapshot.at.seq, bench.recount.position);
    let counts = snapshot.counts.to_map();
    for (key, n) in &bench.recount.counts {
        assert_eq!(counts.get(key).map(|count| count.amount.count), Some(*n), "{key:?}");
    }
}

/// Commits, folds and trims at once everything that is folded.
async fn go_on(bench: &mut Bench, hosts: &[&str]) {
    for _ in 0..3 {
        bench.commit(hosts).await;
        bench.fold().await;
    }
}

#[tokio::test]
async fn folds_between_its_steps_change_nothing() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&a, &b]).await;
    let mut loading = Loading::begin(&bench.place().await).await.expect("begins");
    go_on(&mut bench, &[&a, &b]).await;
    read(&mut loading, &bench.place().await, &a).await.expect("reads");
    go_on(&mut bench, &[&b]).await;
    bench.commit(&[&a]).await;
    go_on(&mut bench, &[&a, &b]).await;
    read(&mut loading, &bench.place().await, &b).await.expect("reads");
    bench.commit(&[&a, &b]).await;
    let snapshot = loading.finish(&bench.place().await).await.expect("finishes");
    check_exact(&bench, &snapshot);
}

#[tokio::test]
async fn a_trim_of_what_it_needs_is_seen() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    let options = RedisOptions { trim_grace_ms: 0, ..RedisOptions::default() };
    let url = bench.server.url();
    let mut loading = Loading::begin(&bench.place().await).await.expect("begins");
    read(&mut loading, &bench.place().await, &a).await.expect("reads");
    bench.store = RedisStore::connect(&url, options).expect("a valid address");
    go_on(&mut bench, &[&a, &b]).await;
    assert!(is_moved(&read(&mut loading, &bench.place().await, &b).await));
    bench.check().await;
}

#[tokio::test]
async fn a_rollback_of_entries_is_seen() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&a, &b]).await;
    bench.save();
    bench.commit(&[&a, &b]).await;
    bench.fold().await;
    let mut loading = Loading::begin(&bench.place().await).await.expect("begins");
    read(&mut loading, &bench.place().await, &a).await.expect("reads");
    bench.roll_back();
    for _ in 0..3 {
        bench.commit(&[&b]).await;
        bench.fold().await;
    }
    let place = bench.place().await;
    let result = match read(&mut loading, &place, &b).await {
        Ok(()) => loading.finish(&place).await.map(|_| ()),
        refused => refused,
    };
    assert!(is_moved(&result), "{result:?}");
}

/// The entries stand, and what was folded of them is lost in between.
#[tokio::test]
async fn a_rollback_of_a_fold_is_seen_or_harmless() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&a, &b]).await;
    bench.fold().await;
    bench.commit(&[&a, &b]).await;
    bench.commit(&[&b]).await;
    bench.save();
    bench.fold().await;
    let mut loading = Loading::begin(&bench.place().await).await.expect("begins");
    read(&mut loading, &bench.place().await, &a).await.expect("reads");
    bench.commit(&[&a]).await;
    bench.roll_back();
    let place = bench.place().await;
    match read(&mut loading, &place, &b).await {
        Ok(()) => check_exact(&bench, &loading.finish(&place).await.expect("finishes")),
        refused => assert!(is_moved(&refused), "{refused:?}"),
    }
}

/// As above, and the entries that the load followed meanwhile would be needed for the second hash.
#[tokio::test]
async fn a_rollback_behind_what_it_followed_is_seen() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&a, &b]).await;
    bench.fold().await;
    let mut loading = Loading::begin(&bench.place().await).await.expect("begins");
    bench.commit(&[&b]).await;
    bench.commit(&[&b]).await;
    bench.save();
    bench.fold().await;
    read(&mut loading, &bench.place().await, &a).await.expect("reads and follows to 3");
    bench.roll_back();
    assert!(is_moved(&read(&mut loading, &bench.place().await, &b).await));
}

/// A hash was read when it was ahead of the place folded to, and what it was ahead by is lost.
#[tokio::test]
async fn a_rollback_of_a_hash_that_was_ahead_is_seen() {
    let (a, b) = apart();
    let mut bench = Bench::new().await;
    bench.commit(&[&a, &b]).await;
    bench.save();
    bench.commit(&[&a, &b]).await;
    let place = bench.place().await;
    let dying = Round::read(&place).await.expect("reads");
    let sums = sums(&dying.entries);
    dying.write_pieces(&place, &sums, usize::MAX).await.expect("writes");
    let mut loading = Loading::begin(&place).await.expect("begins");
    read(&mut loading, &place, &a).await.expect("reads");
    bench.roll_back();
    bench.commit(&[&a]).await;
    let place = bench.place().await;
    read(&mut loading, &place, &b).await.expect("reads");
    assert!(is_moved(&loading.finish(&place).await));
}
