//! The hub: one task that owns all pushed sources and their links to the aggregators.
//!
//! It never parses and never waits for a sender or an aggregator: messages come counted, and everything
//! reaches it as an event. The sources decide; it carries what they want done.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use logtally_core::limits::{
    ANONYMOUS_SOURCE_AGE_MAX, PRODUCER_IN_FLIGHT_BYTES_MAX, PRODUCER_IN_FLIGHT_MESSAGES_MAX,
    PUSH_DRAIN_MAX, PUSH_WAIT_MAX, PUSHED_SOURCE_IDLE_MAX, PUSHED_SOURCES_MAX,
};
use logtally_core::push::{ProducerName, Scope};
use logtally_core::source::{Generation, SourceId, SourceState};
use logtally_proto::{Action, Request};
use logtally_service::ReadinessGate;
use logtally_session::conversation::Tags;
use logtally_session::links::Links;
use logtally_session::uplink::LinkEvent;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::budget::{Budget, Permit};
use crate::error::PushError;
use crate::message::{Acknowledgement, Message, OpenedProducer, Sender};
use crate::metrics::PushMetrics;
use crate::opening::ProducerOpening;
use crate::pushed::{Effect, PendingMessage, PushedSource, SenderKind};

/// How often old things are looked for.
const TICK: Duration = Duration::from_millis(500);

/// Where the reply to a message goes.
pub(super) type ReplyTo = oneshot::Sender<Result<Acknowledgement, PushError>>;

/// What the hub is asked for.
pub(super) enum Command {
    /// Count a message.
    Push(Box<Message>, ReplyTo),
    /// Open a producer.
    Open(ProducerName, oneshot::Sender<Result<OpenedProducer, PushError>>),
}

/// What the hub reacts to.
pub(super) enum Event {
    /// Somebody asks for something.
    Command(Command),
    /// A link.
    Link(LinkEvent),
}

impl From<LinkEvent> for Event {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}

/// Who waits for a message, and what it holds.
pub(super) struct Waiter {
    reply_to: ReplyTo,
    permit: Permit,
    since: Instant,
}

/// A pushed source, and what the hub knows of it.
struct LiveSource {
    pushed: PushedSource<Waiter>,
    owner: Option<usize>,
    /// Bytes of the messages that wait.
    bytes: usize,
    used: Instant,
}

/// The source that anonymous pushes of a scope go to.
struct AnonymousSource {
    id: SourceId,
    since: Instant,
}

/// The hub.
pub(super) struct Hub {
    links: Links,
    sources: HashMap<SourceId, LiveSource>,
    anonymous: HashMap<Scope, AnonymousSource>,
    openings: HashMap<u64, ProducerOpening>,
    tags: Tags,
    budget: Budget,
    metrics: PushMetrics,
    gate: ReadinessGate,
}

impl Hub {
    pub(super) fn new(
        links: Links,
        budget: Budget,
        metrics: PushMetrics,
        gate: ReadinessGate,
    ) -> Self {
        Self {
            links,
            sources: HashMap::new(),
            anonymous: HashMap::new(),
            openings: HashMap::new(),
            tags: Tags::default(),
            budget,
            metrics,
            gate,
        }
    }

    /// Works until the shutdown, and then until nothing is under way.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        shutdown: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(TICK);
        let mut stop_by: Option<Instant> = None;
        self.gate.not_ready("no aggregator is reachable");
        loop {
            tokio::select! {
                event = inbox.recv() => match event {
                    Some(event) => self.take(event, stop_by.is_some()),
                    None => return,
                },
                _ = ticks.tick() => self.tick(),
                () = shutdown.cancelled(), if stop_by.is_none() => {
                    stop_by = Some(Instant::now() + PUSH_DRAIN_MAX);
                }
            }
            if let Some(by) = stop_by {
                let drained = self.sources.values().all(|source| source.pushed.is_idle());
                if (drained && self.openings.is_empty()) || Instant::now() > by {
                    return self.stop();
                }
            }
        }
    }

    fn take(&mut self, event: Event, stopping: bool) {
        match event {
            Event::Command(command) if stopping => refuse(command, PushError::Draining),
            Event::Command(command) if self.links.count() == 0 => {
                refuse(command, PushError::NoAggregator);
            }
            Event::Command(Command::Push(message, answer)) => self.push(*message, answer),
            Event::Command(Command::Open(name, answer)) => self.open(&name, answer),
            Event::Link(LinkEvent::Up { link, requests }) => {
                self.links.up(link, requests);
                self.links_changed(None);
            }
            Event::Link(LinkEvent::Down { link }) => {
                self.links.down(link);
                self.links_changed(Some(link));
            }
            Event::Link(LinkEvent::Answer { tag, source, stored, durable }) => {
                self.take_answer(tag, &source, stored, durable);
            }
        }
    }

    fn push(&mut self, message: Message, reply_to: ReplyTo) {
        let Message { sender, hash, counted, rejections, permit } = message;
        let (id, kind, epoch, sequence, note) = match sender {
            Sender::Producer { name, epoch, sequence, note } => {
                (name.source(), SenderKind::Producer, epoch, sequence, note)
            }
            Sender::Key { scope, key } => (scope.key(&key), SenderKind::Key, 0, 1, Some(now_s())),
            Sender::Anonymous { scope } => {
                (self.anonymous_source(scope), SenderKind::Anonymous, 0, 0, Some(now_s()))
            }
        };
        let source = self.source(&id, kind);
        let is_full = source.bytes + permit.bytes() > PRODUCER_IN_FLIGHT_BYTES_MAX
            || source.pushed.waiting() >= PRODUCER_IN_FLIGHT_MESSAGES_MAX;
        if kind == SenderKind::Producer && is_full {
            let _ = reply_to.send(Err(PushError::Busy));
            return;
        }
        source.bytes += permit.bytes();
        source.used = Instant::now();
        let reply = Waiter { reply_to, permit, since: source.used };
        let generation = Generation(epoch);
        let message =
            PendingMessage { generation, sequence, hash, note, counted, rejections, reply };
        self.work(&id, |pushed, tags| pushed.submit(message, tags));
    }

    /// Where anonymous pushes go. The source is new from time to time, so that old ones can be
    /// forgotten.
    fn anonymous_source(&mut self, scope: Scope) -> SourceId {
        if let Some(current) = self.anonymous.get(&scope)
            && current.since.elapsed() < ANONYMOUS_SOURCE_AGE_MAX
        {
            return current.id.clone();
        }
        let id = scope.anonymous(rand::random());
        let since = Instant::now();
        self.anonymous.insert(scope, AnonymousSource { id: id.clone(), since });
        id
    }

    fn source(&mut self, id: &SourceId, kind: SenderKind) -> &mut LiveSource {
        let links = &self.links;
        self.sources.entry(id.clone()).or_insert_with(|| LiveSource {
            pushed: PushedSource::new(id.clone(), kind),
            owner: links.owner_of(id),
            bytes: 0,
            used: Instant::now(),
        })
    }

    fn open(
        &mut self,
        name: &ProducerName,
        reply_to: oneshot::Sender<Result<OpenedProducer, PushError>>,
    ) {
        let opening = ProducerOpening::new(name.source(), reply_to);
        self.ask_for(opening, Action::Lookup(None));
    }

    /// Sends the next question of an opening.
    fn ask_for(&mut self, opening: ProducerOpening, action: Action) {
        let tag = self.tags.fresh();
        let owner = self.links.owner_of(&opening.source);
        let source = opening.source.clone();
        self.openings.insert(tag, opening.asked_by(owner));
        self.links.send(owner, Request { tag, source, action, traceparent: String::new() });
    }

    fn take_answer(&mut self, tag: u64, id: &SourceId, stored: Option<SourceState>, durable: bool) {
        if let Some(opening) = self.openings.remove(&tag) {
            if let Some((opening, action)) = opening.on_response(stored, durable) {
                self.ask_for(opening, action);
            } else {
                self.metrics.opened.inc();
            }
            return;
        }
        self.work(id, |pushed, tags| pushed.on_response(tag, stored, durable, tags));
    }

    /// Lets a pushed source do something, and does what it wants then.
    fn work(&mut self, id: &SourceId, act: impl FnOnce(&mut PushedSource<Waiter>, &mut Tags)) {
        let Some(source) = self.sources.get_mut(id) else { return };
        act(&mut source.pushed, &mut self.tags);
        for effect in source.pushed.take_effects() {
            let (tag, action) = match effect {
                Effect::Ask { acknowledged, tag } => (tag, Action::Lookup(acknowledged)),
                Effect::Open { tag } => {
                    let fresh = SourceState {
                        note: Some(now_s()),
                        ..SourceState::start(Generation(rand::random()))
                    };
                    (tag, Action::Open { expected: None, fresh })
                }
                Effect::Commit { tag, delta } => (tag, Action::Commit(delta)),
                Effect::Reply { to, result } => {
                    source.bytes -= to.permit.bytes();
                    self.metrics.note(&result, to.since.elapsed());
                    let _ = to.reply_to.send(result);
                    continue;
                }
            };
            let owner = source.owner;
            let source = id.clone();
            self.links.send(owner, Request { tag, source, action, traceparent: String::new() });
        }
    }

    /// Sources whose owner changed, or was lost, ask again what is stored.
    fn links_changed(&mut self, lost: Option<usize>) {
        match self.links.count() {
            0 => self.gate.not_ready("no aggregator is reachable"),
            _ => self.gate.ready(),
        }
        let ids: Vec<SourceId> = self.sources.keys().cloned().collect();
        for id in ids {
            let owner = self.links.owner_of(&id);
            let Some(source) = self.sources.get_mut(&id) else { continue };
            if source.owner == owner && (lost.is_none() || source.owner != lost) {
                continue;
            }
            source.owner = owner;
            match owner {
                Some(_) => self.work(&id, PushedSource::restart),
                None => source.pushed.go_offline(),
            }
        }
        // Whether an opening was done is not known; opening again is harmless.
        let broken = |opening: &ProducerOpening| lost.is_some() && opening.owner == lost;
        for (_, opening) in self.openings.extract_if(|_, opening| broken(opening)) {
            opening.fail(PushError::NoAggregator);
        }
    }

    /// Gives up what has waited too long, and forgets what nobody uses.
    fn tick(&mut self) {
        let is_late = |waiter: &Waiter| waiter.since.elapsed() > PUSH_WAIT_MAX;
        let mut late: Vec<SourceId> = Vec::new();
        for (id, source) in &self.sources {
            if source.pushed.oldest().is_some_and(is_late) {
                late.push(id.clone());
            }
        }
        let nobody = self.links.count() == 0;
        for id in late {
            let error = if nobody { PushError::NoAggregator } else { PushError::Unanswered };
            self.work(&id, |pushed, _| pushed.fail_all(&error));
        }
        for (_, opening) in
            self.openings.extract_if(|_, opening| opening.since.elapsed() > PUSH_WAIT_MAX)
        {
            opening.fail(PushError::Unanswered);
        }
        let is_crowded = self.sources.len() > PUSHED_SOURCES_MAX;
        let idle_max = if is_crowded { TICK } else { PUSHED_SOURCE_IDLE_MAX };
        self.sources.retain(|id, source| {
            let is_done = id.is_temporary() && source.pushed.is_over();
            !source.pushed.is_idle() || (source.used.elapsed() < idle_max && !is_done)
        });
        let sources = &self.sources;
        self.anonymous.retain(|_, current| sources.contains_key(&current.id));
        self.metrics.held_bytes.set(self.budget.used() as i64);
        self.metrics.sources.set(self.sources.len() as i64);
    }

    /// Nothing more is answered.
    fn stop(mut self) {
        let ids: Vec<SourceId> = self.sources.keys().cloned().collect();
        for id in ids {
            self.work(&id, |pushed, _| pushed.fail_all(&PushError::Draining));
        }
        for (_, opening) in self.openings {
            opening.fail(PushError::Draining);
        }
    }
}

fn refuse(command: Command, error: PushError) {
    match command {
        Command::Push(_, answer) => drop(answer.send(Err(error))),
        Command::Open(_, answer) => drop(answer.send(Err(error))),
    }
}

/// Seconds since 1970.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
