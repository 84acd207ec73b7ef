//! The ingest's own metrics: what this process does, not what the store has counted.

use logtally_core::rule::Reject;
use logtally_service::register;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Handles to all metrics.
#[derive(Clone)]
pub struct TailMetrics {
    /// Records read, again after a restart or a rewind.
    pub lines: IntCounter,
    /// Bytes read, again after a restart or a rewind.
    pub bytes: IntCounter,
    /// Records rejected, by reason.
    pub rejected: IntCounterVec,
    /// Sources followed.
    pub sources: IntGauge,
    /// Inputs that cannot be read.
    pub problems: IntGauge,
    /// Bytes between the acknowledged position and the end of the file, by source.
    pub lag_bytes: IntGaugeVec,
    /// Seconds for which the acknowledged position has been behind the end, by source.
    pub lag_seconds: GaugeVec,
    /// From sending a delta to its acknowledgement.
    pub commit_seconds: Histogram,
    /// Encoded increments on their way.
    pub in_flight_bytes: IntGauge,
    /// Links to aggregators that are up.
    pub links: IntGauge,
    /// Fresh looks at the stored state after something else than an acknowledgement.
    pub rewinds: IntCounter,
    /// Files whose content was replaced: truncated, or written anew.
    pub replaced: IntCounter,
    /// Times at which the store was found behind what it had acknowledged.
    pub store_behind: IntCounter,
    /// Failed reads.
    pub read_errors: IntCounter,
    /// Files that were gone before they were read to their end.
    pub files_lost: IntCounter,
    /// Bytes that were seen in a file and gone before they were read.
    pub suspected_lost_bytes: IntCounter,
    /// Files whose bytes from before a rule were gone before they were counted.
    pub backfills_lost: IntCounter,
    /// Bytes that are not acknowledged yet, of all sources.
    pub behind_bytes: IntGauge,
    /// Seconds for which the source that is longest behind has been so.
    pub behind_seconds: Gauge,
}

impl TailMetrics {
    /// Registers all metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            register(registry, IntCounter::new(format!("logtally_ingest_{name}"), help))
        };
        let gauge = |name: &str, help: &str| {
            register(registry, IntGauge::new(format!("logtally_ingest_{name}"), help))
        };
        let opts = |name: &str, help: &str| Opts::new(format!("logtally_ingest_{name}"), help);
        let rejected = opts("rejected_total", "Records that could not be counted, by reason");
        let rejected = register(registry, IntCounterVec::new(rejected, &["reason"]))?;
        for reason in Reject::ALL {
            rejected.with_label_values(&[reason.as_str()]);
        }
        let lag_bytes = opts("lag_bytes", "Bytes of the source that are not acknowledged yet");
        let lag_seconds =
            opts("lag_seconds", "Seconds for which the source has had unacknowledged bytes");
        let commit = HistogramOpts::new(
            "logtally_ingest_commit_duration_seconds",
            "Time from sending a delta to its acknowledgement",
        )
        .buckets(vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        Ok(Self {
            lines: counter("lines_total", "Records read by this process")?,
            bytes: counter("bytes_total", "Bytes read by this process")?,
            rejected,
            sources: gauge("sources", "Sources followed")?,
            problems: gauge("input_problems", "Inputs that cannot be read now")?,
            lag_bytes: register(registry, IntGaugeVec::new(lag_bytes, &["source"]))?,
            lag_seconds: register(registry, GaugeVec::new(lag_seconds, &["source"]))?,
            commit_seconds: register(registry, Histogram::with_opts(commit))?,
            in_flight_bytes: gauge("in_flight_bytes", "Encoded increments awaiting their commit")?,
            links: gauge("links_up", "Aggregators that are reachable")?,
            rewinds: counter("rewinds_total", "Times a source was read again from what is stored")?,
            replaced: counter("replaced_total", "Files found truncated or replaced")?,
            store_behind: counter(
                "store_behind_total",
                "Times the store was found behind what it had acknowledged",
            )?,
            read_errors: counter("read_errors_total", "Reads that failed")?,
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
            behind_bytes: gauge("behind_bytes", "Bytes of all sources not acknowledged yet")?,
            behind_seconds: register(
                registry,
                Gauge::new(
                    "logtally_ingest_behind_seconds",
                    "Seconds for which the source that is longest behind has been so",
                ),
            )?,
        })
    }
}
