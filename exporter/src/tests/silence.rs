//! When there is no page, why, and for how long.

use std::sync::atomic::Ordering;
use std::time::Duration;

use logtally_service::Context;
use logtally_store::memory::MemoryStore;
use logtally_store::{CountStore, StoreInfo};
use tokio::time::advance;

use super::hosts;
use crate::testing::{World, own, scrape};
use crate::{Exporter, Unavailable, ViewOptions};

/// Why an exporter serves nothing.
async fn silence(exporter: &Exporter) -> String {
    scrape(exporter).await.expect_err("silent").to_string()
}

fn why_not_ready(context: &Context) -> String {
    let reasons = context.readiness.reasons();
    let [(name, why)] = &reasons[..] else { panic!("one reason: {reasons:?}") };
    format!("{name}: {why}")
}

#[tokio::test]
async fn nothing_is_served_while_the_store_is_away() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    assert_eq!(why_not_ready(&context), "view: starting");
    world.count("a", 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    assert!(context.readiness.is_ready());
    world.is_away.store(true, Ordering::Relaxed);
    let reason = "the store is not available: connection refused";
    assert_eq!(silence(&exporter).await, reason);
    assert_eq!(why_not_ready(&context), format!("view: {reason}"));
    world.is_away.store(false, Ordering::Relaxed);
    world.count("a", 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 2)])));
    assert!(context.readiness.is_ready());
}

#[tokio::test]
async fn a_store_that_is_not_there_yet_is_named() {
    let world = World::new(1).await;
    world.roll_back(&MemoryStore::new().snapshot());
    let (exporter, _context) = world.exporter();
    let reason = "the store holds nothing yet: start an aggregator, which creates it";
    assert_eq!(silence(&exporter).await, reason);
    world.store.create(Some(2)).await.expect("fresh");
    assert_eq!(scrape(&exporter).await, Ok(hosts([])));
}

#[tokio::test]
async fn counts_below_what_was_served_are_not_shown_until_they_are_back() {
    let world = World::new(2).await;
    let (exporter, context) = world.exporter();
    world.count("a", 1).await;
    let image = world.store.snapshot();
    world.count("a", 4).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 5)])));
    world.roll_back(&image);
    world.count("a", 3).await;
    world.count("b", 9).await;
    let reason = "1 series are below what was served before; the first is \
                  log_lines{host=\"a\"}, which was 5 and is 4";
    assert_eq!(silence(&exporter).await, reason);
    assert_eq!(why_not_ready(&context), format!("view: {reason}"));
    world.count("a", 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 5), ("b", 9)])));
    assert!(own(&context, "accepted_losses_total").abs() < 0.1);
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_accepted_after_the_recovery_timeout_only() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    let image = world.store.snapshot();
    world.count("a", 5).await;
    scrape(&exporter).await.expect("served");
    world.roll_back(&image);
    world.count("a", 2).await;
    silence(&exporter).await;
    advance(Duration::from_secs(599)).await;
    silence(&exporter).await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 2)])));
    assert!((own(&context, "accepted_losses_total") - 1.0).abs() < 0.1);
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 2)])));
}

#[tokio::test(start_paused = true)]
async fn a_replaced_server_settles_first() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    world.count("a", 5).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 5)])), "the first server is no other one");
    world.server.store(2, Ordering::Relaxed);
    let reason = "the store's server was replaced and may have lost what was shown; waiting 10 s \
                  more";
    assert_eq!(silence(&exporter).await, reason);
    advance(Duration::from_secs(9)).await;
    assert!(matches!(scrape(&exporter).await, Err(Unavailable::Settling(_))));
    advance(Duration::from_secs(1)).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 5)])));
    assert!((own(&context, "server_changes_total") - 1.0).abs() < 0.1, "counted once");
}

#[tokio::test]
async fn a_server_replaced_while_the_store_was_away_is_noticed() {
    let world = World::new(1).await;
    let (exporter, _context) = world.exporter();
    scrape(&exporter).await.expect("served");
    world.is_away.store(true, Ordering::Relaxed);
    silence(&exporter).await;
    world.server.store(2, Ordering::Relaxed);
    world.is_away.store(false, Ordering::Relaxed);
    assert!(matches!(scrape(&exporter).await, Err(Unavailable::Settling(_))));
}

#[tokio::test]
async fn a_server_replaced_during_a_sync_is_noticed_by_that_sync() {
    let world = World::new(1).await;
    let (exporter, _context) = world.exporter();
    scrape(&exporter).await.expect("served");
    let gate = world.put_gate();
    let scraping = tokio::spawn({
        let exporter = exporter.clone();
        async move { scrape(&exporter).await }
    });
    gate.reached.notified().await;
    world.server.store(2, Ordering::Relaxed);
    gate.open.notify_one();
    let scraped = scraping.await.expect("no panic");
    assert!(matches!(scraped, Err(Unavailable::Settling(_))), "{scraped:?}");
}

#[tokio::test]
async fn recovering_sources_are_waited_for() {
    let world = World::new(2).await;
    let (exporter, context) = world.exporter();
    world.count("a", 5).await;
    scrape(&exporter).await.expect("served");
    world.report_ahead("a").await;
    let reason = "1 sources are behind what was acknowledged to their readers and are read again";
    assert_eq!(silence(&exporter).await, reason);
    assert!((own(&context, "recovering_sources") - 1.0).abs() < 0.1);
    world.count("a", 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 6)])), "reached");
    world.report_ahead("a").await;
    silence(&exporter).await;
    world.pass(ViewOptions::default().recovery_timeout.as_millis() as u64);
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 6)])), "given up");
}

#[tokio::test]
async fn a_cold_start_waits_for_recovering_sources_too() {
    let world = World::new(2).await;
    world.count("a", 5).await;
    world.report_ahead("a").await;
    let (exporter, _context) = world.exporter();
    assert_eq!(scrape(&exporter).await, Err(Unavailable::Recovering(1)));
}

#[tokio::test(start_paused = true)]
async fn another_store_is_loaded_whole_and_does_not_hide_a_loss() {
    let world = World::new(3).await;
    let (exporter, context) = world.exporter();
    world.count("a", 5).await;
    scrape(&exporter).await.expect("served");
    world.roll_back(&MemoryStore::new().snapshot());
    silence(&exporter).await;
    let StoreInfo { partitions, .. } = world.store.create(Some(2)).await.expect("fresh");
    assert_eq!(partitions, 2);
    world.count("a", 1).await;
    assert!(matches!(scrape(&exporter).await, Err(Unavailable::BelowHighWater(_))));
    world.count("a", 4).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 5)])));
    assert!((own(&context, "loads_total") - 5.0).abs() < 0.1, "three, then two");
}
