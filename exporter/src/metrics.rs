//! The exporter's own metrics. They differ from replica to replica, so they are shown on the admin
//! listener only and must never stand on the page of counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use logtally_service::register;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result,
};

use crate::layout::LeftOut;

/// From a page out of the cache to a cold load of many millions of series.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Handles to all metrics.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Answered scrapes by status code.
    pub(crate) scrapes: IntCounterVec,
    /// Time from the request to the answer's first byte.
    pub(crate) scrape_seconds: Histogram,
    /// Time of bringing the view up to date.
    pub(crate) sync_seconds: Histogram,
    /// Series in the view.
    pub(crate) view_series: IntGauge,
    /// When the view was up to date last.
    pub(crate) view_age: Age,
    /// Loads of whole partitions by reason.
    pub(crate) loads: IntCounterVec,
    /// Replacements of the store's server.
    pub(crate) server_changes: IntCounter,
    /// Losses that were accepted.
    pub(crate) accepted_losses: IntCounter,
    /// Sources that are behind what was acknowledged.
    pub(crate) recovering_sources: IntGauge,
    left_out_families: IntGaugeVec,
    left_out_series: IntGauge,
}

impl Metrics {
    /// Registers all metrics.
    pub(crate) fn new(registry: &Registry) -> Result<Self> {
        let labelled = |n: &str, help: &str, label| {
            register(registry, IntCounterVec::new(Opts::new(name(n), help), &[label]))
        };
        let counter = |n: &str, help: &str| register(registry, IntCounter::new(name(n), help));
        let gauge = |n: &str, help: &str| register(registry, IntGauge::new(name(n), help));
        let histogram = |n: &str, help: &str| {
            let opts = HistogramOpts::new(name(n), help).buckets(SECONDS.to_vec());
            register(registry, Histogram::with_opts(opts))
        };
        let metrics = Self {
            scrapes: labelled("scrapes_total", "Scrapes by status code", "code")?,
            scrape_seconds: histogram(
                "scrape_duration_seconds",
                "Time from a scrape's request until its answer was ready",
            )?,
            sync_seconds: histogram(
                "sync_duration_seconds",
                "Time of bringing the view up to date with the store",
            )?,
            view_series: gauge("view_series", "Series in the view")?,
            view_age: register(registry, Age::new())?,
            loads: labelled("loads_total", "Loads of a whole partition by reason", "reason")?,
            server_changes: counter(
                "server_changes_total",
                "Times that the server behind the store was replaced by another one",
            )?,
            accepted_losses: counter(
                "accepted_losses_total",
                "Times that something served before was given up after waiting in vain",
            )?,
            recovering_sources: gauge(
                "recovering_sources",
                "Sources behind what was acknowledged to their readers",
            )?,
            left_out_families: register(registry, left_out_families())?,
            left_out_series: gauge(
                "left_out_series",
                "Series left out of the page because they do not fit to their family",
            )?,
        };
        metrics.show_zeros();
        Ok(metrics)
    }

    /// A counter that appears with its first increment hides that increment from `increase()`.
    fn show_zeros(&self) {
        for code in ["200", "503"] {
            self.scrapes.with_label_values(&[code]);
        }
        for reason in ["start", "broken", "state"] {
            self.loads.with_label_values(&[reason]);
        }
        self.set_left_out(LeftOut::default());
    }

    /// Shows what the page leaves out.
    pub(crate) fn set_left_out(&self, left_out: LeftOut) {
        let LeftOut { unknown, invalid, conflicting, strays } = left_out;
        for (reason, families) in
            [("unknown", unknown), ("invalid", invalid), ("conflicting", conflicting)]
        {
            self.left_out_families.with_label_values(&[reason]).set(families.cast_signed());
        }
        self.left_out_series.set(strays.cast_signed());
    }
}

fn name(name: &str) -> String {
    format!("logtally_exporter_{name}")
}

fn left_out_families() -> Result<IntGaugeVec> {
    let help = "Families left out of the page because they are not described, have an invalid \
                name, or conflict with the kind of another one";
    IntGaugeVec::new(Opts::new(name("left_out_families"), help), &["reason"])
}

/// The time since something last happened, as of the moment somebody asks.
#[derive(Clone)]
pub(crate) struct Age {
    gauge: Gauge,
    epoch: Instant,
    /// Milliseconds after the epoch, plus 1; 0 before it happened at all.
    last_ms: Arc<AtomicU64>,
}

impl Age {
    fn new() -> Result<Self> {
        let help = "Time since the view was last up to date with the store";
        let gauge = Gauge::new(name("view_age_seconds"), help)?;
        Ok(Self { gauge, epoch: Instant::now(), last_ms: Arc::default() })
    }

    /// It happens now.
    pub(crate) fn reset(&self) {
        self.last_ms.store(1 + self.epoch.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}

impl Collector for Age {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now_ms = 1 + self.epoch.elapsed().as_millis() as u64;
        match self.last_ms.load(Ordering::Relaxed) {
            0 => Vec::new(),
            last_ms => {
                self.gauge.set(now_ms.saturating_sub(last_ms) as f64 / 1e3);
                self.gauge.collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn there_is_no_age_before_the_first_time() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).expect("valid names");
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).expect("encodable");
        assert!(!text().contains("view_age_seconds"), "{}", text());
        metrics.view_age.reset();
        assert!(text().contains("\nlogtally_exporter_view_age_seconds 0"), "{}", text());
    }
}
