//! The exporter over a store: what a scrape contains, and when there is none.

mod history;

mod kinds;

mod lifetimes;

mod silence;

mod view;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use logtally_core::series::{Kind, SeriesKey};
use logtally_service::Context;
use logtally_store::SnapshotReader;

use crate::metrics::Metrics;
use crate::page::Form;
use crate::replica::Replica;
use crate::testing::{Shown, World, family, lines, own, scrape};
use crate::{PageFormat, Unavailable, ViewOptions};

/// The form of a page that is read here.
const PLAIN: Form = Form { format: PageFormat::Text, gzip: false };

/// What is shown of hosts.
fn hosts<const N: usize>(counts: [(&str, u64); N]) -> Shown {
    counts.into_iter().map(|(host, n)| (format!("log_lines{{host=\"{host}\"}}"), n)).collect()
}

#[tokio::test]
async fn a_scrape_has_everything_committed_before_it() {
    let world = World::new(3).await;
    let (exporter, context) = world.exporter();
    assert_eq!(scrape(&exporter).await, Ok(hosts([])));
    world.count("a", 2).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 2)])));
    world.count("b", 3).await;
    world.fold().await;
    world.count("a", 40).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 42), ("b", 3)])));
    assert!((own(&context, "loads_total") - 3.0).abs() < 0.1, "one load per partition");
    assert!((own(&context, "view_series") - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn a_trimmed_journal_is_a_reason_to_load_again() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    assert_eq!(scrape(&exporter).await, Ok(hosts([])));
    for _ in 0..3 {
        world.count("a", 1).await;
        world.fold().await;
        world.pass(60_000);
    }
    world.fold().await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 3)])));
    assert!((own(&context, "loads_total") - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn two_replicas_show_the_same_bytes() {
    let world = World::new(4).await;
    let (early, _one) = world.exporter();
    let counter = family(Kind::Counter, "lines_total", "All", &["job"]);
    for n in 1..50 {
        world.count(&format!("host{}", n * 7 % 10), n).await;
        world.count_in(&counter, &format!("s{}", n % 5), &["x"], n).await;
        world.pass(777);
        if n % 10 == 0 {
            world.fold().await;
            scrape(&early).await.expect("served");
        }
    }
    let (late, _other) = world.exporter();
    for format in [PageFormat::Text, PageFormat::OpenMetrics] {
        let pages = (early.exposition(format).await, late.exposition(format).await);
        assert!(pages.0.as_ref().is_ok_and(|page| page.len() > 100));
        assert_eq!(pages.0, pages.1);
    }
}

#[tokio::test]
async fn an_unchanged_page_is_written_once() {
    let world = World::new(2).await;
    let (exporter, _context) = world.exporter();
    world.count("a", 1).await;
    let page = async || exporter.page(PLAIN).await.expect("served");
    let first = page().await;
    assert!(Arc::ptr_eq(&first, &page().await));
    world.count("a", 1).await;
    assert!(!Arc::ptr_eq(&first, &page().await));
}

#[tokio::test]
async fn a_replica_shows_what_its_last_sync_allows() {
    let world = World::new(1).await;
    let context = Context::new("test", "0");
    let metrics = Metrics::new(&context.registry).expect("valid names");
    let gate = context.readiness.gate("view");
    let store: Arc<dyn SnapshotReader> = Arc::<World>::clone(&world);
    let mut replica = Replica::new(store, ViewOptions::default(), metrics, gate);
    assert!(replica.page(PLAIN).await.is_err(), "not before the first sync");
    assert_eq!(replica.sync().await, Ok(()));
    assert!(replica.page(PLAIN).await.is_ok());
    world.is_away.store(true, Ordering::Relaxed);
    assert!(replica.sync().await.is_err());
    assert!(replica.page(PLAIN).await.is_err(), "although there is one in the cache");
}

#[tokio::test]
async fn a_scrape_does_not_join_a_sync_that_had_begun_before_it() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    scrape(&exporter).await.expect("served");
    let gate = world.put_gate();
    let spawn = || {
        let exporter = exporter.clone();
        tokio::spawn(async move { scrape(&exporter).await })
    };
    let first = spawn();
    gate.reached.notified().await;
    world.count("a", 1).await;
    // The first sync has looked already: these two need another one, and share it.
    let (second, third) = (spawn(), spawn());
    tokio::task::yield_now().await;
    world.take_gate();
    gate.open.notify_one();
    first.await.expect("no panic").expect("served");
    assert_eq!(second.await.expect("no panic"), Ok(hosts([("a", 1)])));
    assert_eq!(third.await.expect("no panic"), Ok(hosts([("a", 1)])));
    let syncs = context.registry.gather();
    let syncs = syncs.iter().find(|f| f.name() == "logtally_exporter_sync_duration_seconds");
    let syncs = syncs.expect("registered").get_metric()[0].get_histogram().get_sample_count();
    assert_eq!(syncs, 3);
}

#[tokio::test]
async fn a_scrape_that_is_given_up_leaves_the_sync_to_the_others() {
    let world = World::new(1).await;
    let (exporter, _context) = world.exporter();
    scrape(&exporter).await.expect("served");
    world.count("a", 1).await;
    let gate = world.put_gate();
    let leader = tokio::spawn({
        let exporter = exporter.clone();
        async move { scrape(&exporter).await }
    });
    gate.reached.notified().await;
    leader.abort();
    assert!(leader.await.is_err());
    world.take_gate();
    gate.open.notify_one();
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
}

#[tokio::test]
async fn families_that_come_later_are_read_again() {
    let world = World::new(2).await;
    let (exporter, context) = world.exporter();
    world.count("a", 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    let loads = own(&context, "loads_total");
    let other = family(Kind::Gauge, "other", "", &[]);
    world.count_in(&other, "b", &[], 5).await;
    let page = scrape(&exporter).await.expect("served");
    assert_eq!(page.get("other"), Some(&5), "{page:?}");
    assert_eq!(world.family_reads.load(Ordering::Relaxed), 1);
    assert!((own(&context, "loads_total") - loads).abs() < 0.1, "without a load");
}

#[tokio::test]
async fn a_family_that_is_nowhere_does_not_spoil_the_page() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    world.count("a", 1).await;
    scrape(&exporter).await.expect("served");
    let lost = family(Kind::Gauge, "lost", "", &[]);
    world.hidden.lock().expect("no panic").push(lost.clone());
    world.count_in(&lost, "b", &[], 5).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    assert!((own(&context, "left_out_families") - 1.0).abs() < 0.1);
    let loads = own(&context, "loads_total");
    world.count_in(&lost, "b", &[], 5).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    assert!((own(&context, "loads_total") - loads).abs() < 0.1, "not searched for ever");
}

#[tokio::test]
async fn a_stray_series_does_not_spoil_the_page() {
    let world = World::new(1).await;
    let (exporter, context) = world.exporter();
    world.count("a", 1).await;
    let stray = SeriesKey::new(lines().id(), ["a", "b", "c"]);
    world.commit(&lines(), "s", &stray, 1).await;
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    assert!((own(&context, "left_out_series") - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn folds_that_interfere_with_a_read_are_waited_out() {
    let world = World::new(1).await;
    let (exporter, _context) = world.exporter();
    world.count("a", 1).await;
    world.moves.store(4, Ordering::Relaxed);
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    world.moves.store(4, Ordering::Relaxed);
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
    world.moves.store(100, Ordering::Relaxed);
    assert!(matches!(scrape(&exporter).await, Err(Unavailable::Store(_))));
    world.moves.store(0, Ordering::Relaxed);
    assert_eq!(scrape(&exporter).await, Ok(hosts([("a", 1)])));
}
