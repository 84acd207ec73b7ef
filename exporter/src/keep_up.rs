//! Following the store between scrapes.
//!
//! Without it a process would never become ready by itself, and one that is scraped every minute
//! would find its place in the journal trimmed each time and load everything again.

use std::time::Duration;

use logtally_service::{Context, Watchdog};
use logtally_store::TRIM_GRACE_MS;
use tokio::time::{interval, sleep};

use crate::exporter::Exporter;
use crate::unavailable::Unavailable;

/// Time between two syncs: several times within the life of a journal entry.
const EVERY: Duration = Duration::from_millis(TRIM_GRACE_MS / 4);

/// First pause after a failure; each further one is twice as long, up to [`EVERY`].
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// How long this loop may be silent. It turns every second, whatever the store does.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// Syncs again and again until the shutdown of the process.
///
/// # Errors
/// If the exporter has failed for good and only a restart helps.
pub(crate) async fn keep_up(exporter: &Exporter, context: &Context) -> Result<(), Unavailable> {
    let watchdog = context.health.watchdog("view", SILENCE_MAX);
    let following = beating(&watchdog, follow(exporter));
    context.shutdown.run_until_cancelled(following).await.unwrap_or(Ok(()))
}

async fn follow(exporter: &Exporter) -> Result<(), Unavailable> {
    let mut pause = PAUSE_MIN;
    loop {
        match exporter.sync().await {
            Ok(()) => {
                pause = PAUSE_MIN;
                sleep(EVERY).await;
            }
            Err(error @ Unavailable::Internal(_)) => return Err(error),
            Err(_) => {
                sleep(pause).await;
                pause = (pause * 2).min(EVERY);
            }
        }
    }
}

/// Beats while `work` goes on, so that a store that is slow or away is no reason to restart.
async fn beating<T>(watchdog: &Watchdog, work: impl Future<Output = T>) -> T {
    let mut beats = interval(Duration::from_secs(1));
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = work.as_mut() => return done,
            _ = beats.tick() => watchdog.beat(),
        }
    }
}
