//! One folder per partition: merges the journal into the counts, off the path of acknowledgements.
//!
//! Several aggregators may fold one partition at once; the store lets only one succeed at a time.
//! Folding late costs nothing but room, so it waits for increments to meet their like, but not for
//! so long that the journal grows out of bounds. How long that is, the store says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_core::partition::Partition;
use logtally_service::Latch;
use logtally_store::{CountStore, Folded, Pace, StoreError};
use rand::Rng;
use tokio::sync::Notify;

use crate::metrics::Metrics;

/// How much waits to be folded, shared by the committer and the folder of a partition.
#[derive(Clone)]
pub struct Backlog(Arc<Shared>);

struct Shared {
    pace: Pace,
    /// Entries.
    waiting: AtomicU64,
    /// Increments that this process has committed since the last fold began.
    bytes: AtomicU64,
    much: Notify,
    folded: Notify,
}

impl Backlog {
    /// Nothing waits.
    pub fn new(pace: Pace) -> Self {
        let (waiting, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let (much, folded) = (Notify::new(), Notify::new());
        Self(Arc::new(Shared { pace, waiting, bytes, much, folded }))
    }

    /// Notes a commit of so many bytes of increments.
    pub fn committed(&self, bytes: usize) {
        let waiting = self.0.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if waiting >= self.0.pace.entries || bytes >= self.0.pace.bytes {
            self.0.much.notify_one();
        }
    }

    /// Waits until the journal has room.
    pub async fn has_room(&self) {
        while self.is_full() {
            let folded = self.0.folded.notified();
            self.0.much.notify_one();
            folded.await;
        }
    }

    fn is_full(&self) -> bool {
        let Pace { entries_max, bytes_max, .. } = self.0.pace;
        self.0.waiting.load(Ordering::Relaxed) >= entries_max || self.bytes() >= bytes_max
    }

    fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Notes a fold: entries that still wait, and the bytes that were there when it began.
    fn folded(&self, waiting: u64, bytes: u64) {
        self.0.waiting.store(waiting, Ordering::Relaxed);
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.folded.notify_one();
    }

    async fn due(&self) {
        let jitter = rand::rng().random_range(0.5..1.0);
        let every = self.0.pace.every.mul_f64(jitter);
        let _ = tokio::time::timeout(every, self.0.much.notified()).await;
    }
}

/// Folds one partition for ever.
pub async fn fold_forever(
    partition: Partition,
    store: Arc<dyn CountStore>,
    backlog: Backlog,
    metrics: Metrics,
    latch: Latch,
) {
    latch.ready();
    // At once: nobody knows how much the process before has left.
    loop {
        let bytes = backlog.bytes();
        let started = std::time::Instant::now();
        match store.fold(partition).await {
            Ok(folded) => {
                latch.ready();
                backlog.folded(folded.waiting, bytes);
                metrics.fold_seconds.observe(started.elapsed().as_secs_f64());
                show(&metrics, partition, folded);
            }
            Err(StoreError::Moved(reason)) => {
                tracing::debug!(%partition, reason, "another fold came first");
            }
            Err(error) => {
                metrics.store_errors.inc();
                latch.not_ready(error.to_string());
                tracing::error!(%partition, %error, "cannot fold, trying again");
            }
        }
        backlog.due().await;
    }
}

fn show(metrics: &Metrics, partition: Partition, folded: Folded) {
    let label = partition.to_string();
    metrics.folded.inc_by(folded.entries);
    metrics.journal.with_label_values(&[&label]).set(folded.journal as i64);
    metrics.fold_lag.with_label_values(&[&label]).set(folded.lag_ms as f64 / 1000.0);
}
