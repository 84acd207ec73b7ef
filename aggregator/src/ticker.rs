//! Lets the journal's time go on in a silent system.
//!
//! Exporters hide a series by the time of the journal and not by their own clocks, so that all of them
//! hide it at the same moment. Where nothing is committed, that time would stand still: an empty entry
//! now and then moves it. Any number of aggregators may do this at once; each looks first whether
//! somebody else was there.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::Family;
use logtally_store::{SharedStore, StoreClock, StoreError};
use rand::Rng;

use crate::folder::Backlog;
use crate::metrics::Metrics;
use crate::shortest_ttl::ShortestTtl;

/// How often is looked at the store whether families have a time-to-live. One that this process commits
/// is known at once.
const FAMILIES_EVERY: Duration = Duration::from_secs(10);

/// Partitions asked at the same time.
const AT_ONCE: usize = 32;

/// What a ticker works with.
pub struct Ticker {
    /// The store.
    pub store: SharedStore,
    /// Number of partitions.
    pub partitions: u16,
    /// Of the partition that the empty entries go to.
    pub backlog: Backlog,
    /// Tells of the first time-to-live, and of shorter ones.
    pub shortest_ttl: ShortestTtl,
    /// Own metrics.
    pub metrics: Metrics,
}

impl Ticker {
    /// Works for ever.
    pub async fn run(self) {
        let (mut period, mut looked) = (None, None::<Instant>);
        loop {
            if looked.is_none_or(|at| at.elapsed() >= FAMILIES_EVERY) {
                match self.period().await {
                    Ok(found) => (period, looked) = (found, Some(Instant::now())),
                    Err(error) => self.note(&error),
                }
            }
            // Two aggregators that wake at the same moment would both find that nobody was there.
            let jitter = rand::rng().random_range(0.5..1.0);
            let wait = period.unwrap_or(FAMILIES_EVERY).min(FAMILIES_EVERY).mul_f64(jitter);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shortest_ttl.shorter() => looked = None,
            }
            if let Some(period) = period
                && let Err(error) = self.tick(period).await
            {
                self.note(&error);
            }
        }
    }

    /// Whoever commits and folds says loudly that the store is away.
    fn note(&self, error: &StoreError) {
        self.metrics.store_errors.inc();
        tracing::debug!(%error, "cannot let the time go on, trying again");
    }

    /// How often time must go on; `None` if no family has a time-to-live.
    async fn period(&self) -> Result<Option<Duration>, StoreError> {
        let families = self.ask(|at| async move { self.store.families(at).await }).await?;
        Ok(period_of(families.iter().flatten()))
    }

    /// Moves the journal's time if nobody did for a period.
    async fn tick(&self, period: Duration) -> Result<Option<Mark>, StoreError> {
        let clocks = self.ask(|at| async move { self.store.clock(at).await }).await?;
        if !is_silent(&clocks, period) {
            return Ok(None);
        }
        let mark = self.store.tick(Partition(0), Nonce(rand::random::<u64>() | 1)).await?;
        self.backlog.committed(0);
        Ok(Some(mark))
    }

    /// Asks all partitions.
    async fn ask<T, F>(&self, question: impl Fn(Partition) -> F) -> Result<Vec<T>, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let questions: Vec<F> = (0..self.partitions).map(|p| question(Partition(p))).collect();
        stream::iter(questions).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// A tenth of the shortest time-to-live, so that nothing is shown for much longer; at least a second
/// and at most a minute.
fn period_of<'f>(families: impl Iterator<Item = &'f Family>) -> Option<Duration> {
    let shortest_s = families.map(|family| family.ttl_s).filter(|ttl_s| *ttl_s > 0).min()?;
    let period = Duration::from_millis(shortest_s.saturating_mul(100));
    Some(period.clamp(Duration::from_secs(1), Duration::from_mins(1)))
}

/// Whether no journal has an entry of the last period.
fn is_silent(clocks: &[StoreClock], period: Duration) -> bool {
    let now_ms = clocks.iter().map(|clock| clock.now_ms).max().unwrap_or(0);
    let last_ms = clocks.iter().map(|clock| clock.time_ms).max().unwrap_or(0);
    u128::from(now_ms.saturating_sub(last_ms)) >= period.as_millis()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use logtally_core::batch::Batch;
    use logtally_core::delta::{Delta, Span};
    use logtally_core::series::{Increments, Kind, SeriesKey};
    use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
    use logtally_store::memory::MemoryStore;
    use logtally_store::{CountStore, Opening, Pace, SnapshotReader};
    use prometheus::Registry;

    use super::*;

    #[test]
    fn time_goes_on_as_often_as_the_shortest_life_needs() {
        let family = |ttl_s| Family { ttl_s, ..Family::new("n", Kind::Gauge, "", &[]) };
        let check = |ttls_s: &[u64], seconds: Option<u64>| {
            let families: Vec<_> = ttls_s.iter().map(|ttl_s| family(*ttl_s)).collect();
            assert_eq!(period_of(families.iter()), seconds.map(Duration::from_secs), "{ttls_s:?}");
        };
        check(&[], None);
        check(&[0], None);
        check(&[0, 300, 7_200], Some(30));
        check(&[5], Some(1));
        check(&[86_400], Some(60));
        check(&[u64::MAX], Some(60));
    }

    /// A delta of one record in a family with a time-to-live of five seconds.
    fn delta(source: &SourceId) -> Delta {
        let family = Family { ttl_s: 5, ..Family::new("n", Kind::Gauge, "", &[]) };
        let key = SeriesKey::new(family.id(), []);
        Delta {
            source: source.clone(),
            generation: Generation(1),
            span: Span::new(0, 1).expect("valid"),
            tail_before: Tail::empty(),
            tail_after: Tail(1),
            note: None,
            records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
            increments: Increments::pack([(key.as_bytes(), 1)]),
            families: vec![family],
            limits: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_time_to_live_counts_from_its_commit_on() {
        let begun = tokio::time::Instant::now();
        let clock = Arc::new(move || 1_000_000 + begun.elapsed().as_millis() as u64);
        let store = Arc::new(MemoryStore::new().with_clock(clock));
        store.create(Some(2)).await.expect("a fresh store");
        let source = SourceId::new("a").expect("valid");
        let fresh = SourceState::start(Generation(1));
        let opening = Opening { source: source.clone(), expected: None, fresh };
        store.open(Partition(1), &opening).await.expect("opens");
        let metrics = Metrics::new(&Registry::new()).expect("valid names");
        let (shortest_ttl, backlog) = (ShortestTtl::default(), Backlog::new(Pace::IN_MEMORY));
        let ticker = Ticker {
            store: store.clone(),
            partitions: 2,
            backlog,
            shortest_ttl: shortest_ttl.clone(),
            metrics,
        };
        let ticking = tokio::spawn(ticker.run());
        // It has just looked, and found no family.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (batch, _) = Batch::build([delta(&source)]);
        store.commit(Partition(1), &batch, Nonce(1)).await.expect("commits");
        shortest_ttl.committed(batch.families());
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let clock = store.clock(Partition(0)).await.expect("answers");
        assert!(clock.time_ms >= 1_001_000, "time went on after {clock:?}");
        ticking.abort();
    }

    #[tokio::test]
    async fn an_empty_entry_is_written_only_if_nobody_wrote_one() {
        let now_ms = Arc::new(AtomicU64::new(1_000_000));
        let hand = Arc::clone(&now_ms);
        let clock = Arc::new(move || hand.load(Ordering::Relaxed));
        let store = Arc::new(MemoryStore::new().with_clock(clock));
        store.create(Some(2)).await.expect("a fresh store");
        let metrics = Metrics::new(&Registry::new()).expect("valid names");
        let backlog = Backlog::new(Pace::IN_MEMORY);
        let shortest_ttl = ShortestTtl::default();
        let ticker = Ticker { store: store.clone(), partitions: 2, backlog, shortest_ttl, metrics };
        let period = Duration::from_secs(3);
        let tick = async || ticker.tick(period).await.expect("answers").map(|mark| mark.seq);
        assert_eq!(ticker.period().await.expect("answers"), None);
        assert_eq!(tick().await, Some(1));
        assert_eq!(tick().await, None);
        now_ms.fetch_add(2_999, Ordering::Relaxed);
        assert_eq!(tick().await, None);
        now_ms.fetch_add(1, Ordering::Relaxed);
        assert_eq!(tick().await, Some(2));
        now_ms.fetch_add(5_000, Ordering::Relaxed);
        store.tick(Partition(1), Nonce(7)).await.expect("answers");
        assert_eq!(tick().await, None, "somebody else was there");
        let snapshot = store.load(Partition(0)).await.expect("loads");
        assert_eq!(snapshot.time_ms, 1_003_000);
    }
}
