//! One committer per partition: gathers what has arrived, commits it as one batch, answers.
//!
//! While one commit is under way the next batch gathers, so batches grow with the load by
//! themselves. An error of the store never becomes an answer: the same batch is tried again (doing
//! it twice changes nothing), and meanwhile nothing more is read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtally_core::admission::Admission;
use logtally_core::batch::{Batch, Verdict};
use logtally_core::delta::Delta;
use logtally_core::journal::Nonce;
use logtally_core::limits::{BATCH_BYTES_MAX, BATCH_DELTAS_MAX};
use logtally_core::partition::Partition;
use logtally_core::recovery::is_behind;
use logtally_core::source::{SourceId, SourceState};
use logtally_proto::Action;
use logtally_service::{ReadinessGate, add_link, set_parent};
use logtally_store::{CountStore, Opening, StoreError};
use rand::Rng;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::exchange::PendingRequest;
use crate::folder::Backlog;
use crate::limits::{LimitGuard, SeriesLimits};
use crate::metrics::Metrics;
use crate::shortest_ttl::ShortestTtl;

/// First and longest wait before the store is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a committer works with.
pub struct Committer {
    /// Its partition.
    pub partition: Partition,
    /// Number of partitions, to create the store again if all of it is wiped.
    pub partitions: u16,
    /// Where it commits.
    pub store: Arc<dyn CountStore>,
    /// Tells the folder how much there is to fold, and waits if it is too much.
    pub backlog: Backlog,
    /// How many series families may have.
    pub limits: SeriesLimits,
    /// Is told of families with a time-to-live.
    pub shortest_ttl: ShortestTtl,
    /// Own metrics.
    pub metrics: Metrics,
    /// Whether commits succeed.
    pub gate: ReadinessGate,
}

/// A delta that waits for its commit, and the job that it answers.
struct Waiting {
    delta: Delta,
    job: PendingRequest,
}

impl Committer {
    /// Works until the senders are gone.
    pub async fn run(self, mut jobs: mpsc::Receiver<PendingRequest>) {
        self.gate.ready();
        let mut postponed = VecDeque::new();
        loop {
            let mut gathered = Gathered::default();
            while let Some(waiting) = postponed.pop_front() {
                gathered.add_delta(waiting);
            }
            if gathered.is_empty() {
                let Some(job) = jobs.recv().await else { return };
                gathered.add(job);
            }
            while !gathered.is_full()
                && let Ok(job) = jobs.try_recv()
            {
                gathered.add(job);
            }
            self.backlog.has_room().await;
            postponed = self.commit_all(gathered.deltas).await.into();
            self.open_all(gathered.openings).await;
            self.look_up(gathered.lookups).await;
        }
    }

    /// Commits the deltas and answers them. Those that cannot share a batch with an earlier one of
    /// their source come back.
    async fn commit_all(&self, mut waiting: Vec<Waiting>) -> Vec<Waiting> {
        let held = self.hold_to_limits(&mut waiting).await;
        let (mut deltas, mut jobs) =
            (Vec::new(), HashMap::<SourceId, Vec<(u64, PendingRequest)>>::new());
        let trace = tracing::info_span!(
            "commit", otel.kind = "consumer", partition = %self.partition, deltas = waiting.len(),
        );
        for (i, Waiting { delta, job }) in waiting.into_iter().enumerate() {
            match i {
                0 => set_parent(&trace, &job.request.traceparent),
                _ => add_link(&trace, &job.request.traceparent),
            }
            jobs.entry(delta.source.clone()).or_default().push((delta.span.to(), job));
            deltas.push(delta);
        }
        let (batch, later) = Batch::build(deltas);
        // What comes back takes its own jobs along: the last ones of its source.
        let mut back: Vec<Waiting> = Vec::new();
        for delta in later.into_iter().rev() {
            if let Some((_, job)) = jobs.get_mut(&delta.source).and_then(Vec::pop) {
                back.push(Waiting { delta, job });
            }
        }
        back.reverse();
        let answers = self.commit(batch).instrument(trace).await;
        drop(held);
        for (source, stored) in answers {
            for (_, job) in jobs.remove(&source).unwrap_or_default() {
                job.answer(stored, self.store.is_durable());
            }
        }
        back
    }

    /// Sends records of new series to the overflow series where there is no room for more. Looks at
    /// the store first, so that no series is refused that is there.
    async fn hold_to_limits(&self, waiting: &mut [Waiting]) -> Option<LimitGuard> {
        if waiting.iter().all(|w| w.delta.limits.is_empty()) {
            return None;
        }
        let deltas: Vec<&Delta> = waiting.iter().map(|w| &w.delta).collect();
        let mut held = self.limits.hold(&deltas).await?;
        let changes = self.insist(|| self.limits.changes(&held)).await;
        held.follow(&changes);
        while let Some(at) = held.missing() {
            let snapshot = self.insist(|| self.limits.load(at)).await;
            held.take_in(at, &snapshot);
        }
        for waiting in waiting {
            held.limit(&mut waiting.delta);
        }
        Some(held)
    }

    /// Commits a batch without what does not fit, until all of it is decided.
    async fn commit(&self, mut batch: Batch) -> Vec<(SourceId, Option<SourceState>)> {
        let mut answers = Vec::new();
        while !batch.is_empty() {
            let started = Instant::now();
            let nonce = Nonce(rand::random::<u64>() | 1);
            let committed = self.insist(|| self.store.commit(self.partition, &batch, nonce)).await;
            let sources = batch.deltas().iter().map(|d| d.source.clone());
            let decided = sources.zip(committed.verdicts.iter().copied());
            if committed.applied.is_some() {
                self.note_commit(&batch, started);
                answers.extend(decided.map(|(source, verdict)| (source, verdict.stored)));
                return answers;
            }
            for (source, verdict) in decided.filter(|(_, v)| v.admission != Admission::Apply) {
                self.note_refusal(&source, verdict);
                answers.push((source, verdict.stored));
            }
            batch = batch.only_admitted(&committed.verdicts);
        }
        answers
    }

    fn note_commit(&self, batch: &Batch, started: Instant) {
        self.backlog.committed(batch.increments().len());
        self.shortest_ttl.committed(batch.families());
        self.metrics.commits.seconds.observe(started.elapsed().as_secs_f64());
        self.metrics
            .commits
            .deltas
            .with_label_values(&["applied"])
            .inc_by(batch.deltas().len() as u64);
        let records = batch.deltas().iter().map(|d| d.records.read()).sum();
        self.metrics.commits.records.inc_by(records);
        self.metrics.commits.bytes.inc_by(batch.increments().len() as u64);
    }

    fn note_refusal(&self, source: &SourceId, verdict: Verdict) {
        let case = match verdict.admission {
            Admission::Apply => "applied",
            Admission::Duplicate => "duplicate",
            Admission::Rewind => "rewind",
            Admission::Unknown => "unknown",
            Admission::Stale => "stale",
        };
        self.metrics.commits.deltas.with_label_values(&[case]).inc();
        tracing::info!(%source, case, stored = ?verdict.stored, "delta not applied");
    }

    async fn open_all(&self, openings: Vec<(Opening, PendingRequest)>) {
        if openings.is_empty() {
            return;
        }
        let (openings, jobs): (Vec<Opening>, Vec<PendingRequest>) = openings.into_iter().unzip();
        let opened = self.insist(|| self.store.open_all(self.partition, &openings)).await;
        for ((opening, opened), job) in openings.iter().zip(opened).zip(jobs) {
            if opened.installed {
                self.metrics.commits.openings.inc();
                // Keys come with every push.
                if opening.source.is_temporary() {
                    tracing::debug!(source = %opening.source, "opened");
                } else {
                    tracing::info!(source = %opening.source, "opened");
                }
            }
            job.answer(opened.stored, self.store.is_durable());
        }
    }

    /// Answers with the stored states; marks sources that are behind what was acknowledged.
    async fn look_up(&self, lookups: Vec<(Option<SourceState>, PendingRequest)>) {
        if lookups.is_empty() {
            return;
        }
        let sources: Vec<SourceId> =
            lookups.iter().map(|(_, job)| job.request.source.clone()).collect();
        let states = self.insist(|| self.store.states(self.partition, &sources)).await;
        for ((acknowledged, job), stored) in lookups.into_iter().zip(states) {
            if let Some(known) = acknowledged.filter(|known| is_behind(stored.as_ref(), known)) {
                self.report(&job.request.source, &known).await;
            }
            job.answer(stored, self.store.is_durable());
        }
    }

    async fn report(&self, source: &SourceId, known: &SourceState) {
        let report = || self.store.report_acknowledged(self.partition, source, known);
        if self.insist(report).await {
            self.metrics.commits.behind.inc();
            tracing::error!(%source, partition = %self.partition, acknowledged = known.position,
                "the store is behind what it had acknowledged; the source is read again");
        }
    }

    /// Tries until the store answers. A wiped store is created again, loudly; a damaged one is left
    /// alone until somebody repairs it.
    async fn insist<T, F>(&self, call: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut wait = BACKOFF.0;
        loop {
            let error = match call().await {
                Ok(value) => {
                    self.gate.ready();
                    return value;
                }
                Err(error) => error,
            };
            self.metrics.store_errors.inc();
            self.gate.not_ready(error.to_string());
            let text = if error.is_transient() {
                "the store is not available, trying again"
            } else {
                "the store is damaged or misconfigured; waiting for an operator"
            };
            tracing::error!(partition = %self.partition, %error, "{text}");
            if matches!(error, StoreError::Missing | StoreError::Mismatch(_)) {
                self.create_again().await;
            }
            let jitter = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(wait.mul_f64(jitter)).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    async fn create_again(&self) {
        match self.store.create(Some(self.partitions)).await {
            Ok(info) => {
                tracing::error!(
                    state_id = info.state_id,
                    "the store was emptied and is created anew; all sources count from their beginning"
                );
            }
            Err(error) => tracing::error!(%error, "cannot create the store"),
        }
    }
}

/// What has arrived since the last commit.
#[derive(Default)]
struct Gathered {
    deltas: Vec<Waiting>,
    openings: Vec<(Opening, PendingRequest)>,
    lookups: Vec<(Option<SourceState>, PendingRequest)>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, mut job: PendingRequest) {
        let action = std::mem::replace(&mut job.request.action, Action::Lookup(None));
        match action {
            Action::Commit(delta) => self.add_delta(Waiting { delta: *delta, job }),
            Action::Open { expected, fresh } => {
                let source = job.request.source.clone();
                self.openings.push((Opening { source, expected, fresh }, job));
            }
            Action::Lookup(acknowledged) => self.lookups.push((acknowledged, job)),
        }
    }

    fn add_delta(&mut self, waiting: Waiting) {
        self.bytes += waiting.delta.increments.len();
        self.deltas.push(waiting);
    }

    fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.openings.is_empty() && self.lookups.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX
            || self.deltas.len() + self.openings.len() + self.lookups.len() >= BATCH_DELTAS_MAX
    }
}
