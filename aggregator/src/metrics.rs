//! The aggregator's own metrics: what this process does, not what the store has counted.

use logtally_core::delta::Delta;
use logtally_service::register;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// Handles to all metrics.
#[derive(Clone)]
pub struct Metrics {
    /// Streams of ingests.
    pub streams: IntGauge,
    /// Deltas by what became of them.
    pub deltas: IntCounterVec,
    /// Records committed.
    pub records: IntCounter,
    /// Encoded increments committed.
    pub bytes: IntCounter,
    /// Generations of sources opened.
    pub openings: IntCounter,
    /// Sources found behind what was acknowledged.
    pub behind: IntCounter,
    /// Failed calls of the store.
    pub store_errors: IntCounter,
    /// Time of a commit in the store.
    pub commit_seconds: Histogram,
    /// Time of a fold.
    pub fold_seconds: Histogram,
    /// Entries folded.
    pub folded: IntCounter,
    /// Entries in the journal, by partition.
    pub journal: IntGaugeVec,
    /// Age of the oldest entry that waits to be folded, by partition.
    pub fold_lag: GaugeVec,
    /// Records sent to overflow series, by metric.
    pub overflowed: IntCounterVec,
    /// Groups of pushed metrics deleted.
    pub groups_deleted: IntCounter,
    /// Keys and lanes of pushes forgotten.
    pub sources_forgotten: IntCounter,
    limited_series: IntGaugeVec,
    series_limit: IntGaugeVec,
}

const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

impl Metrics {
    /// Registers all metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let name = |name: &str| format!("logtally_aggregator_{name}");
        let counter = |n: &str, help: &str| register(registry, IntCounter::new(name(n), help));
        let histogram = |n: &str, help: &str| {
            let opts = HistogramOpts::new(name(n), help).buckets(SECONDS.to_vec());
            register(registry, Histogram::with_opts(opts))
        };
        let opts = |n: &str, help: &str| Opts::new(name(n), help);
        let deltas = opts("deltas_total", "Deltas by the store's decision");
        let deltas = register(registry, IntCounterVec::new(deltas, &["case"]))?;
        for case in ["applied", "duplicate", "rewind", "unknown", "stale"] {
            deltas.with_label_values(&[case]);
        }
        let journal = opts("journal_entries", "Entries in the journal of a partition");
        let labelled =
            |n: &str, help: &str| register(registry, IntGaugeVec::new(opts(n, help), &["metric"]));
        let overflowed = opts(
            "overflowed_records_total",
            "Records sent to the overflow series of a metric, those sent again included",
        );
        let lag = opts("fold_lag_seconds", "Age of the oldest journal entry not folded yet");
        Ok(Self {
            streams: register(registry, IntGauge::new(name("streams"), "Streams of ingests"))?,
            deltas,
            records: counter("records_total", "Records committed by this process")?,
            bytes: counter("increments_bytes_total", "Encoded increments committed")?,
            openings: counter("openings_total", "Generations of sources opened")?,
            behind: counter(
                "sources_behind_total",
                "Sources found behind what had been acknowledged to their reader",
            )?,
            store_errors: counter("store_errors_total", "Calls of the store that failed")?,
            commit_seconds: histogram("commit_duration_seconds", "Time of a commit in the store")?,
            fold_seconds: histogram("fold_duration_seconds", "Time of a fold")?,
            folded: counter("folded_entries_total", "Journal entries folded by this process")?,
            journal: register(registry, IntGaugeVec::new(journal, &["partition"]))?,
            fold_lag: register(registry, GaugeVec::new(lag, &["partition"]))?,
            overflowed: register(registry, IntCounterVec::new(overflowed, &["metric"]))?,
            groups_deleted: counter(
                "groups_deleted_total",
                "Groups of pushed metrics deleted through this process",
            )?,
            sources_forgotten: counter(
                "sources_forgotten_total",
                "Idempotency keys and lanes of pushes forgotten by age",
            )?,
            limited_series: labelled(
                "limited_series",
                "Series of a metric that has a limit, when there was last a new one",
            )?,
            series_limit: labelled("series_limit", "Series that a metric may have")?,
        })
    }

    /// Shows the limits that a delta names.
    pub fn show_limits(&self, delta: &Delta) {
        for limit in delta.limits.iter().filter(|limit| limit.series_max < u64::MAX) {
            let family = delta.families.iter().find(|family| family.id() == limit.family);
            if let Some(family) = family {
                self.overflowed.with_label_values(&[&family.name]);
                let max = i64::try_from(limit.series_max).unwrap_or(i64::MAX);
                self.series_limit.with_label_values(&[&family.name]).set(max);
            }
        }
    }

    /// Shows how many series a limited metric has.
    pub fn show_series(&self, metric: &str, series: u64) {
        self.limited_series.with_label_values(&[metric]).set(series.cast_signed());
    }
}
