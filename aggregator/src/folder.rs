//! One folder per partition: merges the journal into the counts, off the path of acknowledgements.
//!
//! Several aggregators may fold one partition at once; the store lets only one succeed at a time.
//! Folding late costs nothing but room, so it waits for increments to meet their like, but not for
//! so long that the journal grows out of bounds. How long that is, the store says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_core::partition::Partition;
use logtally_service::ReadinessGate;
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
    gate: ReadinessGate,
) {
    gate.ready();
    // At once: nobody knows how much the process before has left.
    loop {
        let bytes = backlog.bytes();
        let started = std::time::Instant::now();
        match store.fold(partition).await {
            Ok(folded) => {
                gate.ready();
                backlog.folded(folded.waiting, bytes);
                metrics.folds.seconds.observe(started.elapsed().as_secs_f64());
                show(&metrics, partition, folded);
            }
            Err(StoreError::Moved(reason)) => {
                tracing::debug!(%partition, reason, "another fold came first");
            }
            Err(error) => {
                metrics.store_errors.inc();
                gate.not_ready(error.to_string());
                tracing::error!(%partition, %error, "cannot fold, trying again");
            }
        }
        backlog.due().await;
    }
}

fn show(metrics: &Metrics, partition: Partition, folded: Folded) {
    let label = partition.to_string();
    metrics.folds.entries.inc_by(folded.entries);
    metrics.folds.journal.with_label_values(&[&label]).set(folded.journal as i64);
    metrics.folds.lag.with_label_values(&[&label]).set(folded.lag_ms as f64 / 1000.0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PACE: Pace = Pace {
        every: Duration::from_secs(1_000),
        entries: 4,
        bytes: 100,
        entries_max: 6,
        bytes_max: 200,
    };

    async fn is_due(backlog: &Backlog) -> bool {
        let soon = Duration::from_millis(10);
        tokio::time::timeout(soon, backlog.0.much.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn many_entries_and_many_bytes_are_due() {
        let backlog = Backlog::new(PACE);
        for bytes in [1, 1, 1] {
            backlog.committed(bytes);
        }
        assert!(!is_due(&backlog).await);
        backlog.committed(0);
        assert!(is_due(&backlog).await, "four entries");
        backlog.folded(0, 3);
        backlog.committed(99);
        assert!(!is_due(&backlog).await);
        backlog.committed(1);
        assert!(is_due(&backlog).await, "a hundred bytes");
    }

    #[tokio::test]
    async fn a_full_journal_waits_for_a_fold_and_knows_what_came_meanwhile() {
        let backlog = Backlog::new(PACE);
        backlog.committed(150);
        let seen = backlog.bytes();
        backlog.committed(60);
        assert!(backlog.is_full() && is_due(&backlog).await);
        let waits = backlog.clone();
        let waiting = tokio::spawn(async move { waits.has_room().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        backlog.folded(1, seen);
        waiting.await.expect("no panic");
        assert_eq!(backlog.bytes(), 60);
        for _ in 0..5 {
            backlog.committed(0);
        }
        assert!(backlog.is_full(), "six entries");
    }
}
