//! One folder per partition: merges the journal into the counts, off the path of acknowledgements.
//!
//! Several aggregators may fold one partition at once; the store lets only one succeed at a time.
//! Folding late costs nothing but memory, so it waits for increments to meet their like, but not for
//! so long that the journal grows out of bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use logtally_core::partition::Partition;
use logtally_service::Latch;
use logtally_store::{CountStore, Folded, StoreError};
use rand::Rng;
use tokio::sync::Notify;

use crate::metrics::Metrics;

/// How often a partition is folded when little happens.
const FOLD_EVERY: Duration = Duration::from_secs(2);

/// Entries of this aggregator after which folding does not wait any longer.
const FOLD_AT: u64 = 64;

/// Unfolded entries above which nothing more is committed: with the largest batch this bounds the
/// journal's memory to 128 MiB per partition.
const UNFOLDED_MAX: u64 = 256;

/// How many entries wait to be folded, shared by the committer and the folder of a partition.
#[derive(Clone, Default)]
pub struct Backlog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: AtomicU64,
    much: Notify,
    folded: Notify,
}

impl Backlog {
    /// Notes a commit.
    pub fn committed(&self) {
        if self.0.waiting.fetch_add(1, Ordering::Relaxed) + 1 >= FOLD_AT {
            self.0.much.notify_one();
        }
    }

    /// Waits until the journal has room.
    pub async fn has_room(&self) {
        while self.0.waiting.load(Ordering::Relaxed) >= UNFOLDED_MAX {
            let folded = self.0.folded.notified();
            self.0.much.notify_one();
            folded.await;
        }
    }

    fn folded(&self, waiting: u64) {
        self.0.waiting.store(waiting, Ordering::Relaxed);
        self.0.folded.notify_one();
    }

    async fn due(&self) {
        let jitter = rand::rng().random_range(0.5..1.0);
        let _ = tokio::time::timeout(FOLD_EVERY.mul_f64(jitter), self.0.much.notified()).await;
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
    loop {
        backlog.due().await;
        let started = std::time::Instant::now();
        match store.fold(partition).await {
            Ok(folded) => {
                latch.ready();
                backlog.folded(folded.waiting);
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
    }
}

fn show(metrics: &Metrics, partition: Partition, folded: Folded) {
    let label = partition.to_string();
    metrics.folded.inc_by(folded.entries);
    metrics.journal.with_label_values(&[&label]).set(folded.journal as i64);
    metrics.fold_lag.with_label_values(&[&label]).set(folded.lag_ms as f64 / 1000.0);
}
