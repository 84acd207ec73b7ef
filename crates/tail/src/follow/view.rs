//! What the follower shows on the admin pages: a table of sources, and rejected records.
//!
//! Never reads the follower's state by itself: the follower makes a table when somebody waits for one.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logtally_core::rule::Reject;
use logtally_count::tally::RejectedSample;
use logtally_session::conversation::Phase;
use serde::Serialize;

use crate::followed::FollowedSource;

/// Longest wait for a new table; then the one before is shown.
const TABLE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How often a caller checks for the new table.
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
    /// The input whose patterns match it.
    pub input: String,
    /// What it is: `file`, `backfill` or `stdin`.
    pub role: &'static str,
    /// What it is waiting for: `reading`, `asking` or `offline`.
    pub state: &'static str,
    /// Its generation, as 16 hexadecimal digits; none before the store's first answer.
    pub generation: Option<String>,
    /// How far it is.
    #[serde(flatten)]
    pub progress: SourceProgress,
    /// What was read in this generation.
    #[serde(flatten)]
    pub records: RecordsRead,
    /// The last problem with it, until it is read again.
    pub last_error: Option<String>,
}

/// How far a source is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SourceProgress {
    /// How far it is acknowledged.
    pub position: u64,
    /// Where it ends, as far as it is known.
    pub size: u64,
    /// Bytes that are not acknowledged.
    pub lag_bytes: u64,
    /// Seconds for which there have been such.
    pub lag_seconds: f64,
}

/// What was read of a source in its generation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RecordsRead {
    /// Records counted.
    pub counted: u64,
    /// Records that no rule matched.
    pub filtered: u64,
    /// Records that could not be counted.
    pub rejected: u64,
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

    /// Whether somebody waits for a new table.
    pub(super) fn is_wanted(&self) -> bool {
        self.lock().is_wanted
    }

    /// Shows a new table.
    pub(super) fn set_sources(&self, rows: Vec<SourceRow>) {
        let mut inner = self.lock();
        inner.sources = rows;
        inner.is_wanted = false;
        inner.tables += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceRow {
    /// What a source is doing now.
    pub(super) fn of(source: &FollowedSource, now: Instant) -> Self {
        let state = source.acknowledged();
        let records = state.map(|state| state.records).unwrap_or_default();
        Self {
            source: source.id().as_str().to_owned(),
            path: source.path().display().to_string(),
            input: source.rules().input().name.clone(),
            role: source.role().name(),
            state: match source.conversation().phase() {
                Phase::Offline => "offline",
                Phase::Asking { .. } => "asking",
                Phase::Ready => "reading",
            },
            generation: state.map(|state| format!("{:016x}", state.generation.0)),
            progress: SourceProgress {
                position: source.conversation().position(),
                size: source.extent().size(),
                lag_bytes: source.lag_bytes(),
                lag_seconds: source.lag_seconds(now),
            },
            records: RecordsRead {
                counted: records.counted,
                filtered: records.filtered,
                rejected: records.rejected,
            },
            last_error: source.reads().last_error().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(position: u64) -> RejectedSample {
        RejectedSample { reason: Reject::ALL[0], position, text: b"x".to_vec() }
    }

    #[test]
    fn the_latest_samples_of_a_reason_are_kept() {
        let view = FollowView::default();
        let samples: Vec<RejectedSample> = (0..5).map(sample).collect();
        view.keep_samples(Path::new("a"), &samples, 2);
        let kept: Vec<u64> = view.samples().iter().map(|row| row.position).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[test]
    fn a_source_is_one_flat_object() {
        let row = SourceRow {
            source: "file/v/1/1".to_owned(),
            path: "a".to_owned(),
            input: "i".to_owned(),
            role: "file",
            state: "reading",
            generation: None,
            progress: SourceProgress { position: 1, size: 2, lag_bytes: 1, lag_seconds: 0.5 },
            records: RecordsRead { counted: 3, filtered: 4, rejected: 5 },
            last_error: None,
        };
        let expected = "{\"source\":\"file/v/1/1\",\"path\":\"a\",\"input\":\"i\",\"role\":\"file\",\
            \"state\":\"reading\",\"generation\":null,\"position\":1,\"size\":2,\"lag_bytes\":1,\
            \"lag_seconds\":0.5,\"counted\":3,\"filtered\":4,\"rejected\":5,\"last_error\":null}";
        assert_eq!(serde_json::to_string(&row).expect("JSON"), expected);
    }
}
