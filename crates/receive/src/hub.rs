//! The hub: one task that owns all lanes and their links to the aggregators.
//!
//! It never parses and never waits for a sender or an aggregator: messages come counted, and everything
//! reaches it as an event. Lanes decide; it carries what they want done.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use logtally_core::limits::{
    LANES_MAX, PRODUCER_IN_FLIGHT_BYTES_MAX, PRODUCER_IN_FLIGHT_MESSAGES_MAX,
};
use logtally_core::push::{ProducerName, Scope};
use logtally_core::source::{Generation, SourceId, SourceState};
use logtally_proto::{Action, Request};
use logtally_service::ReadinessGate;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Permit};
use super::lane::{Entry, Lane, Role, Step};
use super::message::{Acknowledged, Message, Opened, PushError, Sender};
use super::metrics::PushMetrics;
use super::opening::Opening;
use logtally_session::links::Links;
use logtally_session::uplink::LinkEvent;

/// How long a message may wait for its commit before its sender is told to try again.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a stopping hub waits for what is under way.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How often old things are looked for.
const TICK: Duration = Duration::from_millis(500);

/// How long a lane without messages is remembered.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// How long pushes of anybody go to one source. Aggregators forget such sources only after much
/// longer.
const LANE_AGE_MAX: Duration = Duration::from_hours(6);

/// Where the answer to a message goes.
pub(super) type Answer = oneshot::Sender<Result<Acknowledged, PushError>>;

/// What the hub is asked for.
pub(super) enum Command {
    /// Count a message.
    Push(Box<Message>, Answer),
    /// Open a producer.
    Open(ProducerName, oneshot::Sender<Result<Opened, PushError>>),
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
    answer: Answer,
    permit: Permit,
    since: Instant,
}

struct Slot {
    lane: Lane<Waiter>,
    owner: Option<usize>,
    /// Bytes of the messages that wait.
    bytes: usize,
    used: Instant,
}

/// The lane that pushes of anybody in a scope go to.
struct Current {
    id: SourceId,
    since: Instant,
}

/// The hub.
pub(super) struct Hub {
    links: Links,
    slots: HashMap<SourceId, Slot>,
    current: HashMap<Scope, Current>,
    openings: HashMap<u64, Opening>,
    next_tag: u64,
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
            slots: HashMap::new(),
            current: HashMap::new(),
            openings: HashMap::new(),
            next_tag: 0,
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
                    stop_by = Some(Instant::now() + DRAIN_MAX);
                }
            }
            if let Some(by) = stop_by {
                let drained = self.slots.values().all(|slot| slot.lane.is_idle());
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
                self.hear(tag, &source, stored, durable);
            }
        }
    }

    fn push(&mut self, message: Message, answer: Answer) {
        let Message { sender, hash, counted, rejections, permit } = message;
        let (id, role, epoch, sequence, note) = match sender {
            Sender::Producer { name, epoch, sequence, note } => {
                (name.source(), Role::Producer, epoch, sequence, note)
            }
            Sender::Key { scope, key } => (scope.key(&key), Role::Key, 0, 1, Some(now_s())),
            Sender::Anybody { scope } => (self.lane_of(scope), Role::Anybody, 0, 0, Some(now_s())),
        };
        let slot = self.slot(&id, role);
        let is_full = slot.bytes + permit.bytes() > PRODUCER_IN_FLIGHT_BYTES_MAX
            || slot.lane.waiting() >= PRODUCER_IN_FLIGHT_MESSAGES_MAX;
        if role == Role::Producer && is_full {
            let _ = answer.send(Err(PushError::Busy));
            return;
        }
        slot.bytes += permit.bytes();
        slot.used = Instant::now();
        let reply = Waiter { answer, permit, since: slot.used };
        let epoch = Generation(epoch);
        let entry = Entry { epoch, sequence, hash, note, counted, rejections, reply };
        self.work(&id, |lane, tags| lane.submit(entry, tags));
    }

    /// Where pushes of anybody go. The source is new from time to time, so that old ones can be
    /// forgotten.
    fn lane_of(&mut self, scope: Scope) -> SourceId {
        if let Some(current) = self.current.get(&scope)
            && current.since.elapsed() < LANE_AGE_MAX
        {
            return current.id.clone();
        }
        let id = scope.anonymous(rand::random());
        self.current.insert(scope, Current { id: id.clone(), since: Instant::now() });
        id
    }

    fn slot(&mut self, id: &SourceId, role: Role) -> &mut Slot {
        let links = &self.links;
        self.slots.entry(id.clone()).or_insert_with(|| Slot {
            lane: Lane::new(id.clone(), role),
            owner: links.owner_of(id),
            bytes: 0,
            used: Instant::now(),
        })
    }

    fn open(&mut self, name: &ProducerName, answer: oneshot::Sender<Result<Opened, PushError>>) {
        let source = name.source();
        let opening = Opening::new(source, answer);
        self.ask_for(opening, Action::Lookup(None));
    }

    /// Sends the next question of an opening.
    fn ask_for(&mut self, opening: Opening, action: Action) {
        let tag = self.tag();
        let owner = self.links.owner_of(&opening.source);
        let source = opening.source.clone();
        self.openings.insert(tag, opening.asked_by(owner));
        self.links.send(owner, Request { tag, source, action, traceparent: String::new() });
    }

    fn tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    fn hear(&mut self, tag: u64, id: &SourceId, stored: Option<SourceState>, durable: bool) {
        if let Some(opening) = self.openings.remove(&tag) {
            if let Some((opening, action)) = opening.hear(stored, durable) {
                self.ask_for(opening, action);
            } else {
                self.metrics.opened.inc();
            }
            return;
        }
        self.work(id, |lane, tags| lane.hear(tag, stored, durable, tags));
    }

    /// Lets a lane do something, and does what it wants then.
    fn work(
        &mut self,
        id: &SourceId,
        act: impl FnOnce(&mut Lane<Waiter>, &mut dyn FnMut() -> u64),
    ) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let next_tag = &mut self.next_tag;
        act(&mut slot.lane, &mut || {
            *next_tag += 1;
            *next_tag
        });
        for step in slot.lane.take_steps() {
            let (tag, action) = match step {
                Step::Ask { acknowledged, tag } => (tag, Action::Lookup(acknowledged)),
                Step::Open { tag } => {
                    let fresh = SourceState {
                        note: Some(now_s()),
                        ..SourceState::start(Generation(rand::random()))
                    };
                    (tag, Action::Open { expected: None, fresh })
                }
                Step::Commit { tag, delta } => (tag, Action::Commit(delta)),
                Step::Reply { to, result } => {
                    slot.bytes -= to.permit.bytes();
                    self.metrics.note(&result, to.since.elapsed());
                    let _ = to.answer.send(result);
                    continue;
                }
            };
            let source = id.clone();
            self.links
                .send(slot.owner, Request { tag, source, action, traceparent: String::new() });
        }
    }

    /// Lanes whose owner changed, or was lost, ask again what is stored.
    fn links_changed(&mut self, lost: Option<usize>) {
        match self.links.count() {
            0 => self.gate.not_ready("no aggregator is reachable"),
            _ => self.gate.ready(),
        }
        let ids: Vec<SourceId> = self.slots.keys().cloned().collect();
        for id in ids {
            let owner = self.links.owner_of(&id);
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            if slot.owner == owner && (lost.is_none() || slot.owner != lost) {
                continue;
            }
            slot.owner = owner;
            match owner {
                Some(_) => self.work(&id, |lane, tags| lane.restart(tags)),
                None => slot.lane.go_offline(),
            }
        }
        // Whether an opening was done is not known; opening again is harmless.
        let broken = |opening: &Opening| lost.is_some() && opening.owner == lost;
        for (_, opening) in self.openings.extract_if(|_, opening| broken(opening)) {
            opening.fail(PushError::NoAggregator);
        }
    }

    /// Gives up what has waited too long, and forgets what nobody uses.
    fn tick(&mut self) {
        let late = |slot: &Slot| {
            slot.lane.oldest().is_some_and(|waiter| waiter.since.elapsed() > WAIT_MAX)
        };
        let late: Vec<SourceId> =
            self.slots.iter().filter(|(_, s)| late(s)).map(|(id, _)| id.clone()).collect();
        let nobody = self.links.count() == 0;
        for id in late {
            let error = if nobody { PushError::NoAggregator } else { PushError::Unanswered };
            self.work(&id, |lane, _| lane.fail_all(&error));
        }
        for (_, opening) in
            self.openings.extract_if(|_, opening| opening.since.elapsed() > WAIT_MAX)
        {
            opening.fail(PushError::Unanswered);
        }
        let is_crowded = self.slots.len() > LANES_MAX;
        let idle_max = if is_crowded { TICK } else { IDLE_MAX };
        self.slots.retain(|id, slot| {
            let is_done = id.is_temporary() && slot.lane.is_over();
            !slot.lane.is_idle() || (slot.used.elapsed() < idle_max && !is_done)
        });
        let slots = &self.slots;
        self.current.retain(|_, current| slots.contains_key(&current.id));
        self.metrics.held_bytes.set(self.budget.used() as i64);
        self.metrics.lanes.set(self.slots.len() as i64);
    }

    /// Nothing more is answered.
    fn stop(mut self) {
        let ids: Vec<SourceId> = self.slots.keys().cloned().collect();
        for id in ids {
            self.work(&id, |lane, _| lane.fail_all(&PushError::Draining));
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
