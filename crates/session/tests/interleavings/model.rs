//! A store of one source, and the wires to it.

use std::collections::{BTreeMap, VecDeque};

use logtally_core::admission::{Admission, admit, may_open};
use logtally_core::delta::{Delta, Span};
use logtally_core::hash::hash64;
use logtally_core::series::Increments;
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use rand::Rng;
use rand::rngs::StdRng;

/// What an aggregator is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    LookUp,
    Open { expected: Option<SourceState>, fresh: SourceState },
    Commit { content: u64, delta: Box<Delta> },
}

/// The answer to the request with this tag.
pub(crate) type Answer = (u64, Option<SourceState>);

/// What is stored of the source, and how often each unit of each content was counted.
#[derive(Clone, Default, Debug)]
pub(crate) struct Store {
    pub state: Option<SourceState>,
    pub counted: BTreeMap<(u64, u64), u64>,
}

impl Store {
    pub(crate) fn answer(&mut self, request: &Request) -> Option<SourceState> {
        match request {
            Request::LookUp => {}
            Request::Open { expected, fresh } => {
                if may_open(self.state.as_ref(), expected.as_ref()) {
                    self.state = Some(*fresh);
                }
            }
            Request::Commit { content, delta } => self.commit(*content, delta),
        }
        self.state
    }

    fn commit(&mut self, content: u64, delta: &Delta) {
        if admit(self.state.as_ref(), delta) != Admission::Apply {
            return;
        }
        self.state = self.state.map(|state| delta.state_after(&state));
        for position in delta.span.from() + 1..=delta.span.to() {
            let times = self.counted.entry((content, position)).or_default();
            *times += 1;
            assert_eq!(*times, 1, "position {position} of content {content} counts twice");
        }
    }
}

/// What stands before a position.
pub(crate) fn tail(content: u64, position: u64) -> Tail {
    match position {
        0 => Tail::empty(),
        _ => Tail(hash64(format!("{content} {position}").as_bytes())),
    }
}

/// A delta of one content.
pub(crate) fn delta(generation: Generation, content: u64, span: Span) -> Delta {
    Delta {
        source: SourceId::new("s").expect("valid"),
        generation,
        span,
        tail_before: tail(content, span.from()),
        tail_after: tail(content, span.to()),
        note: None,
        records: RecordCounts::default(),
        families: vec![],
        limits: vec![],
        increments: Increments::default(),
    }
}

/// A stream to an aggregator: requests arrive in order.
#[derive(Default)]
struct Wire {
    requests: VecDeque<(u64, Request)>,
    answers: Vec<Answer>,
    /// Whether answers are lost: the link is down, and what was sent may still arrive.
    is_deaf: bool,
}

/// The wires that a source has had; the last one is in use.
pub(crate) struct Wires(Vec<Wire>);

impl Wires {
    pub(crate) fn new() -> Self {
        Self(vec![Wire::default()])
    }

    pub(crate) fn send(&mut self, tag: u64, request: Request) {
        self.0.last_mut().expect("one is in use").requests.push_back((tag, request));
    }

    /// Another wire is in use from now on. Of what was sent on the others, some gets lost.
    pub(crate) fn cut(&mut self, rng: &mut StdRng) {
        let old = self.0.last_mut().expect("one is in use");
        old.is_deaf = rng.random_bool(0.7);
        if old.is_deaf {
            old.answers.clear();
        }
        let lost = rng.random_range(0..=old.requests.len());
        old.requests.truncate(old.requests.len() - lost);
        self.0.retain(|wire| !wire.requests.is_empty() || !wire.answers.is_empty());
        self.0.push(Wire::default());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|wire| wire.requests.is_empty() && wire.answers.is_empty())
    }

    /// A request reaches the store, now and then twice.
    pub(crate) fn carry(&mut self, store: &mut Store, rng: &mut StdRng) {
        let mut busy: Vec<&mut Wire> =
            self.0.iter_mut().filter(|wire| !wire.requests.is_empty()).collect();
        if busy.is_empty() {
            return;
        }
        let at = rng.random_range(0..busy.len());
        let Some((tag, request)) = busy[at].requests.pop_front() else { return };
        let times = if rng.random_bool(0.05) { 2 } else { 1 };
        for _ in 0..times {
            let stored = store.answer(&request);
            if !busy[at].is_deaf {
                busy[at].answers.push((tag, stored));
            }
        }
    }

    /// An answer arrives: mostly the oldest, and now and then not for the last time.
    pub(crate) fn deliver(&mut self, rng: &mut StdRng) -> Option<Answer> {
        let mut busy: Vec<&mut Wire> =
            self.0.iter_mut().filter(|wire| !wire.answers.is_empty()).collect();
        if busy.is_empty() {
            return None;
        }
        let at = rng.random_range(0..busy.len());
        let answers = &mut busy[at].answers;
        let index = if rng.random_bool(0.1) { rng.random_range(0..answers.len()) } else { 0 };
        if rng.random_bool(0.05) { Some(answers[index]) } else { Some(answers.remove(index)) }
    }
}

/// Snapshots of a store, to which it may go back.
#[derive(Default)]
pub(crate) struct Snapshots(Vec<Store>);

impl Snapshots {
    pub(crate) fn take(&mut self, store: &Store) {
        self.0.push(store.clone());
    }

    /// One of them, or a store that was wiped. Later ones are not there any more.
    pub(crate) fn go_back(&mut self, store: &mut Store, rng: &mut StdRng) {
        let at = rng.random_range(0..=self.0.len());
        *store = self.0.get(at).cloned().unwrap_or_default();
        self.0.truncate(at + 1);
    }
}
