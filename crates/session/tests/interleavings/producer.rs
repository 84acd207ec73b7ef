//! A producer that sends the same messages through two ingests, and opens its source again now and then.
//! Each message has a number, and its content depends on that alone.

use logtally_core::delta::Span;
use logtally_core::exchange::{Party, SentSpan};
use logtally_core::source::{Generation, SourceState};
use logtally_session::conversation::{Conversation, NextStep, Tags};
use rand::Rng;
use rand::rngs::StdRng;

use crate::model::{Request, Snapshots, Store, Wires, delta};

/// Deltas under way at once.
const IN_FLIGHT_MAX: usize = 4;

/// More than any history needs to come to its end.
const ROUNDS_MAX: u32 = 10_000;

struct Ingest {
    conversation: Conversation<()>,
    tags: Tags,
    wires: Wires,
}

pub(crate) struct ProducerUser {
    rng: StdRng,
    store: Store,
    snapshots: Snapshots,
    ingests: [Ingest; 2],
    /// Messages so far.
    messages: u64,
}

impl Ingest {
    fn new() -> Self {
        let conversation = Conversation::new(Party::Producer);
        Self { conversation, tags: Tags::default(), wires: Wires::new() }
    }

    /// Carries out a step. Whether the producer has to open its source first.
    fn carry_out(&mut self, step: &NextStep<()>) -> bool {
        match step {
            NextStep::Nothing | NextStep::Landed { .. } | NextStep::Continue(_) => false,
            NextStep::Ask { tag, .. } => {
                self.wires.send(*tag, Request::LookUp);
                false
            }
            NextStep::Open { .. } => panic!("only the producer opens its source"),
            NextStep::Stop => true,
        }
    }

    fn ask(&mut self) {
        let step = self.conversation.ask(&mut self.tags);
        self.carry_out(&step);
    }

    fn restart(&mut self, rng: &mut StdRng) {
        self.wires.cut(rng);
        self.ask();
    }

    /// Takes an answer. Whether the producer has to open its source.
    fn deliver(&mut self, rng: &mut StdRng) -> bool {
        let Some((tag, stored)) = self.wires.deliver(rng) else { return false };
        let step = self.conversation.on_response(tag, stored, &mut self.tags);
        self.carry_out(&step)
    }

    /// Sends some of the messages that were not sent.
    fn send(&mut self, messages: u64, rng: &mut StdRng) {
        let from = self.conversation.sent();
        let may_send =
            self.conversation.is_ready() && self.conversation.in_flight() < IN_FLIGHT_MAX;
        let generation = self.conversation.generation().filter(|_| may_send && from < messages);
        let Some(generation) = generation else { return };
        let span = Span::new(from, rng.random_range(from + 1..=messages)).expect("some messages");
        let delta = Box::new(delta(generation, 0, span));
        let sent = SentSpan { span, tail_after: delta.tail_after };
        let tag = self.conversation.send(sent, (), &mut self.tags);
        self.wires.send(tag, Request::Commit { content: 0, delta });
    }
}

impl ProducerUser {
    pub(crate) fn new(rng: StdRng) -> Self {
        let ingests = [Ingest::new(), Ingest::new()];
        let (store, snapshots) = (Store::default(), Snapshots::default());
        let mut user = Self { rng, store, snapshots, ingests, messages: 5 };
        user.open();
        for ingest in &mut user.ingests {
            ingest.ask();
        }
        user
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let at = self.rng.random_range(0..2);
        let ingest = &mut self.ingests[at];
        match self.rng.random_range(0..100) {
            0..30 => ingest.wires.carry(&mut self.store, &mut self.rng),
            30..60 => self.deliver(at),
            60..80 => ingest.send(self.messages, &mut self.rng),
            80..87 => self.messages += self.rng.random_range(1..10),
            87..91 => ingest.restart(&mut self.rng),
            91..94 => self.open(),
            94..97 => self.snapshots.take(&self.store),
            _ => self.snapshots.go_back(&mut self.store, &mut self.rng),
        }
    }

    /// Nothing more goes wrong, and in the end all messages are counted.
    pub(crate) fn finish(mut self) {
        for ingest in &mut self.ingests {
            ingest.restart(&mut self.rng);
        }
        for round in 0.. {
            assert!(round < ROUNDS_MAX, "no progress");
            for at in 0..2 {
                self.ingests[at].wires.carry(&mut self.store, &mut self.rng);
                self.deliver(at);
                self.ingests[at].send(self.messages, &mut self.rng);
            }
            let is_done = |ingest: &Ingest| {
                ingest.wires.is_empty()
                    && ingest.conversation.is_quiet()
                    && ingest.conversation.position() == self.messages
            };
            if self.ingests.iter().all(is_done) {
                break;
            }
        }
        assert_eq!(self.store.counted.len() as u64, self.messages);
    }

    fn deliver(&mut self, at: usize) {
        if self.ingests[at].deliver(&mut self.rng) {
            self.open();
            self.ingests[at].ask();
        }
    }

    /// Opens the source: it gets another generation, and all else stays.
    fn open(&mut self) {
        let generation = Generation(self.rng.random());
        let fresh = match self.store.state {
            Some(state) => SourceState { generation, ..state },
            None => SourceState::start(generation),
        };
        let expected = self.store.state;
        self.store.answer(&Request::Open { expected, fresh });
    }
}
