//! Somebody who reads a file as `logtally-tail` does: reading takes time, and the file may be appended
//! to and replaced.

use logtally_core::delta::Span;
use logtally_core::exchange::{Party, SentSpan};
use logtally_core::source::{Generation, SourceState, Tail};
use logtally_session::conversation::{Conversation, NextStep, Phase, Tags};
use rand::Rng;
use rand::rngs::StdRng;

use crate::model::{Request, Snapshots, Store, Wires, delta, tail};

/// Deltas under way at once.
const IN_FLIGHT_MAX: usize = 4;

/// More than any history needs to come to its end.
const ROUNDS_MAX: u32 = 10_000;

/// A reading step under way.
struct ReadStep {
    resets: u64,
    generation: Generation,
    /// What the file was when it was read.
    content: u64,
    len: u64,
}

pub(crate) struct FileUser {
    rng: StdRng,
    store: Store,
    snapshots: Snapshots,
    wires: Wires,
    conversation: Conversation<()>,
    tags: Tags,
    resets: u64,
    /// Which bytes the file has: another number with each replacement.
    content: u64,
    len: u64,
    /// Where the reader stands, and what it expects before that.
    at: u64,
    before: Tail,
    reading: Option<ReadStep>,
}

impl FileUser {
    pub(crate) fn new(rng: StdRng) -> Self {
        let mut user = Self {
            rng,
            store: Store::default(),
            snapshots: Snapshots::default(),
            wires: Wires::new(),
            conversation: Conversation::new(Party::File),
            tags: Tags::default(),
            resets: 0,
            content: 0,
            len: 5,
            at: 0,
            before: Tail::empty(),
            reading: None,
        };
        user.ask();
        user
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..25 => self.wires.carry(&mut self.store, &mut self.rng),
            25..50 => self.deliver(),
            50..75 => self.read(),
            75..80 => self.len += self.rng.random_range(1..4),
            80..84 => self.replace_file(),
            84..88 => self.restart(),
            88..89 => self.go_offline(),
            89..94 => self.check(),
            94..97 => self.snapshots.take(&self.store),
            _ => self.snapshots.go_back(&mut self.store, &mut self.rng),
        }
    }

    /// Nothing more goes wrong, and in the end all of the file is counted.
    pub(crate) fn finish(mut self) {
        if self.conversation.phase() == Phase::Offline {
            self.restart();
        }
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "no progress: {:?}", self.conversation);
            self.wires.carry(&mut self.store, &mut self.rng);
            self.deliver();
            self.read();
            if self.is_read() && self.wires.is_empty() && self.conversation.is_quiet() {
                if self.conversation.known() == self.store.state {
                    break;
                }
                self.check();
            }
        }
        for position in 1..=self.len {
            let counted = self.store.counted.get(&(self.content, position));
            assert_eq!(counted, Some(&1), "position {position} of {}", self.len);
        }
    }

    fn deliver(&mut self) {
        if let Some((tag, stored)) = self.wires.deliver(&mut self.rng) {
            let step = self.conversation.on_response(tag, stored, &mut self.tags);
            self.carry_out(&step);
        }
    }

    fn ask(&mut self) {
        let step = self.conversation.ask(&mut self.tags);
        self.carry_out(&step);
    }

    /// The link broke, or another aggregator works for the source.
    fn restart(&mut self) {
        self.go_offline();
        self.ask();
    }

    fn go_offline(&mut self) {
        self.wires.cut(&mut self.rng);
        self.conversation.go_offline();
        self.resets += 1;
    }

    fn check(&mut self) {
        if self.reading.is_none()
            && let Some(tag) = self.conversation.check(&mut self.tags)
        {
            self.wires.send(tag, Request::LookUp);
        }
    }

    fn carry_out(&mut self, step: &NextStep<()>) {
        match *step {
            NextStep::Nothing | NextStep::Landed { .. } => {}
            NextStep::Ask { tag, .. } => {
                self.resets += 1;
                self.wires.send(tag, Request::LookUp);
            }
            NextStep::Open { expected, tag } => {
                self.resets += 1;
                let fresh = SourceState::start(Generation(self.rng.random()));
                self.wires.send(tag, Request::Open { expected, fresh });
            }
            NextStep::Continue(state) => self.seek(state),
            NextStep::Stop => panic!("a file may always be opened"),
        }
    }

    fn seek(&mut self, state: SourceState) {
        (self.at, self.before) = (state.position, state.tail);
    }

    fn replace_file(&mut self) {
        self.content += 1;
        self.len = self.rng.random_range(0..6);
    }

    /// Whether there is nothing to read.
    fn is_read(&self) -> bool {
        let is_at_end = self.at == self.len && self.before == tail(self.content, self.at);
        self.reading.is_none() && is_at_end
    }

    /// Begins a reading step, or ends the one that is under way.
    fn read(&mut self) {
        if let Some(step) = self.reading.take() {
            return self.take_step(&step);
        }
        let may_read =
            self.conversation.is_ready() && self.conversation.in_flight() < IN_FLIGHT_MAX;
        let generation = self.conversation.generation().filter(|_| may_read && !self.is_read());
        if let Some(generation) = generation {
            self.conversation.end_check();
            let (resets, content, len) = (self.resets, self.content, self.len);
            self.reading = Some(ReadStep { resets, generation, content, len });
        }
    }

    fn take_step(&mut self, step: &ReadStep) {
        if step.resets != self.resets {
            // What was read is read again from the stored state.
            if let Some(state) = self.conversation.known() {
                self.seek(state);
            }
            return;
        }
        if self.at > step.len || self.before != tail(step.content, self.at) {
            let next = self.conversation.replace(&mut self.tags);
            return self.carry_out(&next);
        }
        let to = self.rng.random_range(self.at..=step.len);
        let Ok(span) = Span::new(self.at, to) else { return };
        let delta = delta(step.generation, step.content, span);
        (self.at, self.before) = (to, delta.tail_after);
        let sent = SentSpan { span, tail_after: delta.tail_after };
        let tag = self.conversation.send(sent, (), &mut self.tags);
        let request = Request::Commit { content: step.content, delta: Box::new(delta) };
        self.wires.send(tag, request);
    }
}
