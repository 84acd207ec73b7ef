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
    /// What was committed.
    pub commits: CommitMetrics,
    /// What was folded.
    pub folds: FoldMetrics,
    /// Metrics with a limit.
    pub limits: LimitMetrics,
    /// Failed calls of the store.
    pub store_errors: IntCounter,
    /// Groups of pushed metrics deleted.
    pub groups_deleted: IntCounter,
    /// Keys and anonymous sources of pushes forgotten.
    pub sources_forgotten: IntCounter,
}

/// What was committed.
#[derive(Clone)]
pub struct CommitMetrics {
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
    /// Time of a commit in the store.
    pub seconds: Histogram,
}

/// What was folded.
#[derive(Clone)]
pub struct FoldMetrics {
    /// Time of a fold.
    pub seconds: Histogram,
    /// Entries folded.
    pub entries: IntCounter,
    /// Entries in the journal, by partition.
    pub journal: IntGaugeVec,
    /// Age of the oldest entry that waits to be folded, by partition.
    pub lag: GaugeVec,
}

/// Metrics with a limit of series.
#[derive(Clone)]
pub struct LimitMetrics {
    /// Records sent to overflow series, by metric.
    pub overflowed: IntCounterVec,
    series: IntGaugeVec,
    series_max: IntGaugeVec,
}

const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

impl Metrics {
    /// Registers all metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let streams = IntGauge::new(name("streams"), "Streams of ingests");
        Ok(Self {
            streams: register(registry, streams)?,
            commits: CommitMetrics::new(registry)?,
            folds: FoldMetrics::new(registry)?,
            limits: LimitMetrics::new(registry)?,
            store_errors: counter(
                registry,
                "store_errors_total",
                "Calls of the store that failed",
            )?,
            groups_deleted: counter(
                registry,
                "groups_deleted_total",
                "Groups of pushed metrics deleted through this process",
            )?,
            sources_forgotten: counter(
                registry,
                "sources_forgotten_total",
                "Idempotency keys and anonymous sources of pushes forgotten by age",
            )?,
        })
    }
}

impl CommitMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let deltas = opts("deltas_total", "Deltas by the store's decision");
        let deltas = register(registry, IntCounterVec::new(deltas, &["case"]))?;
        for case in ["applied", "duplicate", "rewind", "unknown", "stale"] {
            deltas.with_label_values(&[case]);
        }
        Ok(Self {
            deltas,
            records: counter(registry, "records_total", "Records committed by this process")?,
            bytes: counter(registry, "increments_bytes_total", "Encoded increments committed")?,
            openings: counter(registry, "openings_total", "Generations of sources opened")?,
            behind: counter(
                registry,
                "sources_behind_total",
                "Sources found behind what had been acknowledged to their reader",
            )?,
            seconds: histogram(
                registry,
                "commit_duration_seconds",
                "Time of a commit in the store",
            )?,
        })
    }
}

impl FoldMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let journal = opts("journal_entries", "Entries in the journal of a partition");
        let lag = opts("fold_lag_seconds", "Age of the oldest journal entry not folded yet");
        Ok(Self {
            seconds: histogram(registry, "fold_duration_seconds", "Time of a fold")?,
            entries: counter(
                registry,
                "folded_entries_total",
                "Journal entries folded by this process",
            )?,
            journal: register(registry, IntGaugeVec::new(journal, &["partition"]))?,
            lag: register(registry, GaugeVec::new(lag, &["partition"]))?,
        })
    }
}

impl LimitMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let overflowed = opts(
            "overflowed_records_total",
            "Records sent to the overflow series of a metric, those sent again included",
        );
        let series = opts(
            "limited_series",
            "Series of a metric that has a limit, when there was last a new one",
        );
        let series_max = opts("series_limit", "Series that a metric may have");
        Ok(Self {
            overflowed: register(registry, IntCounterVec::new(overflowed, &["metric"]))?,
            series: register(registry, IntGaugeVec::new(series, &["metric"]))?,
            series_max: register(registry, IntGaugeVec::new(series_max, &["metric"]))?,
        })
    }

    /// Shows the limits that a delta names.
    pub fn show_limits(&self, delta: &Delta) {
        for limit in delta.limits.iter().filter(|limit| limit.series_max < u64::MAX) {
            let family = delta.families.iter().find(|family| family.id() == limit.family);
            if let Some(family) = family {
                self.overflowed.with_label_values(&[&family.name]);
                let max = i64::try_from(limit.series_max).unwrap_or(i64::MAX);
                self.series_max.with_label_values(&[&family.name]).set(max);
            }
        }
    }

    /// Shows how many series a limited metric has.
    pub fn show_series(&self, metric: &str, series: u64) {
        self.series.with_label_values(&[metric]).set(series.cast_signed());
    }
}

fn name(name: &str) -> String {
    format!("logtally_aggregator_{name}")
}

fn opts(of: &str, help: &str) -> Opts {
    Opts::new(name(of), help)
}

fn counter(registry: &Registry, of: &str, help: &str) -> prometheus::Result<IntCounter> {
    register(registry, IntCounter::new(name(of), help))
}

fn histogram(registry: &Registry, of: &str, help: &str) -> prometheus::Result<Histogram> {
    let opts = HistogramOpts::new(name(of), help).buckets(SECONDS.to_vec());
    register(registry, Histogram::with_opts(opts))
}
