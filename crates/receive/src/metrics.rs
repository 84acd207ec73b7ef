//! The ingest's own metrics of pushes.

use std::time::Duration;

use logtally_service::register;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::error::PushError;
use crate::message::Acknowledgement;

/// Handles to all metrics.
#[derive(Clone)]
pub(crate) struct PushMetrics {
    /// Messages by what became of them.
    messages: IntCounterVec,
    /// From taking in a message to its acknowledgement.
    seconds: Histogram,
    /// Producers opened.
    pub(crate) opened: IntCounter,
    /// Producers, keys and anonymous sources that are remembered.
    pub(crate) sources: IntGauge,
    /// Memory held by messages that are not acknowledged.
    pub(crate) held_bytes: IntGauge,
    /// Streams that are open.
    pub(crate) streams: IntGauge,
}

/// All that can become of a message.
const OUTCOMES: [&str; 13] = [
    "counted",
    "duplicate",
    "invalid",
    "fenced",
    "unknown",
    "gap",
    "conflict",
    "damaged",
    "too_large",
    "busy",
    "draining",
    "no_aggregator",
    "unanswered",
];

impl PushMetrics {
    /// Registers all metrics.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let name = |name: &str| format!("logtally_ingest_push_{name}");
        let gauge = |text: &str, help: &str| register(registry, IntGauge::new(name(text), help));
        let messages = Opts::new(name("messages_total"), "Pushed messages, by what became of them");
        let messages = register(registry, IntCounterVec::new(messages, &["outcome"]))?;
        for outcome in OUTCOMES {
            messages.with_label_values(&[outcome]);
        }
        let help = "Time from taking in a pushed message to its acknowledgement";
        let seconds = HistogramOpts::new(name("duration_seconds"), help).buckets(vec![
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
        ]);
        let opened = IntCounter::new(name("producers_opened_total"), "Producers opened");
        Ok(Self {
            messages,
            seconds: register(registry, Histogram::with_opts(seconds))?,
            opened: register(registry, opened)?,
            sources: gauge(
                "sources",
                "Producers, keys and anonymous sources remembered between pushes",
            )?,
            held_bytes: gauge("held_bytes", "Memory held by messages not acknowledged yet")?,
            streams: gauge("streams", "Push streams that are open")?,
        })
    }

    /// Notes what became of a message, and after what time.
    pub(crate) fn note(&self, result: &Result<Acknowledgement, PushError>, took: Duration) {
        if result.is_ok() {
            self.seconds.observe(took.as_secs_f64());
        }
        self.messages.with_label_values(&[outcome(result)]).inc();
    }

    /// Notes a message that was refused before it was counted.
    pub(crate) fn note_refused(&self, error: &PushError) {
        self.messages.with_label_values(&[outcome(&Err(error.clone()))]).inc();
    }
}

fn outcome(result: &Result<Acknowledgement, PushError>) -> &'static str {
    match result {
        Ok(acknowledged) if acknowledged.duplicate => "duplicate",
        Ok(_) => "counted",
        Err(error) => match error {
            PushError::Invalid { .. } | PushError::Unsupported { .. } => "invalid",
            PushError::Fenced => "fenced",
            PushError::Unknown => "unknown",
            PushError::Gap { .. } => "gap",
            PushError::Conflict { .. } => "conflict",
            PushError::Damaged { .. } => "damaged",
            PushError::TooLarge | PushError::TooManySeries { .. } => "too_large",
            PushError::Busy => "busy",
            PushError::Draining => "draining",
            PushError::NoAggregator => "no_aggregator",
            PushError::Unanswered => "unanswered",
        },
    }
}
