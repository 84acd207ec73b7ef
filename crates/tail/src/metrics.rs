//! The ingest's own metrics: what this process does, not what the store has counted.

use std::path::Path;

use logtally_core::rule::Reject;
use logtally_service::register;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Handles to all metrics of the follower.
#[derive(Clone)]
pub struct TailMetrics {
    pub(crate) reads: ReadMetrics,
    pub(crate) lag: LagMetrics,
    pub(crate) commits: CommitMetrics,
}

/// What was read, and what could not be.
#[derive(Clone)]
pub(crate) struct ReadMetrics {
    /// Records read, again after a restart or a rewind.
    pub(crate) lines: IntCounter,
    /// Bytes read, again after a restart or a rewind.
    pub(crate) bytes: IntCounter,
    /// Records rejected, by reason.
    pub(crate) rejected: IntCounterVec,
    /// Inputs that cannot be read.
    pub(crate) problems: IntGauge,
    /// Failed reads.
    pub(crate) read_errors: IntCounter,
    /// Files whose content was replaced: truncated, or written anew.
    pub(crate) replaced: IntCounter,
    /// Files that were gone before they were read to their end.
    pub(crate) files_lost: IntCounter,
    /// Bytes that were seen in a file and gone before they were read.
    pub(crate) suspected_lost_bytes: IntCounter,
    /// Files whose bytes from before a rule were gone before they were counted.
    pub(crate) backfills_lost: IntCounter,
}

/// How far the acknowledged positions are behind.
#[derive(Clone)]
pub(crate) struct LagMetrics {
    /// Sources followed.
    pub(crate) sources: IntGauge,
    /// Bytes that are not acknowledged yet, of all sources.
    pub(crate) behind_bytes: IntGauge,
    /// Seconds for which the source that is longest behind has been so.
    pub(crate) behind_seconds: Gauge,
    /// Bytes between the acknowledged position and the end of the file, by source.
    lag_bytes: IntGaugeVec,
    /// Seconds for which the acknowledged position has been behind the end, by source.
    lag_seconds: GaugeVec,
}

/// What goes to the aggregators, and what they answer.
#[derive(Clone)]
pub(crate) struct CommitMetrics {
    /// From sending a delta to its acknowledgement.
    pub(crate) commit_seconds: Histogram,
    /// Encoded increments on their way.
    pub(crate) in_flight_bytes: IntGauge,
    /// Links to aggregators that are up.
    pub(crate) links: IntGauge,
    /// Questions for the stored state after another answer than an acknowledgement.
    pub(crate) rewinds: IntCounter,
    /// Times at which the store was found behind what it had acknowledged.
    pub(crate) store_behind: IntCounter,
}

impl TailMetrics {
    /// Registers all metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            reads: ReadMetrics::new(registry)?,
            lag: LagMetrics::new(registry)?,
            commits: CommitMetrics::new(registry)?,
        })
    }
}

impl ReadMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| counter(registry, name, help);
        let rejected = opts("rejected_total", "Records that could not be counted, by reason");
        let rejected = register(registry, IntCounterVec::new(rejected, &["reason"]))?;
        for reason in Reject::ALL {
            rejected.with_label_values(&[reason.as_str()]);
        }
        Ok(Self {
            lines: counter("lines_total", "Records read by this process")?,
            bytes: counter("bytes_total", "Bytes read by this process")?,
            rejected,
            problems: gauge(registry, "input_problems", "Inputs that cannot be read now")?,
            read_errors: counter("read_errors_total", "Reads that failed")?,
            replaced: counter("replaced_total", "Files found truncated or replaced")?,
            files_lost: counter(
                "files_lost_total",
                "Files that were gone before they were read to their end",
            )?,
            suspected_lost_bytes: counter(
                "suspected_lost_bytes_total",
                "Bytes seen in files that were truncated before they were read to their end",
            )?,
            backfills_lost: counter(
                "backfills_lost_total",
                "Files truncated or replaced before a new rule had counted what was there",
            )?,
        })
    }
}

impl LagMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let lag_bytes = opts("lag_bytes", "Bytes of the source that are not acknowledged yet");
        let lag_seconds =
            opts("lag_seconds", "Seconds for which the source has had unacknowledged bytes");
        let behind_seconds = opts(
            "behind_seconds",
            "Seconds for which the source that is longest behind has been so",
        );
        Ok(Self {
            sources: gauge(registry, "sources", "Sources followed")?,
            behind_bytes: gauge(
                registry,
                "behind_bytes",
                "Bytes of all sources not acknowledged yet",
            )?,
            behind_seconds: register(registry, Gauge::with_opts(behind_seconds))?,
            lag_bytes: register(registry, IntGaugeVec::new(lag_bytes, &["source"]))?,
            lag_seconds: register(registry, GaugeVec::new(lag_seconds, &["source"]))?,
        })
    }

    /// Shows the lag of a source.
    pub(crate) fn set(&self, path: &Path, bytes: u64, seconds: f64) {
        let path = path.to_string_lossy();
        self.lag_bytes.with_label_values(&[&path]).set(bytes as i64);
        self.lag_seconds.with_label_values(&[&path]).set(seconds);
    }

    /// Removes the lag of a source.
    pub(crate) fn forget(&self, path: &Path) {
        let path = path.to_string_lossy();
        // Not there yet if nothing was reported.
        let _ = self.lag_bytes.remove_label_values(&[&path]);
        let _ = self.lag_seconds.remove_label_values(&[&path]);
    }

    /// Removes the lag of every source: there are too many.
    pub(crate) fn forget_all(&self) {
        self.lag_bytes.reset();
        self.lag_seconds.reset();
    }
}

impl CommitMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let commit = HistogramOpts::new(
            "logtally_ingest_commit_duration_seconds",
            "Time from sending a delta to its acknowledgement",
        )
        .buckets(vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        Ok(Self {
            commit_seconds: register(registry, Histogram::with_opts(commit))?,
            in_flight_bytes: gauge(
                registry,
                "in_flight_bytes",
                "Encoded increments awaiting their commit",
            )?,
            links: gauge(registry, "links_up", "Aggregators that are reachable")?,
            rewinds: counter(
                registry,
                "rewinds_total",
                "Times a source was read again from what is stored",
            )?,
            store_behind: counter(
                registry,
                "store_behind_total",
                "Times the store was found behind what it had acknowledged",
            )?,
        })
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("logtally_ingest_{name}"), help)
}

fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    register(registry, IntCounter::with_opts(opts(name, help)))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    register(registry, IntGauge::with_opts(opts(name, help)))
}
