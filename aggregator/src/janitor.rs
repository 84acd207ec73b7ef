//! Forgets the sources of pushes that nobody comes back to: idempotency keys, and anonymous sources.
//!
//! The note of both holds the time of their last push, and they are forgotten when that is longer ago
//! than the retention, by the store's time. What they counted stays. Every aggregator does this now and then;
//! each source is compared with its whole state before it goes, so two at once, or a commit in between,
//! do no harm. Nothing here ever forgets the position of a file or of a named producer.

use std::time::Duration;

use logtally_core::partition::Partition;
use logtally_core::source::{SourceId, SourceState};
use logtally_store::{SharedStore, StoreError};
use rand::Rng;

use crate::metrics::Metrics;

/// How often all partitions are looked through: a small part of the shortest retention.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// Sources forgotten at once: a store that waits for its disk does so once for all of them, and nothing
/// else is held up for long.
const FORGET_AT_ONCE: usize = 200;

/// What a janitor works with.
pub struct Janitor {
    /// The store.
    pub store: SharedStore,
    /// Number of partitions.
    pub partitions: u16,
    /// How long keys and anonymous sources are kept.
    pub retention: Duration,
    /// Own metrics.
    pub metrics: Metrics,
}

impl Janitor {
    /// Works for ever.
    pub async fn run(self) {
        // Aggregators that start together must not look through everything together.
        let mut wait = SWEEP_EVERY.mul_f64(rand::rng().random_range(0.0..1.0));
        loop {
            tokio::time::sleep(wait).await;
            for at in (0..self.partitions).map(Partition) {
                match self.sweep(at).await {
                    Ok(0) => {}
                    Ok(sources) => {
                        tracing::info!(partition = %at, sources, "old keys and anonymous sources forgotten");
                    }
                    // Whoever commits and folds says loudly that the store is away.
                    Err(error) => {
                        self.metrics.store_errors.inc();
                        tracing::debug!(partition = %at, %error, "cannot look for old keys");
                    }
                }
            }
            wait = SWEEP_EVERY.mul_f64(rand::rng().random_range(0.5..1.5));
        }
    }

    /// Looks through one partition, page by page. How many sources it forgot.
    async fn sweep(&self, at: Partition) -> Result<u64, StoreError> {
        let now_s = self.store.clock(at).await?.now_ms / 1000;
        let (mut forgotten, mut from) = (0, None);
        loop {
            let mut page = self.store.sources_page(at, from.as_ref()).await?;
            page.sources.retain(|(source, state)| is_over(source, state, now_s, self.retention));
            for some in page.sources.chunks(FORGET_AT_ONCE) {
                let removed = self.store.forget_sources(at, some).await?;
                self.metrics.sources_forgotten.inc_by(removed);
                forgotten += removed;
            }
            from = page.next;
            if from.is_none() {
                return Ok(forgotten);
            }
        }
    }
}

/// Whether a source is a key or an anonymous one that was last used longer ago than the retention. One
/// that does not say when that was stays.
fn is_over(source: &SourceId, state: &SourceState, now_s: u64, retention: Duration) -> bool {
    let age_s = |used_s: u64| now_s.saturating_sub(used_s);
    source.is_temporary() && state.note.is_some_and(|at| age_s(at) > retention.as_secs())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use logtally_core::limits::PUSHED_SOURCE_RETENTION_DEFAULT;
    use logtally_core::push::{Group, ProducerName, Scope};
    use logtally_core::source::Generation;
    use logtally_store::memory::MemoryStore;
    use logtally_store::{CountStore, Opening, SOURCES_PAGE, SnapshotReader};
    use prometheus::Registry;

    use super::*;

    const P: Partition = Partition(0);
    const NOW_S: u64 = 1_700_000_000;

    struct Bench {
        janitor: Janitor,
        now_s: Arc<AtomicU64>,
        store: Arc<MemoryStore>,
    }

    async fn bench() -> Bench {
        let now_s = Arc::new(AtomicU64::new(NOW_S));
        let hand = Arc::clone(&now_s);
        let clock = Arc::new(move || hand.load(Ordering::Relaxed) * 1000);
        let store = Arc::new(MemoryStore::new().with_clock(clock));
        store.create(Some(1)).await.expect("a fresh store");
        let metrics = Metrics::new(&Registry::new()).expect("valid names");
        let retention = PUSHED_SOURCE_RETENTION_DEFAULT;
        let janitor = Janitor { store: store.clone(), partitions: 1, retention, metrics };
        Bench { janitor, now_s, store }
    }

    impl Bench {
        async fn open(&self, source: &SourceId, note: Option<u64>) {
            let fresh = SourceState { note, ..SourceState::start(Generation(1)) };
            let opening = Opening { source: source.clone(), expected: None, fresh };
            assert!(self.store.open(P, &opening).await.expect("answers").installed);
        }

        async fn left(&self) -> Vec<SourceId> {
            let sources = self.store.sources(P).await.expect("answers");
            sources.into_iter().map(|(source, _)| source).collect()
        }
    }

    #[tokio::test]
    async fn only_keys_and_anonymous_sources_that_are_old_enough_are_forgotten() {
        let bench = bench().await;
        let group =
            Group::new(vec![("job".into(), "a".into())]).map(Scope::Group).expect("a group");
        let old = [
            Scope::Lines.key(b"1"),
            group.key(b"1"),
            Scope::Lines.anonymous(1),
            group.anonymous(1),
        ];
        for source in &old {
            bench.open(source, Some(NOW_S)).await;
        }
        let producer = ProducerName::new("key/1").expect("a name").source();
        let file = SourceId::file("v", 1, 2).expect("a source");
        let young = Scope::Lines.key(b"young");
        let unknown = Scope::Lines.anonymous(77);
        let mut stay = vec![(producer, Some(0)), (file, Some(0)), (unknown, None)];
        stay.push((young, Some(NOW_S + 1)));
        for (source, note) in &stay {
            bench.open(source, *note).await;
        }
        let all = bench.left().await;
        bench.now_s.fetch_add(PUSHED_SOURCE_RETENTION_DEFAULT.as_secs(), Ordering::Relaxed);
        assert_eq!(bench.janitor.sweep(P).await.expect("answers"), 0);
        assert_eq!(bench.left().await, all);
        bench.now_s.fetch_add(1, Ordering::Relaxed);
        assert_eq!(bench.janitor.sweep(P).await.expect("answers"), old.len() as u64);
        let mut wanted: Vec<SourceId> = stay.into_iter().map(|(source, _)| source).collect();
        wanted.sort();
        assert_eq!(bench.left().await, wanted);
        assert_eq!(bench.janitor.metrics.sources_forgotten.get(), old.len() as u64);
    }

    #[tokio::test]
    async fn all_pages_are_looked_through() {
        let bench = bench().await;
        let many = SOURCES_PAGE * 2 + 10;
        for n in 0..many {
            bench.open(&Scope::Lines.key(&n.to_le_bytes()), Some(n as u64 % 2 * NOW_S)).await;
        }
        assert_eq!(bench.janitor.sweep(P).await.expect("answers"), many as u64 / 2);
        assert_eq!(bench.left().await.len(), many / 2);
    }

    #[tokio::test]
    async fn a_source_that_moved_meanwhile_stays() {
        let bench = bench().await;
        let key = Scope::Lines.key(b"1");
        bench.open(&key, Some(0)).await;
        let page = bench.store.sources_page(P, None).await.expect("answers");
        let moved = SourceState { note: Some(1), ..SourceState::start(Generation(2)) };
        let expected = Some(page.sources[0].1);
        let opening = Opening { source: key.clone(), expected, fresh: moved };
        assert!(bench.store.open(P, &opening).await.expect("answers").installed);
        assert_eq!(bench.store.forget_sources(P, &page.sources).await.expect("answers"), 0);
        assert_eq!(bench.left().await, [key]);
    }
}
