//! The follower: one task that owns all sources and decides what happens next.
//!
//! It never reads a file (workers do), never blocks and never waits for an aggregator: everything
//! reaches it as an event, so there is one place to look for any decision about a source.

mod backfill;
mod describe;
mod dispatch;
mod files;
mod handles;
mod traffic;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtally_core::source::SourceId;
use logtally_service::{Context, ReadinessGate, Watchdog};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

pub use describe::{FollowView, SampleRow, SourceRow};
pub use handles::raise_file_limit;

use crate::discover::{Discovery, Search, discover};
use crate::metrics::TailMetrics;
use crate::progress::Progress;
use crate::reader::{Scratch, SpanLimits};
use crate::shard::Shard;
use crate::slot::Slot;
use crate::stdin::Stdin;
use crate::watch::Watch;
use crate::worker::Done;
use logtally_count::plan::Plan;
use logtally_session::conversation::Tags;
use logtally_session::links::Links;
use logtally_session::uplink::{LinkEvent, Peer, keep_up};

/// How the follower works.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// The name of the volume that the files lie on.
    pub volume: String,
    /// The share of the sources that is ours.
    pub shard: Shard,
    /// Read to the end, an unterminated last record included, and return.
    pub once: bool,
    /// Look at the files from time to time only, without events of the file system.
    pub poll_only: bool,
    /// How often files are looked at when no event tells of a change.
    pub poll_interval: Duration,
    /// How long a rotated file must be quiet before its unterminated last record counts.
    pub rotate_wait: Duration,
    /// How often an idle source asks for its stored state.
    pub idle_check: Duration,
    /// Reading steps at the same time.
    pub workers: usize,
    /// Show a progress bar if standard error is a terminal.
    pub progress: bool,
    /// When a span is closed.
    pub limits: SpanLimits,
}

/// How long a stopping follower waits for what is on its way.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Changes are gathered for this long: a writer's many small appends become one delta.
const GATHER: Duration = Duration::from_millis(20);

/// A follower that has not gone round for this long is stuck: its process should be restarted.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What the follower reacts to.
enum Event {
    Link(LinkEvent),
    Done(Box<Done>),
    Discovered(Box<Discovery>),
    StandardInput(SourceId),
}

impl From<LinkEvent> for Event {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}

/// What reading with `once` came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FollowOutcome {
    /// Inputs that could not be read, one line each.
    pub problems: Vec<String>,
}

/// Follows the files until the context's shutdown, or, with `once`, to their end. Takes over every new
/// plan; tells in `view` what it follows.
pub async fn follow(
    options: FollowOptions,
    peers: Vec<Peer>,
    plans: watch::Receiver<Arc<Plan>>,
    view: FollowView,
    metrics: TailMetrics,
    context: &Context,
) -> FollowOutcome {
    let (events, inbox) = mpsc::channel(1024);
    let mut links = tokio::task::JoinSet::new();
    for (link, peer) in peers.iter().enumerate() {
        links.spawn(keep_up(link, peer.clone(), events.clone()));
    }
    view.set_aggregators(peers.iter().map(|peer| peer.name().to_owned()).collect());
    let plan = Arc::clone(&plans.borrow());
    let limits = options.limits;
    let scratch = || Scratch::new(plan.samples_per_reason).with_limits(limits);
    let follower = Follower {
        links: Links::new(&peers),
        slots: HashMap::new(),
        paths: HashMap::new(),
        ready: VecDeque::new(),
        scratches: (0..options.workers).map(|_| scratch()).collect(),
        in_flight_bytes: 0,
        tags: Tags::default(),
        problems: BTreeSet::new(),
        unread: BTreeMap::new(),
        look: Look::default(),
        watch: Watch::start(options.poll_only),
        gate: context.readiness.gate("ingest"),
        watchdog: context.health.watchdog("follower", SILENCE_MAX),
        progress: Progress::new(options.progress),
        stopping: false,
        stdin: None,
        handles: handles::Handles::new(),
        idle_turn: 0,
        plan,
        view,
        metrics,
        options,
        events,
    };
    let outcome = follower.run(inbox, plans, context).await;
    links.shutdown().await;
    outcome
}

/// Looks for files: one at a time.
#[derive(Default)]
struct Look {
    running: bool,
    again: bool,
    done_once: bool,
    /// When the last look began, and how long it took.
    begun: Option<Instant>,
    took: Duration,
}

struct Follower {
    options: FollowOptions,
    plan: Arc<Plan>,
    view: FollowView,
    metrics: TailMetrics,
    events: mpsc::Sender<Event>,
    links: Links,
    slots: HashMap<SourceId, Slot>,
    /// Which source is at an absolute path.
    paths: HashMap<PathBuf, SourceId>,
    /// Slots that have something to read, first come first served.
    ready: VecDeque<SourceId>,
    /// Free buffers: as many steps as there are buffers run at once.
    scratches: Vec<Scratch>,
    in_flight_bytes: usize,
    tags: Tags,
    /// What is wrong with the inputs now.
    problems: BTreeSet<String>,
    /// Sources that could not be read to their end, each with the reason.
    unread: BTreeMap<SourceId, String>,
    /// Standard input, if it is read.
    stdin: Option<(SourceId, Arc<Stdin>)>,
    /// Open files.
    handles: handles::Handles,
    /// Counts the looks at idle sources, each of which is at a part of them.
    idle_turn: u64,
    look: Look,
    watch: Watch,
    gate: ReadinessGate,
    watchdog: Watchdog,
    progress: Progress,
    stopping: bool,
}

impl Follower {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        mut plans: watch::Receiver<Arc<Plan>>,
        context: &Context,
    ) -> FollowOutcome {
        let mut poll = ticker(self.options.poll_interval);
        let mut idle = ticker(self.options.idle_check);
        let mut report = ticker(Duration::from_secs(1));
        let mut stop_by: Option<Instant> = None;
        let mut gathered: Option<tokio::time::Instant> = None;
        self.start_stdin();
        loop {
            let end_of_gathering = gathered.unwrap_or_else(tokio::time::Instant::now);
            tokio::select! {
                Some(event) = inbox.recv() => self.take_event(event),
                () = self.watch.changed(), if gathered.is_none() => {
                    gathered = Some(tokio::time::Instant::now() + GATHER);
                }
                () = tokio::time::sleep_until(end_of_gathering), if gathered.is_some() => {
                    gathered = None;
                    self.take_changes();
                }
                _ = poll.tick() => self.poll(),
                _ = idle.tick() => self.check_idle(),
                _ = report.tick() => self.report(),
                Ok(()) = plans.changed() => {
                    let plan = Arc::clone(&plans.borrow_and_update());
                    self.take_plan(plan);
                }
                () = context.shutdown.cancelled(), if stop_by.is_none() => {
                    self.stopping = true;
                    stop_by = Some(Instant::now() + DRAIN_MAX);
                }
            }
            self.dispatch();
            self.watchdog.beat();
            let late = stop_by.is_some_and(|by| Instant::now() > by);
            // Looks at all sources, of which there may be a million: only when it matters.
            let is_drained = || self.slots.values().all(|s| s.conversation().in_flight() == 0);
            if late || (self.stopping && is_drained()) || self.all_finished() {
                break;
            }
        }
        self.report();
        self.progress.finish();
        let unread = self.unread.into_values();
        FollowOutcome { problems: self.problems.into_iter().chain(unread).collect() }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Link(LinkEvent::Up { link, requests }) => self.link_up(link, requests),
            Event::Link(LinkEvent::Down { link }) => self.link_down(link),
            Event::Link(LinkEvent::Answer { tag, source, stored, .. }) => {
                self.take_answer(tag, &source, stored);
            }
            Event::Done(done) => self.take_done(*done),
            Event::Discovered(discovery) => self.take_discovery(&discovery),
            Event::StandardInput(id) => self.take_stdin(&id),
        }
    }

    /// With `once`: whether everything that was found is read and acknowledged.
    fn all_finished(&self) -> bool {
        let done = |s: &Slot| s.finished && s.conversation().in_flight() == 0;
        let looked = self.look.done_once && !self.look.running;
        self.options.once && looked && self.slots.values().all(done)
    }

    /// Looks for files, on a blocking thread.
    fn rediscover(&mut self) {
        if self.look.running {
            self.look.again = true;
            return;
        }
        self.look.running = true;
        self.look.begun = Some(Instant::now());
        let search = Search {
            inputs: self.plan.inputs.clone(),
            volume: self.options.volume.clone(),
            shard: self.options.shard,
        };
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let discovery = Box::new(discover(&search));
            let _ = events.blocking_send(Event::Discovered(discovery));
        });
    }

    /// Looks for files, but spends no more than a tenth of the time on it, however many there are.
    fn poll(&mut self) {
        let begun = self.look.begun.filter(|_| self.look.done_once);
        let too_soon = begun.is_some_and(|begun| begun.elapsed() < self.look.took * 10);
        let is_over = self.options.once && self.look.done_once;
        if !(too_soon || is_over) {
            self.rediscover();
        }
    }

    /// Reads by another plan from now on. What is being read is finished under the old one.
    fn take_plan(&mut self, plan: Arc<Plan>) {
        tracing::info!(inputs = plan.inputs.len(), "reading by a new configuration");
        self.plan = plan;
        match self.stdin.clone() {
            Some((id, _)) => self.read_by_successor(&id),
            None => self.start_stdin(),
        }
        self.rediscover();
    }

    fn take_changes(&mut self) {
        let changes = self.watch.take();
        let known: HashSet<SourceId> =
            changes.paths.iter().filter_map(|path| self.paths.get(path).cloned()).collect();
        for id in known {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.dirty = true;
                slot.changed = Instant::now();
            }
            self.enqueue(&id);
        }
        if changes.structure && !self.options.once {
            self.rediscover();
        }
    }

    fn show_readiness(&self) {
        if self.links.count() == 0 {
            self.gate.not_ready("no aggregator is reachable");
        } else if !self.look.done_once {
            self.gate.not_ready("looking for files");
        } else {
            self.gate.ready();
        }
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
