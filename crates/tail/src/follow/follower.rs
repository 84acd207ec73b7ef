//! The follower's loop: takes one event after the other, and hands out what is to be read.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtally_core::source::{SourceId, SourceName};
use logtally_count::input::Input;
use logtally_count::pattern::Pattern;
use logtally_count::plan::Plan;
use logtally_count::reading::Reading;
use logtally_service::{Context, Watchdog};
use logtally_session::uplink::{LinkEvent, Peer, keep_up};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::event::FollowEvent;
use super::findings::Findings;
use super::options::{FollowOptions, FollowOutcome};
use super::problems::Problems;
use super::report::Reports;
use super::schedule::DiscoverySchedule;
use super::sources::Sources;
use super::view::FollowView;
use crate::content::Content;
use crate::discover::{Discovery, Search, Stamp, discover};
use crate::followed::{FollowedSource, Returned, SourceRole};
use crate::metrics::TailMetrics;
use crate::progress::Progress;
use crate::reader::{End, ReadError, Reader, Scratch};
use crate::stdin::Stdin;
use crate::watch::Watch;
use crate::worker::{ReadDone, ReadStep, work};

/// How long a stopping follower waits for what is on its way: below the ten seconds and more that
/// supervisors grant a process. What is not acknowledged by then is read again after the next start.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Changes are gathered for this long: a writer's many small appends become one delta.
const GATHER: Duration = Duration::from_millis(20);

/// A follower that has not gone round for this long is stuck: its process should be restarted.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// How often the follower reports how things stand.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Events that may wait for the follower. Whoever has more waits: links, workers, standard input.
const EVENTS_MAX: usize = 1024;

/// Follows the files until the context's shutdown, or, with `once`, to their end. Takes over every new
/// plan; shows in `view` what it follows.
pub async fn follow(
    options: FollowOptions,
    peers: Vec<Peer>,
    plans: watch::Receiver<Arc<Plan>>,
    view: FollowView,
    metrics: TailMetrics,
    context: &Context,
) -> FollowOutcome {
    let (events, inbox) = mpsc::channel(EVENTS_MAX);
    let mut links = JoinSet::new();
    for (link, peer) in peers.iter().enumerate() {
        links.spawn(keep_up(link, peer.clone(), events.clone()));
    }
    view.set_aggregators(peers.iter().map(|peer| peer.name().to_owned()).collect());
    let plan = Arc::clone(&plans.borrow());
    let scratch = || Scratch::new(plan.samples_per_reason).with_limits(options.limits);
    let scratches = (0..options.workers).map(|_| scratch()).collect();
    let follower = Follower {
        sources: Sources::new(&options, &peers, scratches, metrics.clone()),
        schedule: DiscoverySchedule::default(),
        problems: Problems::default(),
        watch: Watch::start(options.poll_only),
        watchdog: context.health.watchdog("follower", SILENCE_MAX),
        reports: Reports {
            view,
            metrics,
            gate: context.readiness.gate("ingest"),
            progress: Progress::new(options.progress),
        },
        is_stopping: false,
        plan,
        options,
        events,
    };
    let outcome = follower.run(inbox, plans, context).await;
    links.shutdown().await;
    outcome
}

struct Follower {
    options: FollowOptions,
    plan: Arc<Plan>,
    sources: Sources,
    /// When files are looked for.
    schedule: DiscoverySchedule,
    problems: Problems,
    watch: Watch,
    watchdog: Watchdog,
    reports: Reports,
    is_stopping: bool,
    events: mpsc::Sender<FollowEvent>,
}

impl Follower {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<FollowEvent>,
        mut plans: watch::Receiver<Arc<Plan>>,
        context: &Context,
    ) -> FollowOutcome {
        let mut poll = ticker(self.options.poll_interval);
        let mut idle = ticker(self.options.idle_check);
        let mut report = ticker(REPORT_INTERVAL);
        let mut stop_by: Option<Instant> = None;
        let mut gathered: Option<tokio::time::Instant> = None;
        self.start_stdin();
        loop {
            let end_of_gathering = gathered.unwrap_or_else(tokio::time::Instant::now);
            tokio::select! {
                Some(event) = inbox.recv() => self.on_event(event),
                () = self.watch.changed(), if gathered.is_none() => {
                    gathered = Some(tokio::time::Instant::now() + GATHER);
                }
                () = tokio::time::sleep_until(end_of_gathering), if gathered.is_some() => {
                    gathered = None;
                    self.on_changes();
                }
                _ = poll.tick() => self.poll(),
                _ = idle.tick() => self.check_idle(),
                _ = report.tick() => self.report(),
                Ok(()) = plans.changed() => {
                    let plan = Arc::clone(&plans.borrow_and_update());
                    self.on_plan(plan);
                }
                () = context.shutdown.cancelled(), if stop_by.is_none() => {
                    self.is_stopping = true;
                    stop_by = Some(Instant::now() + DRAIN_MAX);
                }
            }
            self.dispatch();
            self.watchdog.beat();
            let is_late = stop_by.is_some_and(|by| Instant::now() > by);
            if is_late || self.has_drained() || self.has_finished() {
                break;
            }
        }
        self.report();
        self.reports.progress.finish();
        FollowOutcome { problems: self.problems.into_lines() }
    }

    /// Whether the follower is stopping and nothing is on its way. Looks at all sources, of which
    /// there may be a million: only when it matters.
    fn has_drained(&self) -> bool {
        self.is_stopping && self.sources.is_drained()
    }

    /// With `once`: whether everything that was found is read and acknowledged.
    fn has_finished(&self) -> bool {
        self.options.once && self.schedule.is_settled() && self.sources.are_finished()
    }

    fn on_event(&mut self, event: FollowEvent) {
        match event {
            FollowEvent::Link(LinkEvent::Up { link, requests }) => {
                self.sources.on_link_up(link, requests);
                self.report_readiness();
            }
            FollowEvent::Link(LinkEvent::Down { link }) => {
                self.sources.on_link_down(link);
                self.report_readiness();
            }
            FollowEvent::Link(LinkEvent::Answer { tag, source, stored, .. }) => {
                self.sources.on_response(tag, &source, stored);
            }
            FollowEvent::Done(done) => self.on_done(*done),
            FollowEvent::Discovered(discovery) => self.on_discovery(&discovery),
            FollowEvent::StandardInput(id) => self.sources.on_stdin(&id),
        }
    }

    /// Hands what is to be read to free workers.
    fn dispatch(&mut self) {
        while !self.is_stopping
            && let Some(job) = self.sources.next_job(Instant::now())
        {
            let (events, metrics) = (self.events.clone(), self.reports.metrics.clone());
            tokio::task::spawn_blocking(move || {
                let done = work(job, &metrics);
                let _ = events.blocking_send(FollowEvent::Done(Box::new(done)));
            });
        }
    }

    fn check_idle(&mut self) {
        if !self.is_stopping {
            self.sources.check_idle();
        }
    }

    fn report(&mut self) {
        let has_looked = self.schedule.has_finished_once();
        self.reports.report(&mut self.sources, has_looked, Instant::now());
    }

    fn report_readiness(&self) {
        self.reports.report_readiness(&self.sources, self.schedule.has_finished_once());
    }

    /// Looks for files, on a blocking thread.
    fn rediscover(&mut self) {
        if !self.schedule.begin(Instant::now()) {
            return;
        }
        let search = Search {
            inputs: self.plan.inputs.clone(),
            volume: self.options.volume.clone(),
            shard: self.options.shard,
        };
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let discovery = Box::new(discover(&search));
            let _ = events.blocking_send(FollowEvent::Discovered(discovery));
        });
    }

    /// Looks for files because time has passed.
    fn poll(&mut self) {
        if self.schedule.is_due(self.options.once, Instant::now()) {
            self.rediscover();
        }
    }

    fn on_discovery(&mut self, discovery: &Discovery) {
        let now = Instant::now();
        let end = self.schedule.end(now);
        self.watch.directories(&discovery.directories);
        let applied = self.findings(now).apply(discovery);
        self.problems.set_inputs(applied.problems);
        self.reports.metrics.reads.problems.set(self.problems.inputs() as i64);
        if end.is_first {
            self.report_readiness();
        }
        if end.is_outdated || applied.is_outdated {
            self.rediscover();
        }
    }

    fn findings(&mut self, now: Instant) -> Findings<'_> {
        let (inputs, volume) = (&self.plan.inputs, &self.options.volume);
        Findings { sources: &mut self.sources, inputs, volume, now }
    }

    /// Reads by another plan from now on. What is being read is finished under the old one.
    fn on_plan(&mut self, plan: Arc<Plan>) {
        tracing::info!(inputs = plan.inputs.len(), "reading by a new configuration");
        self.plan = plan;
        match self.sources.stdin_id().cloned() {
            Some(id) => self.findings(Instant::now()).read_by_successor(&id),
            None => self.start_stdin(),
        }
        self.rediscover();
    }

    /// Files have changed.
    fn on_changes(&mut self) {
        let (changes, now) = (self.watch.take(), Instant::now());
        let mut written = HashSet::new();
        for path in &changes.paths {
            written.extend(self.sources.table().at_path(path).cloned());
        }
        for id in written {
            self.sources.on_change(&id, now);
        }
        if changes.structure && !self.options.once {
            self.rediscover();
        }
    }

    /// Reads standard input if an input names it.
    fn start_stdin(&mut self) {
        let names_stdin = |input: &&Arc<Input>| input.patterns.iter().any(Pattern::is_stdin);
        let Some(input) = self.plan.inputs.iter().find(names_stdin).cloned() else { return };
        let name = SourceName::Stdin { volume: &self.options.volume, id: rand::random() };
        let Ok(id) = name.id() else { return };
        let (events, changed) = (self.events.clone(), id.clone());
        let stdin = Stdin::start(std::io::stdin(), move || {
            let _ = events.blocking_send(FollowEvent::StandardInput(changed.clone()));
        });
        let placeholders = vec![None; input.rules.placeholders().len()];
        let reading = Reading { input, path: placeholders.into() };
        let reader = Reader::new(Some(Content::Stdin(Arc::clone(&stdin))), reading.clone());
        let source = FollowedSource::stdin(id, reader, reading, Instant::now());
        self.sources.follow_stdin(source, stdin);
    }

    /// A worker has done a reading step.
    fn on_done(&mut self, done: ReadDone) {
        let ReadDone { source: id, ticket, end, reader, scratch, opened, stamp, result } = done;
        match self.sources.take_back(&id, ticket, reader, scratch, opened) {
            None => return,
            // What was read is read again, from the stored state.
            Some(Returned::Outdated) => {}
            Some(Returned::Wanted) => match result {
                Ok(step) => self.on_step(&id, step, stamp, end),
                Err(error) => self.on_read_error(&id, &error, stamp),
            },
        }
        self.sources.enqueue(&id);
        self.sources.close_if_over(&id);
    }

    fn on_step(&mut self, id: &SourceId, step: ReadStep, stamp: Option<Stamp>, end: End) {
        let Some(source) = self.sources.table().get(id) else { return };
        let path = source.path();
        if step.span.resumed_mid_line {
            tracing::warn!(source = %id, path = %path.display(), offset = step.span.from,
                "text was appended to a last line that was counted without its end; it is a new record");
        }
        self.reports.view.keep_samples(path, &step.samples, self.plan.samples_per_reason);
        self.problems.clear_unread(id);
        self.sources.on_step(id, step, stamp, end, Instant::now());
    }

    fn on_read_error(&mut self, id: &SourceId, error: &ReadError, stamp: Option<Stamp>) {
        let Some(source) = self.sources.table_mut().get_mut(id) else { return };
        match error {
            ReadError::Replaced { .. } if matches!(source.role(), SourceRole::Backfill { .. }) => {
                self.sources.give_up_backfill(id);
            }
            ReadError::Replaced { .. } => self.sources.on_replaced(id),
            ReadError::Io { source: cause, .. } => {
                self.reports.metrics.reads.read_errors.inc();
                let is_damaged =
                    matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
                source.extent_mut().note_failure(stamp, is_damaged);
                // The next discovery tries again; with `once` there is none.
                let is_news = source.reads_mut().note_failure(error.to_string(), self.options.once);
                let path = source.path().display();
                if is_news {
                    tracing::error!(%path, %error, "cannot read the file");
                } else {
                    tracing::debug!(%path, %error, "still cannot read the file");
                }
                self.problems.set_unread(id, format!("{path}: {error}"));
            }
        }
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
