//! One source's conversation with the store: what is known, what is under way, and what to do about an
//! answer. Files and pushes use the same machine.
//!
//! It never does any I/O, looks at no clock and draws no random number: it takes events and gives
//! steps, which its owner carries out. What an answer means is decided in [`logtally_core::exchange`].

use std::collections::VecDeque;

use logtally_core::exchange::{
    Course, Party, SentSpan, after_check, after_delta, after_question, begin, known_if_absent,
    react,
};
use logtally_core::source::{Generation, SourceState};

/// Tags of requests: each is given once.
#[derive(Default, Debug)]
pub struct Tags(u64);

impl Tags {
    /// A tag that no other request has.
    pub fn fresh(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A delta under way, with whatever its sender wants to find again when it has landed.
#[derive(Debug)]
pub struct Flight<P> {
    tag: u64,
    sent: SentSpan,
    /// What its sender gave.
    pub payload: P,
}

/// What a conversation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// For somebody to talk to, or for something to say.
    Offline,
    /// For the answer to a question or to an opening.
    Asking {
        /// Its tag.
        tag: u64,
    },
    /// For nothing: deltas may be sent.
    Ready,
}

/// What the owner of a conversation does next.
#[derive(Debug)]
pub enum NextStep<P> {
    /// Nothing.
    Nothing,
    /// Ask for the stored state. Nothing else is under way.
    Ask {
        /// The last state that was received.
        acknowledged: Option<SourceState>,
        /// Tag of the question.
        tag: u64,
    },
    /// Open the source, if this is what is stored of it. Nothing else is under way.
    Open {
        /// What must be stored.
        expected: Option<SourceState>,
        /// Tag of the request.
        tag: u64,
    },
    /// Go on from this state. Nothing is under way.
    Continue(SourceState),
    /// What these deltas say is counted.
    Landed {
        /// What is stored now.
        state: SourceState,
        /// The deltas, in order.
        flights: Vec<Flight<P>>,
    },
    /// Stop: nothing is stored of the source, and only its producer may open it.
    Stop,
}

/// One source's conversation with the store.
#[derive(Debug)]
pub struct Conversation<P> {
    party: Party,
    phase: Phase,
    /// The last state that was received and taken.
    known: Option<SourceState>,
    /// Deltas under way, in order. There are none unless the phase is [`Phase::Ready`].
    flights: VecDeque<Flight<P>>,
    /// Tag of a look at the stored state during which nothing was begun.
    check: Option<u64>,
}

impl<P> Conversation<P> {
    /// A conversation that has not begun.
    pub fn new(party: Party) -> Self {
        Self { party, phase: Phase::Offline, known: None, flights: VecDeque::new(), check: None }
    }

    /// What it waits for.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether deltas may be sent.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether an answer is waited for that says what is stored.
    pub fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking { .. })
    }

    /// The last state that was received.
    pub fn known(&self) -> Option<SourceState> {
        self.known
    }

    /// The generation that deltas must name; `None` before the first answer.
    pub fn generation(&self) -> Option<Generation> {
        self.known.map(|state| state.generation)
    }

    /// How far the source is acknowledged.
    pub fn position(&self) -> u64 {
        self.known.map_or(0, |state| state.position)
    }

    /// The end of everything sent so far.
    pub fn sent(&self) -> u64 {
        self.flights.back().map_or(self.position(), |flight| flight.sent.span.to())
    }

    /// How many deltas are under way.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// What was given with the deltas under way, in order.
    pub fn payloads(&self) -> impl Iterator<Item = &P> {
        self.flights.iter().map(|flight| &flight.payload)
    }

    /// Whether nothing is under way, not even a look at the stored state.
    pub fn is_quiet(&self) -> bool {
        self.is_ready() && self.flights.is_empty() && self.check.is_none()
    }

    /// Nobody can be asked any more, or nothing is to be asked: what is under way is dropped.
    pub fn go_offline(&mut self) {
        self.drop_under_way(Phase::Offline);
    }

    /// Begins, or begins again where the last state was: the link is new, or the answer was not what
    /// was expected. What is under way is dropped.
    pub fn ask(&mut self, tags: &mut Tags) -> NextStep<P> {
        self.follow(begin(self.party, self.known.as_ref()), tags)
    }

    /// The content is not the one that the known state belongs to. With nothing under way, that state
    /// is the one that was compared, and a new generation may replace it; otherwise the stored state is
    /// looked at first.
    pub fn replace(&mut self, tags: &mut Tags) -> NextStep<P> {
        if self.flights.is_empty() { self.open(self.known, tags) } else { self.ask(tags) }
    }

    /// Notes a delta that is being sent. Returns its tag.
    ///
    /// # Panics
    /// If nothing may be sent now, or the delta does not continue what was sent: the store would refuse
    /// it anyway.
    pub fn send(&mut self, sent: SentSpan, payload: P, tags: &mut Tags) -> u64 {
        let span = sent.span;
        assert!(self.is_ready(), "{span:?} is sent while the stored state is not known");
        assert_eq!(span.from(), self.sent(), "spans are sent in order");
        self.end_check();
        let tag = tags.fresh();
        self.flights.push_back(Flight { tag, sent, payload });
        tag
    }

    /// Begins a look at the stored state, to find out whether the store went back in time. Returns its
    /// tag, unless something is under way: its answer will tell as much.
    pub fn check(&mut self, tags: &mut Tags) -> Option<u64> {
        if !self.is_quiet() {
            return None;
        }
        let tag = tags.fresh();
        self.check = Some(tag);
        Some(tag)
    }

    /// Something is begun that ends in a delta: what a look at the stored state finds does not matter
    /// any more.
    pub fn end_check(&mut self) {
        self.check = None;
    }

    /// Takes in the answer to request `tag`. Answers to what was dropped change nothing.
    pub fn on_response(
        &mut self,
        tag: u64,
        stored: Option<SourceState>,
        tags: &mut Tags,
    ) -> NextStep<P> {
        if self.phase == (Phase::Asking { tag }) {
            return self.on_answer(after_question(self.party, stored.as_ref()), stored, tags);
        }
        let Some(known) = self.known.filter(|_| self.is_ready()) else { return NextStep::Nothing };
        if self.check == Some(tag) {
            self.end_check();
            return self.follow(after_check(&known, stored.as_ref()), tags);
        }
        let flight = self.flights.iter().find(|flight| flight.tag == tag);
        let Some(answered) = flight.map(|flight| flight.sent.span) else {
            return NextStep::Nothing;
        };
        let sent = self.flights.iter().map(|flight| flight.sent);
        let reaction = react(known.generation, answered, sent, stored.as_ref());
        self.on_answer(after_delta(self.party, reaction), stored, tags)
    }

    fn on_answer(
        &mut self,
        course: Course,
        stored: Option<SourceState>,
        tags: &mut Tags,
    ) -> NextStep<P> {
        match (course, stored) {
            (Course::CarryOn, Some(state)) => self.land(state),
            (Course::Continue, Some(state)) => {
                self.drop_under_way(Phase::Ready);
                self.known = Some(state);
                NextStep::Continue(state)
            }
            _ => self.follow(course, tags),
        }
    }

    /// Goes on without a stored state.
    fn follow(&mut self, course: Course, tags: &mut Tags) -> NextStep<P> {
        match course {
            Course::CarryOn | Course::Continue => NextStep::Nothing,
            Course::Ask => {
                let tag = tags.fresh();
                self.drop_under_way(Phase::Asking { tag });
                NextStep::Ask { acknowledged: self.known, tag }
            }
            Course::Open => {
                self.known = known_if_absent(self.party, self.known);
                self.open(None, tags)
            }
            Course::Stop => {
                self.known = known_if_absent(self.party, self.known);
                self.drop_under_way(Phase::Offline);
                NextStep::Stop
            }
        }
    }

    fn open(&mut self, expected: Option<SourceState>, tags: &mut Tags) -> NextStep<P> {
        let tag = tags.fresh();
        self.drop_under_way(Phase::Asking { tag });
        NextStep::Open { expected, tag }
    }

    /// What the stored state covers is counted, also if its own answer is still to come.
    fn land(&mut self, state: SourceState) -> NextStep<P> {
        self.known = Some(state);
        let landed = self.flights.partition_point(|flight| flight.sent.span.to() <= state.position);
        NextStep::Landed { state, flights: self.flights.drain(..landed).collect() }
    }

    fn drop_under_way(&mut self, phase: Phase) {
        self.phase = phase;
        self.flights.clear();
        self.end_check();
    }
}

#[cfg(test)]
mod tests;
