//! What the follower tells: its metrics, its progress, and a table of sources for whoever asks.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logtally_core::limits::LAG_SOURCES_MAX;
use logtally_core::rule::Reject;
use serde::Serialize;

use super::Follower;
use crate::slot::{Role, Slot};
use logtally_count::tally::RejectedSample;
use logtally_session::conversation::Phase;

/// Longest wait for a new table; then the one before is shown.
const TABLE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How often the new table is looked for.
const TABLE_POLL: Duration = Duration::from_millis(50);

/// What is followed, for whoever asks. Clones are handles to the same thing.
#[derive(Clone, Default)]
pub struct FollowView {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    sources: Vec<SourceRow>,
    aggregators: Vec<String>,
    /// Whether somebody waits for a new table.
    is_wanted: bool,
    /// Counts the tables.
    tables: u64,
    samples: BTreeMap<Reject, VecDeque<SampleRow>>,
}

/// One source.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SourceRow {
    /// Its name.
    pub source: String,
    /// Where it is now.
    pub path: String,
    /// The input that means it.
    pub input: String,
    /// What it is: `file`, `backfill` or `stdin`.
    pub role: &'static str,
    /// What it is waiting for: `reading`, `asking` or `offline`.
    pub state: &'static str,
    /// Its life, as 16 hexadecimal digits; none before the store has told it.
    pub generation: Option<String>,
    /// How far it is acknowledged.
    pub position: u64,
    /// Where it ends, as far as it is known.
    pub size: u64,
    /// Bytes that are not acknowledged.
    pub lag_bytes: u64,
    /// Seconds for which there have been such.
    pub lag_seconds: f64,
    /// Records counted in this life.
    pub counted: u64,
    /// Records that no rule took.
    pub filtered: u64,
    /// Records that could not be counted.
    pub rejected: u64,
    /// The last problem with it, until it is read again.
    pub last_error: Option<String>,
}

/// A rejected record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SampleRow {
    /// Why.
    pub reason: &'static str,
    /// The path of its file.
    pub path: String,
    /// Position just after it.
    pub position: u64,
    /// The beginning of its content; what is not UTF-8 is replaced.
    pub text: String,
}

impl FollowView {
    /// The sources. Made when it is asked for, because there may be a million of them: takes a second
    /// or so.
    pub async fn sources(&self) -> Vec<SourceRow> {
        let before = {
            let mut inner = self.lock();
            inner.is_wanted = true;
            inner.tables
        };
        let begun = Instant::now();
        while self.lock().tables == before && begun.elapsed() < TABLE_WAIT_MAX {
            tokio::time::sleep(TABLE_POLL).await;
        }
        self.lock().sources.clone()
    }

    /// The names of the aggregators that this process knows: the ring, if all of them are reachable.
    pub fn aggregators(&self) -> Vec<String> {
        self.lock().aggregators.clone()
    }

    pub(super) fn set_aggregators(&self, mut names: Vec<String>) {
        names.sort_unstable();
        self.lock().aggregators = names;
    }

    /// The latest rejected records, by reason; empty unless the configuration asks for them.
    pub fn samples(&self) -> Vec<SampleRow> {
        self.lock().samples.values().flatten().cloned().collect()
    }

    /// Keeps the latest rejected records of each reason.
    pub(super) fn keep_samples(&self, path: &Path, samples: &[RejectedSample], per_reason: usize) {
        if samples.is_empty() {
            return;
        }
        let mut inner = self.lock();
        for sample in samples {
            let kept = inner.samples.entry(sample.reason).or_default();
            kept.push_back(SampleRow {
                reason: sample.reason.as_str(),
                path: path.display().to_string(),
                position: sample.position,
                text: String::from_utf8_lossy(&sample.text).into_owned(),
            });
            while kept.len() > per_reason {
                kept.pop_front();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    pub(super) fn report(&mut self) {
        let now = Instant::now();
        let one_by_one = self.slots.len() <= LAG_SOURCES_MAX;
        let (mut size, mut behind, mut longest) = (0, 0, 0.0_f64);
        for slot in self.slots.values_mut() {
            let lag = slot.lag_bytes();
            slot.behind_since = if lag == 0 { None } else { slot.behind_since.or(Some(now)) };
            let seconds = slot.behind_since.map_or(0.0, |since| (now - since).as_secs_f64());
            if one_by_one {
                let path = slot.path.to_string_lossy();
                self.metrics.lag_bytes.with_label_values(&[&path]).set(lag as i64);
                self.metrics.lag_seconds.with_label_values(&[&path]).set(seconds);
            }
            size += slot.size.max(lag);
            behind += lag;
            longest = longest.max(seconds);
        }
        if !one_by_one {
            self.metrics.lag_bytes.reset();
            self.metrics.lag_seconds.reset();
        }
        self.metrics.behind_bytes.set(behind as i64);
        self.metrics.behind_seconds.set(longest);
        self.metrics.sources.set(self.slots.len() as i64);
        self.metrics.in_flight_bytes.set(self.in_flight_bytes as i64);
        if self.look.done_once {
            let records = self.metrics.lines.get();
            self.progress.show(self.slots.len(), size.saturating_sub(behind), size, records);
        }
        self.show_sources(now);
        self.show_readiness();
    }

    fn show_sources(&self, now: Instant) {
        if !self.view.lock().is_wanted {
            return;
        }
        let mut rows: Vec<SourceRow> = self.slots.values().map(|slot| slot.row(now)).collect();
        rows.sort_unstable_by(|a, b| (&a.path, &a.source).cmp(&(&b.path, &b.source)));
        let mut inner = self.view.lock();
        inner.sources = rows;
        inner.is_wanted = false;
        inner.tables += 1;
    }
}

impl Slot {
    fn row(&self, now: Instant) -> SourceRow {
        let state = self.acknowledged();
        let records = state.map(|state| state.records).unwrap_or_default();
        SourceRow {
            source: self.id.as_str().to_owned(),
            path: self.path.display().to_string(),
            input: self.reading.input.name.clone(),
            role: match self.role {
                Role::File => "file",
                Role::Backfill { .. } => "backfill",
                Role::Stdin => "stdin",
            },
            state: match self.conversation().phase() {
                Phase::Offline => "offline",
                Phase::Asking { .. } => "asking",
                Phase::Ready => "reading",
            },
            generation: state.map(|state| format!("{:016x}", state.generation.0)),
            position: state.map_or(0, |state| state.position),
            size: self.size,
            lag_bytes: self.lag_bytes(),
            lag_seconds: self.behind_since.map_or(0.0, |since| (now - since).as_secs_f64()),
            counted: records.counted,
            filtered: records.filtered,
            rejected: records.rejected,
            last_error: self.last_error.clone(),
        }
    }
}
