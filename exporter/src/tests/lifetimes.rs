//! Times-to-live and forgetting, over a store: all replicas agree, the cold ones, too.

use std::sync::Arc;

use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Kind, SeriesKey};
use logtally_store::{CountStore, TRIM_GRACE_MS};

use crate::testing::{Shown, World, lines, scrape};
use crate::{Exporter, PageFormat};

const TTL_S: u64 = 60;

fn lasting() -> Family {
    Family { ttl_s: TTL_S, ..Family::new("jobs", Kind::Counter, "", &["job"]) }
}

/// Lets time pass on the store's clock and in its journal.
async fn pass(world: &World, ms: u64) {
    world.pass(ms);
    world.store.tick(Partition(0), Nonce(world.now())).await.expect("answers");
}

/// What a replica shows, after checking that one that starts now shows the same bytes.
async fn agreed(world: &Arc<World>, warm: &Exporter) -> Shown {
    let (cold, _context) = world.exporter();
    for format in [PageFormat::Text, PageFormat::OpenMetrics] {
        let pages = (warm.exposition(format).await, cold.exposition(format).await);
        assert!(pages.0.is_ok(), "{:?}", pages.0);
        assert_eq!(pages.0, pages.1);
    }
    scrape(warm).await.expect("served")
}

fn jobs<const N: usize>(counts: [(&str, u64); N]) -> Shown {
    counts.into_iter().map(|(job, n)| (format!("jobs{{job=\"{job}\"}}"), n)).collect()
}

#[tokio::test]
async fn replicas_hide_and_show_at_the_same_moment() {
    let world = World::new(3).await;
    let (warm, _context) = world.exporter();
    world.count_in(&lasting(), "s1", &["a"], 3).await;
    pass(&world, 30_000).await;
    world.count_in(&lasting(), "s2", &["b"], 1).await;
    assert_eq!(agreed(&world, &warm).await, jobs([("a", 3), ("b", 1)]));
    pass(&world, 29_999).await;
    assert_eq!(agreed(&world, &warm).await, jobs([("a", 3), ("b", 1)]));
    // The clock alone hides nothing: replicas would not agree when.
    world.pass(1);
    assert_eq!(agreed(&world, &warm).await, jobs([("a", 3), ("b", 1)]));
    pass(&world, 0).await;
    assert_eq!(agreed(&world, &warm).await, jobs([("b", 1)]));
    // Also when a cold replica finds nothing but folded counts.
    for _ in 0..3 {
        world.fold().await;
        assert_eq!(agreed(&world, &warm).await, jobs([("b", 1)]));
        world.pass(TRIM_GRACE_MS + 1);
    }
    // This commit tells that the time of the other one is up, too.
    world.count_in(&lasting(), "s3", &["a"], 2).await;
    assert_eq!(agreed(&world, &warm).await, jobs([("a", 5)]));
}

#[tokio::test]
async fn a_commit_of_anything_tells_the_time() {
    let world = World::new(4).await;
    let (warm, _context) = world.exporter();
    world.count_in(&lasting(), "s1", &["a"], 3).await;
    assert_eq!(agreed(&world, &warm).await, jobs([("a", 3)]));
    world.pass(TTL_S * 1000);
    world.count("x", 1).await;
    let shown = agreed(&world, &warm).await;
    assert_eq!(shown.into_keys().collect::<Vec<_>>(), ["log_lines{host=\"x\"}"]);
}

#[tokio::test]
async fn a_forgotten_series_is_gone_without_silence() {
    let world = World::new(1).await;
    let (warm, _context) = world.exporter();
    world.count("a", 5).await;
    world.count("b", 2).await;
    agreed(&world, &warm).await;
    let key = SeriesKey::new(lines().id(), ["a"]);
    world.store.forget(Partition(0), &[key], Nonce(9)).await.expect("answers");
    let b = ("log_lines{host=\"b\"}".to_owned(), 2);
    assert_eq!(agreed(&world, &warm).await, Shown::from([b.clone()]));
    world.fold().await;
    assert_eq!(agreed(&world, &warm).await, Shown::from([b.clone()]));
    world.count("a", 1).await;
    let a = ("log_lines{host=\"a\"}".to_owned(), 1);
    assert_eq!(agreed(&world, &warm).await, Shown::from([a, b]));
}
