//! One pushed source: what waits to be counted, what is under way, what was heard. A state machine
//! without I/O and without a clock; the hub carries its requests and replies.
//!
//! It never decides whether a message counts: the store does. It only builds deltas that continue what
//! it has heard, asks again when an answer does not fit, and tells senders what became of their
//! messages.

mod step;

use std::collections::VecDeque;

use logtally_core::delta::{Delta, Span};
use logtally_core::limits::{DELTA_BYTES_TARGET, POSITION_MAX, SPANS_IN_FLIGHT_MAX};
use logtally_core::series::{Family, Increments};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};

pub use self::step::{Entry, Role, Step};
use super::message::{Acknowledged, PushError};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is known, or nobody can be asked.
    Unasked,
    /// Waits for the stored state.
    Asking { tag: u64 },
    /// `stored` is known, and `queue` continues it.
    Ready,
}

/// A delta under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    tag: u64,
    to: u64,
}

/// A message in its place.
#[derive(Debug)]
struct Placed<T> {
    entry: Entry<T>,
    /// Others that sent the same message meanwhile.
    also: Vec<T>,
    /// Whether it was ever sent to an aggregator, so that what is stored may be ours.
    sent: bool,
}

/// A message without a place.
#[derive(Debug)]
struct Unplaced<T> {
    entry: Entry<T>,
    /// Whether it was there before the question that is under way was asked. Only then may the answer
    /// be held against it: what is stored may have grown between the question and the message.
    asked_for: bool,
}

/// One pushed source.
#[derive(Debug)]
pub struct Lane<T> {
    /// Its name.
    pub id: SourceId,
    role: Role,
    phase: Phase,
    stored: Option<SourceState>,
    durable: bool,
    /// Continues `stored` without a gap, once it is known.
    queue: VecDeque<Placed<T>>,
    /// How many of the queue are under way.
    sent: usize,
    flights: VecDeque<Flight>,
    /// Whose place is not known yet.
    unplaced: Vec<Unplaced<T>>,
    steps: Vec<Step<T>>,
}

impl<T> Lane<T> {
    /// A lane of which nothing is known.
    pub fn new(id: SourceId, role: Role) -> Self {
        Self {
            id,
            role,
            phase: Phase::Unasked,
            stored: None,
            durable: false,
            queue: VecDeque::new(),
            sent: 0,
            flights: VecDeque::new(),
            unplaced: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.unplaced.is_empty()
    }

    /// How many messages wait.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.unplaced.len()
    }

    /// Whom nobody has told anything for the longest time.
    pub fn oldest(&self) -> Option<&T> {
        let queued = self.queue.front().map(|placed| &placed.entry);
        let unplaced = self.unplaced.first().map(|unplaced| &unplaced.entry);
        queued.or(unplaced).map(|entry| &entry.reply)
    }

    /// Whether nothing more is to be expected of it.
    pub fn is_over(&self) -> bool {
        self.role == Role::Key && self.is_idle()
    }

    /// What is to be done now, in order.
    pub fn take_steps(&mut self) -> Vec<Step<T>> {
        std::mem::take(&mut self.steps)
    }

    /// Takes in a message. `tags` gives fresh tags.
    pub fn submit(&mut self, entry: Entry<T>, tags: &mut dyn FnMut() -> u64) {
        match self.phase {
            Phase::Ready if self.may_place(&entry) => {
                self.place(entry);
                self.send(tags);
            }
            Phase::Asking { .. } => self.unplaced.push(Unplaced { entry, asked_for: false }),
            Phase::Ready | Phase::Unasked => {
                self.unplaced.push(Unplaced { entry, asked_for: true });
                self.ask(tags);
            }
        }
    }

    /// Whether the place of a message is certain without another question: it comes next, or it is one
    /// that waits already. Anything else may only seem wrong because somebody else has gone on.
    fn may_place(&self, entry: &Entry<T>) -> bool {
        let Some(stored) = self.stored else { return false };
        match self.role {
            Role::Anybody => true,
            Role::Key => false,
            Role::Producer => {
                let next = stored.position + self.queue.len() as u64 + 1;
                let known = stored.position + 1..=next;
                entry.epoch == stored.generation && known.contains(&entry.sequence)
            }
        }
    }

    /// Asks for the stored state, or opens the source if that is all that can be wanted. What is under
    /// way is sent again from there.
    pub fn ask(&mut self, tags: &mut dyn FnMut() -> u64) {
        let tag = tags();
        self.phase = Phase::Asking { tag };
        self.unplaced.iter_mut().for_each(|unplaced| unplaced.asked_for = true);
        self.flights.clear();
        self.sent = 0;
        let is_new = self.stored.is_none() && self.role != Role::Producer;
        self.steps.push(if is_new {
            Step::Open { tag }
        } else {
            Step::Ask { acknowledged: self.stored, tag }
        });
    }

    /// The link broke or another aggregator works for the source: begins anew if anything waits.
    pub fn restart(&mut self, tags: &mut dyn FnMut() -> u64) {
        self.flights.clear();
        self.sent = 0;
        if self.is_idle() {
            self.phase = Phase::Unasked;
        } else {
            self.ask(tags);
        }
    }

    /// Nobody can be asked.
    pub fn go_offline(&mut self) {
        self.flights.clear();
        self.sent = 0;
        self.phase = Phase::Unasked;
    }

    /// Takes in the answer to request `tag`.
    pub fn hear(
        &mut self,
        tag: u64,
        stored: Option<SourceState>,
        durable: bool,
        tags: &mut dyn FnMut() -> u64,
    ) {
        let answers_question = self.phase == (Phase::Asking { tag });
        let flight = self.flights.iter().find(|flight| flight.tag == tag).copied();
        if !answers_question && flight.is_none() {
            return;
        }
        self.durable = durable;
        let Some(state) = stored else { return self.is_not_there(tags) };
        let before = self.stored.replace(state);
        if let (Some(flight), Some(before)) = (flight, before)
            && before.generation == state.generation
            && state.position >= flight.to
        {
            self.flights.retain(|other| other.to > state.position);
            self.land(state);
        } else {
            self.flights.clear();
            self.sent = 0;
            self.phase = Phase::Ready;
            self.adopt(state);
        }
        self.send(tags);
        self.ask_for_late(tags);
    }

    /// Asks once more for messages that came after the last question.
    fn ask_for_late(&mut self, tags: &mut dyn FnMut() -> u64) {
        if !self.unplaced.is_empty() {
            self.ask(tags);
        }
    }

    /// Nothing is stored of the source. Absent is not zero: a producer must open it.
    fn is_not_there(&mut self, tags: &mut dyn FnMut() -> u64) {
        self.stored = None;
        self.go_offline();
        if self.role == Role::Producer {
            let (known, late) =
                std::mem::take(&mut self.unplaced).into_iter().partition(|u| u.asked_for);
            self.unplaced = known;
            self.fail_all(&PushError::Unknown);
            self.unplaced = late;
            self.ask_for_late(tags);
        } else if !self.is_idle() {
            self.ask(tags);
        }
    }

    /// Messages that the stored state covers are counted.
    fn land(&mut self, state: SourceState) {
        while self.queue.front().is_some_and(|placed| placed.entry.sequence <= state.position) {
            let Some(placed) = self.queue.pop_front() else { break };
            self.sent = self.sent.saturating_sub(1);
            self.acknowledge(placed, state);
        }
    }

    /// Goes on from a state that was asked for, or that is not what was expected.
    fn adopt(&mut self, state: SourceState) {
        if self.role == Role::Producer {
            let is_over = |placed: &Placed<T>| placed.entry.epoch != state.generation;
            if self.queue.iter().any(is_over) {
                let (over, kept) = self.queue.drain(..).partition(is_over);
                self.queue = kept;
                self.refuse(over, &PushError::Fenced);
            }
        }
        match self.role {
            Role::Anybody => self.renumber(state),
            Role::Key | Role::Producer => self.land(state),
        }
        let next = state.position + 1;
        if self.queue.front().is_some_and(|placed| placed.entry.sequence != next) {
            let all = std::mem::take(&mut self.queue);
            self.refuse(all, &PushError::Gap { sequence: state.position });
        }
        let mut unplaced = std::mem::take(&mut self.unplaced);
        unplaced.sort_by_key(|unplaced| unplaced.entry.sequence);
        for Unplaced { entry, asked_for } in unplaced {
            let is_late = !asked_for && self.refusal(&entry).is_some();
            if is_late {
                self.unplaced.push(Unplaced { entry, asked_for });
            } else {
                self.place(entry);
            }
        }
    }

    /// Why a message has no place, as far as is known.
    fn refusal(&self, entry: &Entry<T>) -> Option<PushError> {
        let state = self.stored.filter(|_| self.role == Role::Producer)?;
        let next = state.position + self.queue.len() as u64 + 1;
        if entry.epoch != state.generation {
            Some(PushError::Fenced)
        } else if entry.sequence > next {
            Some(PushError::Gap { sequence: next - 1 })
        } else {
            None
        }
    }

    /// What was sent and is covered is counted; the rest follows the stored state, whatever its numbers
    /// were: nobody else knows them.
    fn renumber(&mut self, state: SourceState) {
        let is_same_life = self.queue.front().is_some_and(|p| p.entry.epoch == state.generation);
        if is_same_life {
            self.land(state);
        }
        for (placed, sequence) in self.queue.iter_mut().zip(state.position + 1..) {
            placed.entry.sequence = sequence;
            placed.entry.epoch = state.generation;
        }
    }

    /// Puts a message in its place, or says why it has none.
    fn place(&mut self, mut entry: Entry<T>) {
        let Some(state) = self.stored else { return };
        if let Some(refusal) = self.refusal(&entry) {
            return self.reply(entry.reply, Err(refusal));
        }
        let next = state.position + self.queue.len() as u64 + 1;
        match self.role {
            Role::Anybody => entry.sequence = next,
            Role::Key => entry.sequence = 1,
            Role::Producer => {}
        }
        entry.epoch = state.generation;
        let place = Placed { entry, also: Vec::new(), sent: false };
        match place.entry.sequence {
            sequence if sequence <= state.position => self.acknowledge(place, state),
            sequence if sequence < next => self.join(place.entry, state),
            _ => self.queue.push_back(place),
        }
    }

    /// The same message is under way already.
    fn join(&mut self, entry: Entry<T>, state: SourceState) {
        let index = (entry.sequence - state.position - 1) as usize;
        let same = &mut self.queue[index];
        if same.entry.hash == entry.hash {
            same.also.push(entry.reply);
        } else {
            let conflict = self.conflict();
            self.reply(entry.reply, Err(conflict));
        }
    }

    /// Tells that a message is counted, unless other content was counted in its place. Only of the last
    /// message is the content known.
    fn acknowledge(&mut self, placed: Placed<T>, state: SourceState) {
        let Placed { entry, also, sent } = placed;
        if entry.sequence == state.position && Tail(entry.hash) != state.tail {
            let conflict = self.conflict();
            for to in std::iter::once(entry.reply).chain(also) {
                self.reply(to, Err(conflict.clone()));
            }
            return;
        }
        let duplicate = Acknowledged {
            sequence: if self.role == Role::Producer { state.position } else { 0 },
            durable: self.durable,
            exactly_once: self.role != Role::Anybody,
            duplicate: true,
            records: RecordCounts::default(),
            rejections: Vec::new(),
        };
        for to in also {
            self.reply(to, Ok(duplicate.clone()));
        }
        let first = if sent {
            let (records, rejections) = (entry.counted.records, entry.rejections);
            Acknowledged { duplicate: false, records, rejections, ..duplicate }
        } else {
            duplicate
        };
        self.reply(entry.reply, Ok(first));
    }

    fn conflict(&self) -> PushError {
        let what = if self.role == Role::Key { "idempotency key" } else { "sequence number" };
        PushError::Conflict { what }
    }

    /// Sends what may be sent: as many messages in one delta as fit, so that the more waits, the less
    /// each costs.
    fn send(&mut self, tags: &mut dyn FnMut() -> u64) {
        let Some(state) = self.stored.filter(|_| self.phase == Phase::Ready) else { return };
        while self.flights.len() < SPANS_IN_FLIGHT_MAX && self.sent < self.queue.len() {
            let from = self.sent;
            let tail = from.checked_sub(1).map_or(state.tail, |i| Tail(self.queue[i].entry.hash));
            let mut bytes = 0;
            let fits = |placed: &&mut Placed<T>| {
                let first = bytes == 0;
                bytes += placed.entry.counted.increments.len();
                first || bytes <= DELTA_BYTES_TARGET
            };
            let mut taken = 0;
            for placed in self.queue.iter_mut().skip(from).take_while(fits) {
                placed.sent = true;
                taken += 1;
            }
            self.sent = from + taken;
            let delta = self.delta(from, state.generation, tail);
            let tag = tags();
            self.flights.push_back(Flight { tag, to: delta.span.to() });
            self.steps.push(Step::Commit { tag, delta: Box::new(delta) });
        }
    }

    /// The delta of the messages from `from` on that are marked as sent.
    fn delta(&self, from: usize, generation: Generation, tail_before: Tail) -> Delta {
        let entries = || self.queue.range(from..self.sent).map(|placed| &placed.entry);
        let (first, last) = (&self.queue[from].entry, &self.queue[self.sent - 1].entry);
        let (mut families, mut limits) = (Vec::new(), Vec::new());
        for entry in entries() {
            for family in &entry.counted.families {
                if !families.contains(&family) {
                    families.push(family);
                }
            }
            for limit in &entry.counted.limits {
                if !limits.contains(limit) {
                    limits.push(*limit);
                }
            }
        }
        let records =
            entries().map(|e| e.counted.records).fold(RecordCounts::default(), RecordCounts::plus);
        Delta {
            source: self.id.clone(),
            generation,
            span: Span::new(first.sequence - 1, last.sequence)
                .expect("messages follow each other below 2^53"),
            tail_before,
            tail_after: Tail(last.hash),
            note: entries().rev().find_map(|e| e.note).or(self.stored.and_then(|s| s.note)),
            records,
            families: families.into_iter().map(|family| Family::clone(family)).collect(),
            limits,
            increments: Increments::merge(entries().map(|e| &e.counted.increments)),
        }
    }

    /// Gives up everything that waits.
    pub fn fail_all(&mut self, error: &PushError) {
        self.go_offline();
        let queue = std::mem::take(&mut self.queue);
        self.refuse(queue, error);
        for unplaced in std::mem::take(&mut self.unplaced) {
            self.reply(unplaced.entry.reply, Err(error.clone()));
        }
    }

    fn refuse(&mut self, queue: VecDeque<Placed<T>>, error: &PushError) {
        for Placed { entry, also, .. } in queue {
            for to in std::iter::once(entry.reply).chain(also) {
                self.reply(to, Err(error.clone()));
            }
        }
    }

    fn reply(&mut self, to: T, result: Result<Acknowledged, PushError>) {
        self.steps.push(Step::Reply { to, result });
    }
}

/// Whether a producer may use a number.
pub fn check_sequence(sequence: u64) -> Result<(), PushError> {
    if (1..=POSITION_MAX).contains(&sequence) {
        Ok(())
    } else {
        Err(PushError::invalid(
            "sequence",
            "the first message has the number 1, and all are below 2^53",
        ))
    }
}

#[cfg(test)]
mod tests;
