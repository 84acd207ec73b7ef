//! One pushed source: which messages wait, where each has its place, and what becomes of it. A state
//! machine without I/O and without a clock; the hub carries its requests and replies.
//!
//! It never decides whether a message counts: the store does, and the [`Conversation`] with it says how
//! to go on. Here messages are put in their order, made into deltas, and acknowledged or refused.

mod effect;

use std::collections::VecDeque;
use std::ops::Range;

use logtally_core::delta::{Delta, Span};
use logtally_core::exchange::{Party, SentSpan};
use logtally_core::limits::{DELTA_BYTES_TARGET, SPANS_IN_FLIGHT_MAX};
use logtally_core::series::{Family, Increments};
use logtally_core::source::{RecordCounts, SourceId, SourceState, Tail};
use logtally_session::conversation::{Conversation, NextStep, Tags};

pub(crate) use self::effect::{Effect, PendingMessage, SenderKind};
use crate::error::PushError;
use crate::message::Acknowledgement;

/// A message in its place.
#[derive(Debug)]
struct Placed<T> {
    message: PendingMessage<T>,
    /// Others that sent the same message meanwhile.
    also: Vec<T>,
    /// Whether it was ever sent to an aggregator, so that what is stored may be ours.
    sent: bool,
}

/// A message without a place.
#[derive(Debug)]
struct Unplaced<T> {
    message: PendingMessage<T>,
    /// Whether it was there before the question that is under way was asked. Only then may the answer
    /// be held against it: what is stored may have grown between the question and the message.
    asked_for: bool,
}

/// One pushed source.
#[derive(Debug)]
pub(crate) struct PushedSource<T> {
    id: SourceId,
    kind: SenderKind,
    conversation: Conversation<()>,
    /// Whether the last answer survives a crash of the store.
    durable: bool,
    /// Continues the stored state without a gap, once that is known.
    queue: VecDeque<Placed<T>>,
    /// Whose place is not known yet.
    unplaced: Vec<Unplaced<T>>,
    effects: Vec<Effect<T>>,
}

impl<T> PushedSource<T> {
    /// A source of which nothing is known.
    pub(crate) fn new(id: SourceId, kind: SenderKind) -> Self {
        let party = match kind {
            SenderKind::Producer => Party::Producer,
            SenderKind::Key | SenderKind::Anonymous => Party::Push,
        };
        Self {
            id,
            kind,
            conversation: Conversation::new(party),
            durable: false,
            queue: VecDeque::new(),
            unplaced: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.unplaced.is_empty()
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len() + self.unplaced.len()
    }

    /// Who has waited longest for a reply.
    pub(crate) fn oldest(&self) -> Option<&T> {
        let queued = self.queue.front().map(|placed| &placed.message);
        let unplaced = self.unplaced.first().map(|unplaced| &unplaced.message);
        queued.or(unplaced).map(|message| &message.reply)
    }

    /// Whether nothing more is to be expected of it.
    pub(crate) fn is_over(&self) -> bool {
        self.kind == SenderKind::Key && self.is_idle()
    }

    /// What is to be done now, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect<T>> {
        std::mem::take(&mut self.effects)
    }

    /// Takes in a message.
    pub(crate) fn submit(&mut self, message: PendingMessage<T>, tags: &mut Tags) {
        if self.conversation.is_asking() {
            self.unplaced.push(Unplaced { message, asked_for: false });
        } else if self.conversation.is_ready() && self.may_place(&message) {
            self.place(message);
            self.send(tags);
        } else {
            self.unplaced.push(Unplaced { message, asked_for: true });
            self.ask(tags);
        }
    }

    /// Whether the place of a message is certain without another question: it comes next, or it is one
    /// that waits already. Anything else may only seem wrong because somebody else has gone on.
    fn may_place(&self, message: &PendingMessage<T>) -> bool {
        let Some(stored) = self.conversation.known() else { return false };
        match self.kind {
            SenderKind::Anonymous => true,
            SenderKind::Key => false,
            SenderKind::Producer => {
                let next = stored.position + self.queue.len() as u64 + 1;
                let known = stored.position + 1..=next;
                message.generation == stored.generation && known.contains(&message.sequence)
            }
        }
    }

    fn ask(&mut self, tags: &mut Tags) {
        let step = self.conversation.ask(tags);
        self.request(&step);
    }

    /// Hands on a question or an opening. What waits for a place now was there before it.
    fn request(&mut self, step: &NextStep<()>) {
        let effect = match *step {
            NextStep::Ask { acknowledged, tag } => Effect::Ask { acknowledged, tag },
            NextStep::Open { tag, .. } => Effect::Open { tag },
            _ => return,
        };
        self.effects.push(effect);
        for unplaced in &mut self.unplaced {
            unplaced.asked_for = true;
        }
    }

    /// The link broke or another aggregator works for the source: begins anew if anything waits.
    pub(crate) fn restart(&mut self, tags: &mut Tags) {
        if self.is_idle() {
            self.go_offline();
        } else {
            self.ask(tags);
        }
    }

    /// Nobody can be asked.
    pub(crate) fn go_offline(&mut self) {
        self.conversation.go_offline();
    }

    /// Takes in the answer to request `tag`.
    pub(crate) fn on_response(
        &mut self,
        tag: u64,
        stored: Option<SourceState>,
        durable: bool,
        tags: &mut Tags,
    ) {
        let step = self.conversation.on_response(tag, stored, tags);
        if matches!(step, NextStep::Nothing) {
            return;
        }
        self.durable = durable;
        match step {
            NextStep::Landed { state, .. } => self.land(state),
            NextStep::Continue(state) => self.adopt(state),
            NextStep::Stop => return self.refuse_unknown(tags),
            step => return self.request(&step),
        }
        self.send(tags);
        self.ask_for_late(tags);
    }

    /// Asks once more for messages that came after the last question.
    fn ask_for_late(&mut self, tags: &mut Tags) {
        if !self.unplaced.is_empty() {
            self.ask(tags);
        }
    }

    /// Nothing is stored of a producer. Absent is not zero: the producer must open its source.
    fn refuse_unknown(&mut self, tags: &mut Tags) {
        let unplaced = std::mem::take(&mut self.unplaced);
        let (known, late) = unplaced.into_iter().partition(|unplaced| unplaced.asked_for);
        self.unplaced = known;
        self.fail_all(&PushError::Unknown);
        self.unplaced = late;
        self.ask_for_late(tags);
    }

    /// Messages that the stored state covers are counted.
    fn land(&mut self, state: SourceState) {
        while self.queue.front().is_some_and(|placed| placed.message.sequence <= state.position) {
            let Some(placed) = self.queue.pop_front() else { break };
            self.acknowledge(placed, state);
        }
    }

    /// Goes on from a state that was asked for, or that is not what was expected.
    fn adopt(&mut self, state: SourceState) {
        if self.kind == SenderKind::Producer {
            let is_over = |placed: &Placed<T>| placed.message.generation != state.generation;
            if self.queue.iter().any(is_over) {
                let (over, kept) = self.queue.drain(..).partition(is_over);
                self.queue = kept;
                self.refuse(over, &PushError::Fenced);
            }
        }
        match self.kind {
            SenderKind::Anonymous => self.renumber(state),
            SenderKind::Key | SenderKind::Producer => self.land(state),
        }
        let next = state.position + 1;
        if self.queue.front().is_some_and(|placed| placed.message.sequence != next) {
            let all = std::mem::take(&mut self.queue);
            self.refuse(all, &PushError::Gap { sequence: state.position });
        }
        let mut unplaced = std::mem::take(&mut self.unplaced);
        unplaced.sort_by_key(|unplaced| unplaced.message.sequence);
        for Unplaced { message, asked_for } in unplaced {
            let is_late = !asked_for && self.refusal(&message).is_some();
            if is_late {
                self.unplaced.push(Unplaced { message, asked_for });
            } else {
                self.place(message);
            }
        }
    }

    /// Why a message has no place, as far as is known.
    fn refusal(&self, message: &PendingMessage<T>) -> Option<PushError> {
        let state = self.conversation.known().filter(|_| self.kind == SenderKind::Producer)?;
        let next = state.position + self.queue.len() as u64 + 1;
        if message.generation != state.generation {
            Some(PushError::Fenced)
        } else if message.sequence > next {
            Some(PushError::Gap { sequence: next - 1 })
        } else {
            None
        }
    }

    /// What was sent and is covered is counted; the rest follows the stored state, whatever its numbers
    /// were: nobody else knows them.
    fn renumber(&mut self, state: SourceState) {
        let first = self.queue.front().map(|placed| placed.message.generation);
        if first == Some(state.generation) {
            self.land(state);
        }
        for (placed, sequence) in self.queue.iter_mut().zip(state.position + 1..) {
            placed.message.sequence = sequence;
            placed.message.generation = state.generation;
        }
    }

    /// Puts a message in its place, or says why it has none.
    fn place(&mut self, mut message: PendingMessage<T>) {
        let Some(state) = self.conversation.known() else { return };
        if let Some(refusal) = self.refusal(&message) {
            return self.reply(message.reply, Err(refusal));
        }
        let next = state.position + self.queue.len() as u64 + 1;
        match self.kind {
            SenderKind::Anonymous => message.sequence = next,
            SenderKind::Key => message.sequence = 1,
            SenderKind::Producer => {}
        }
        message.generation = state.generation;
        let place = Placed { message, also: Vec::new(), sent: false };
        match place.message.sequence {
            sequence if sequence <= state.position => self.acknowledge(place, state),
            sequence if sequence < next => self.join(place.message, state),
            _ => self.queue.push_back(place),
        }
    }

    /// The same message is under way already.
    fn join(&mut self, message: PendingMessage<T>, state: SourceState) {
        let index = (message.sequence - state.position - 1) as usize;
        let same = &mut self.queue[index];
        if same.message.hash == message.hash {
            same.also.push(message.reply);
        } else {
            let conflict = self.conflict();
            self.reply(message.reply, Err(conflict));
        }
    }

    /// Tells that a message is counted, unless other content was counted in its place. Only of the last
    /// message is the content known.
    fn acknowledge(&mut self, placed: Placed<T>, state: SourceState) {
        let Placed { message, also, sent } = placed;
        if message.sequence == state.position && Tail(message.hash) != state.tail {
            let conflict = self.conflict();
            for to in std::iter::once(message.reply).chain(also) {
                self.reply(to, Err(conflict.clone()));
            }
            return;
        }
        let duplicate = Acknowledgement {
            sequence: if self.kind == SenderKind::Producer { state.position } else { 0 },
            durable: self.durable,
            exactly_once: self.kind != SenderKind::Anonymous,
            duplicate: true,
            records: RecordCounts::default(),
            rejections: Vec::new(),
        };
        for to in also {
            self.reply(to, Ok(duplicate.clone()));
        }
        let first = if sent {
            let (records, rejections) = (message.counted.records, message.rejections);
            Acknowledgement { duplicate: false, records, rejections, ..duplicate }
        } else {
            duplicate
        };
        self.reply(message.reply, Ok(first));
    }

    fn conflict(&self) -> PushError {
        let what = if self.kind == SenderKind::Key { "idempotency key" } else { "sequence number" };
        PushError::Conflict { what }
    }

    /// How many messages of the queue are under way.
    fn under_way(&self) -> usize {
        (self.conversation.sent() - self.conversation.position()) as usize
    }

    /// Sends what may be sent: as many messages in one delta as fit, so that the more waits, the less
    /// each costs.
    fn send(&mut self, tags: &mut Tags) {
        if !self.conversation.is_ready() {
            return;
        }
        let Some(state) = self.conversation.known() else { return };
        while self.conversation.in_flight() < SPANS_IN_FLIGHT_MAX {
            let from = self.under_way();
            if from >= self.queue.len() {
                return;
            }
            let tail = match from {
                0 => state.tail,
                _ => Tail(self.queue[from - 1].message.hash),
            };
            let to = self.mark_sent(from);
            let delta = self.delta(from..to, state, tail);
            let sent = SentSpan { span: delta.span, tail_after: delta.tail_after };
            let tag = self.conversation.send(sent, (), tags);
            self.effects.push(Effect::Commit { tag, delta: Box::new(delta) });
        }
    }

    /// Marks as many messages from `from` on as fit one delta, at least one. Returns where they end.
    fn mark_sent(&mut self, from: usize) -> usize {
        let (mut to, mut bytes) = (from, 0);
        for placed in self.queue.iter_mut().skip(from) {
            let more = placed.message.counted.increments.len();
            if bytes > 0 && bytes + more > DELTA_BYTES_TARGET {
                break;
            }
            bytes += more;
            placed.sent = true;
            to += 1;
        }
        to
    }

    /// The delta of some messages, which continue `state` or messages before them.
    fn delta(&self, range: Range<usize>, state: SourceState, tail_before: Tail) -> Delta {
        let messages = || self.queue.range(range.clone()).map(|placed| &placed.message);
        let (first, last) = (&self.queue[range.start].message, &self.queue[range.end - 1].message);
        let (mut families, mut limits) = (Vec::new(), Vec::new());
        let mut records = RecordCounts::default();
        for message in messages() {
            for family in &message.counted.families {
                if !families.contains(&family) {
                    families.push(family);
                }
            }
            for limit in &message.counted.limits {
                if !limits.contains(limit) {
                    limits.push(*limit);
                }
            }
            records = records.plus(message.counted.records);
        }
        Delta {
            source: self.id.clone(),
            generation: state.generation,
            span: Span::new(first.sequence - 1, last.sequence)
                .expect("messages follow each other below 2^53"),
            tail_before,
            tail_after: Tail(last.hash),
            note: last.note,
            records,
            families: families.into_iter().map(|family| Family::clone(family)).collect(),
            limits,
            increments: Increments::merge(messages().map(|message| &message.counted.increments)),
        }
    }

    /// Gives up everything that waits.
    pub(crate) fn fail_all(&mut self, error: &PushError) {
        self.go_offline();
        let queue = std::mem::take(&mut self.queue);
        self.refuse(queue, error);
        for unplaced in std::mem::take(&mut self.unplaced) {
            self.reply(unplaced.message.reply, Err(error.clone()));
        }
    }

    fn refuse(&mut self, queue: VecDeque<Placed<T>>, error: &PushError) {
        for Placed { message, also, .. } in queue {
            for to in std::iter::once(message.reply).chain(also) {
                self.reply(to, Err(error.clone()));
            }
        }
    }

    fn reply(&mut self, to: T, result: Result<Acknowledgement, PushError>) {
        self.effects.push(Effect::Reply { to, result });
    }
}

#[cfg(test)]
mod tests;
