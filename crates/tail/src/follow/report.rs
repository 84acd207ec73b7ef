//! What the follower reports of itself: metrics, progress, readiness, and the admin pages.

use std::time::Instant;

use logtally_core::limits::LAG_SOURCES_MAX;
use logtally_service::ReadinessGate;

use super::sources::Sources;
use super::view::{FollowView, SourceRow};
use crate::metrics::TailMetrics;
use crate::progress::Progress;

/// Where the follower reports what it does.
pub(super) struct Reports {
    /// The admin pages.
    pub(super) view: FollowView,
    /// Metrics.
    pub(super) metrics: TailMetrics,
    /// Whether the process is ready.
    pub(super) gate: ReadinessGate,
    /// The progress of catching up.
    pub(super) progress: Progress,
}

impl Reports {
    /// Reports how things stand. `has_looked`: whether files have been looked for.
    pub(super) fn report(&mut self, sources: &mut Sources, has_looked: bool, now: Instant) {
        let total = self.report_lag(sources, now);
        let lag = &self.metrics.lag;
        lag.behind_bytes.set(total.behind as i64);
        lag.behind_seconds.set(total.longest);
        lag.sources.set(sources.table().len() as i64);
        self.metrics.commits.in_flight_bytes.set(sources.traffic().bytes_in_flight() as i64);
        if has_looked {
            let records = self.metrics.reads.lines.get();
            let done = total.size.saturating_sub(total.behind);
            self.progress.show(sources.table().len(), done, total.size, records);
        }
        if self.view.is_wanted() {
            self.view.set_sources(rows(sources, now));
        }
        self.report_readiness(sources, has_looked);
    }

    /// Reports whether the process is ready.
    pub(super) fn report_readiness(&self, sources: &Sources, has_looked: bool) {
        if sources.traffic().links_up() == 0 {
            self.gate.not_ready("no aggregator is reachable");
        } else if !has_looked {
            self.gate.not_ready("looking for files");
        } else {
            self.gate.ready();
        }
    }

    /// Reports the lag of each source, if there are not too many, and returns that of all.
    fn report_lag(&self, sources: &mut Sources, now: Instant) -> TotalLag {
        let lag = &self.metrics.lag;
        let one_by_one = sources.table().len() <= LAG_SOURCES_MAX;
        if !one_by_one {
            lag.forget_all();
        }
        let mut total = TotalLag { size: 0, behind: 0, longest: 0.0 };
        for source in sources.table_mut().iter_mut() {
            let (bytes, seconds) = source.note_lag(now);
            if one_by_one {
                lag.set(source.path(), bytes, seconds);
            }
            total.size += source.extent().size().max(bytes);
            total.behind += bytes;
            total.longest = total.longest.max(seconds);
        }
        total
    }
}

/// The lag of all sources.
struct TotalLag {
    /// Bytes of the sources, as far as they are known.
    size: u64,
    /// Bytes that are not acknowledged.
    behind: u64,
    /// Seconds for which the source that is longest behind has been so.
    longest: f64,
}

/// The table of sources, by path.
fn rows(sources: &Sources, now: Instant) -> Vec<SourceRow> {
    let mut rows: Vec<SourceRow> =
        sources.table().iter().map(|source| SourceRow::of(source, now)).collect();
    rows.sort_unstable_by(|a, b| (&a.path, &a.source).cmp(&(&b.path, &b.source)));
    rows
}
