//! The follower: one task that owns all sources and decides what happens next.
//!
//! It never reads a file (workers do), never blocks and never waits for an aggregator: everything
//! reaches it as an event, so there is one place to look for any decision about a source.

mod files;
mod traffic;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtally_core::limits::IN_FLIGHT_BYTES_MAX;
use logtally_core::ring::Ring;
use logtally_core::rule::Rule;
use logtally_core::source::SourceId;
use logtally_proto::Request;
use logtally_service::{Context, Heart, Latch};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::discover::{Discovery, Search, discover};
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::reader::{End, Scratch};
use crate::slot::{Next, Phase, Slot};
use crate::uplink::{LinkEvent, Peer, keep_up};
use crate::watch::Watch;
use crate::worker::{Done, Job, work};

/// How the follower works.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to read.
    pub search: Search,
    /// Read to the end, an unterminated last record included, and return.
    pub once: bool,
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
}

impl From<LinkEvent> for Event {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}

struct Link {
    name: String,
    requests: Option<mpsc::UnboundedSender<Request>>,
}

/// What reading with `once` came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Inputs that could not be read, one line each.
    pub problems: Vec<String>,
}

/// Follows the files until the context's shutdown, or, with `once`, to their end.
pub async fn follow(
    options: Options,
    peers: Vec<Peer>,
    rule: Arc<Rule>,
    metrics: Metrics,
    context: &Context,
) -> Outcome {
    let (events, inbox) = mpsc::channel(1024);
    let mut links = tokio::task::JoinSet::new();
    for (link, peer) in peers.iter().enumerate() {
        links.spawn(keep_up(link, peer.clone(), events.clone()));
    }
    let names = peers.iter().map(|p| Link { name: p.name().to_owned(), requests: None });
    let follower = Follower {
        links: names.collect(),
        ring: Ring::new([]),
        slots: HashMap::new(),
        paths: HashMap::new(),
        ready: VecDeque::new(),
        scratches: (0..options.workers).map(|_| Scratch::new(&rule)).collect(),
        in_flight_bytes: 0,
        next_tag: 1,
        problems: BTreeSet::new(),
        unread: BTreeSet::new(),
        look: Look::default(),
        watch: Watch::start(),
        latch: context.readiness.latch("ingest"),
        heart: context.health.heart("follower", SILENCE_MAX),
        progress: Progress::new(options.progress),
        stopping: false,
        rule,
        metrics,
        options,
        events,
    };
    let outcome = follower.run(inbox, context).await;
    links.shutdown().await;
    outcome
}

/// Looks for files: one at a time.
#[derive(Default)]
struct Look {
    running: bool,
    again: bool,
    done_once: bool,
}

struct Follower {
    options: Options,
    rule: Arc<Rule>,
    metrics: Metrics,
    events: mpsc::Sender<Event>,
    links: Vec<Link>,
    ring: Ring,
    slots: HashMap<SourceId, Slot>,
    /// Which source is at an absolute path.
    paths: HashMap<PathBuf, SourceId>,
    /// Slots that have something to read, first come first served.
    ready: VecDeque<SourceId>,
    /// Free buffers: as many steps as there are buffers run at once.
    scratches: Vec<Scratch>,
    in_flight_bytes: usize,
    next_tag: u64,
    /// What is wrong with the inputs now.
    problems: BTreeSet<String>,
    /// Files that could not be read to their end.
    unread: BTreeSet<String>,
    look: Look,
    watch: Watch,
    latch: Latch,
    heart: Heart,
    progress: Progress,
    stopping: bool,
}

impl Follower {
    async fn run(mut self, mut inbox: mpsc::Receiver<Event>, context: &Context) -> Outcome {
        let mut poll = ticker(self.options.poll_interval);
        let mut idle = ticker(self.options.idle_check);
        let mut report = ticker(Duration::from_secs(1));
        let mut stop_by: Option<Instant> = None;
        let mut gathered: Option<tokio::time::Instant> = None;
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
                () = context.shutdown.cancelled(), if stop_by.is_none() => {
                    self.stopping = true;
                    stop_by = Some(Instant::now() + DRAIN_MAX);
                }
            }
            self.dispatch();
            self.heart.beat();
            let drained = self.slots.values().all(|s| s.flights.is_empty());
            let late = stop_by.is_some_and(|by| Instant::now() > by);
            if late || (self.stopping && drained) || self.all_finished() {
                break;
            }
        }
        self.report();
        self.progress.finish();
        Outcome { problems: self.problems.union(&self.unread).cloned().collect() }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Link(LinkEvent::Up { link, requests }) => self.link_up(link, requests),
            Event::Link(LinkEvent::Down { link }) => self.link_down(link),
            Event::Link(LinkEvent::Answer { tag, source, stored }) => {
                self.take_answer(tag, &source, stored);
            }
            Event::Done(done) => self.take_done(*done),
            Event::Discovered(discovery) => self.take_discovery(&discovery),
        }
    }

    /// With `once`: whether everything that was found is read and acknowledged.
    fn all_finished(&self) -> bool {
        let done = |s: &Slot| s.finished && s.flights.is_empty();
        let looked = self.look.done_once && !self.look.running;
        self.options.once && looked && self.slots.values().all(done)
    }

    /// Hands ready slots to free workers, as long as there is room for what they bring back.
    fn dispatch(&mut self) {
        while !self.stopping && self.in_flight_bytes < IN_FLIGHT_BYTES_MAX {
            if self.scratches.is_empty() {
                return;
            }
            let Some(id) = self.ready.pop_front() else { return };
            if let Some(job) = self.make_job(&id) {
                let (events, metrics) = (self.events.clone(), self.metrics.clone());
                tokio::task::spawn_blocking(move || {
                    let done = work(job, &metrics);
                    let _ = events.blocking_send(Event::Done(Box::new(done)));
                });
            }
        }
    }

    fn make_job(&mut self, id: &SourceId) -> Option<Job> {
        let end = self.end_for(self.slots.get(id)?);
        let slot = self.slots.get_mut(id)?;
        slot.queued = false;
        let generation = slot.life()?;
        if !slot.may_read() {
            return None;
        }
        let reader = slot.reader.take()?;
        slot.dirty = false;
        let scratch = self.scratches.pop()?;
        Some(Job { source: id.clone(), generation, epoch: slot.epoch, end, reader, scratch })
    }

    /// Whether anything can follow what is in the slot's file now.
    fn end_for(&self, slot: &Slot) -> End {
        let over = slot.superseded && self.is_quiet(slot);
        if self.options.once || over { End::Final } else { End::Open }
    }

    /// Whether the slot's file has been away from its path, and unchanged, for long enough.
    fn is_quiet(&self, slot: &Slot) -> bool {
        let wait = self.options.rotate_wait;
        let long = |since: Instant| since.elapsed() >= wait;
        slot.rotated.is_some_and(long) && long(slot.changed)
    }

    /// Puts a slot into the queue if it has something to read and may read.
    fn enqueue(&mut self, id: &SourceId) {
        if let Some(slot) = self.slots.get_mut(id)
            && slot.dirty
            && !slot.queued
            && slot.may_read()
        {
            slot.queued = true;
            self.ready.push_back(id.clone());
        }
    }

    /// Looks for files, on a blocking thread.
    fn rediscover(&mut self) {
        if self.look.running {
            self.look.again = true;
            return;
        }
        self.look.running = true;
        let (search, events) = (self.options.search.clone(), self.events.clone());
        tokio::task::spawn_blocking(move || {
            let discovery = Box::new(discover(&search));
            let _ = events.blocking_send(Event::Discovered(discovery));
        });
    }

    fn poll(&mut self) {
        if !(self.options.once && self.look.done_once) {
            self.rediscover();
        }
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

    fn report(&mut self) {
        let now = Instant::now();
        let (mut size, mut acknowledged) = (0, 0);
        for slot in self.slots.values_mut() {
            let lag = slot.lag_bytes();
            slot.behind_since = if lag == 0 { None } else { slot.behind_since.or(Some(now)) };
            let seconds = slot.behind_since.map_or(0.0, |since| (now - since).as_secs_f64());
            let path = slot.path.to_string_lossy();
            self.metrics.lag_bytes.with_label_values(&[&path]).set(lag as i64);
            self.metrics.lag_seconds.with_label_values(&[&path]).set(seconds);
            size += slot.size;
            acknowledged += slot.size - lag;
        }
        self.metrics.sources.set(self.slots.len() as i64);
        self.metrics.in_flight_bytes.set(self.in_flight_bytes as i64);
        if self.look.done_once {
            self.progress.show(self.slots.len(), acknowledged, size, self.metrics.lines.get());
        }
        self.show_readiness();
    }

    fn show_readiness(&self) {
        if self.links.iter().all(|link| link.requests.is_none()) {
            self.latch.not_ready("no aggregator is reachable");
        } else if !self.look.done_once {
            self.latch.not_ready("looking for files");
        } else {
            self.latch.ready();
        }
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

impl Slot {
    /// Whether a reading step may begin now.
    fn may_read(&self) -> bool {
        self.phase == Phase::Reading
            && self.reader.is_some()
            && self.flights.len() < logtally_core::limits::SPANS_IN_FLIGHT_MAX
    }
}

impl Follower {
    /// Carries out what a slot wants next.
    fn carry_out(&mut self, id: &SourceId, next: Next) {
        match next {
            Next::Nothing => {}
            Next::Ask => self.ask(id),
            Next::Open(expected) => self.open(id, expected),
            Next::Read => self.enqueue(id),
        }
    }
}
