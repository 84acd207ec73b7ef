//! Pushed sources against a store that is only the admission rule.

use std::collections::BTreeMap;

use logtally_core::admission::{Admission, admit, may_open};
use logtally_core::push::{ProducerName, Scope};
use logtally_core::rule::default_family;
use logtally_core::series::SeriesKey;
use logtally_core::source::Generation;
use logtally_count::tally::Counted;
use proptest::prelude::*;

use super::*;

type Answered = (u64, Result<Acknowledgement, PushError>);

/// What is stored of one source, and how often each message was counted, by hash.
#[derive(Default)]
struct Store {
    state: Option<SourceState>,
    counted: BTreeMap<u64, u64>,
}

impl Store {
    fn commit(&mut self, delta: &Delta) -> Option<SourceState> {
        if admit(self.state.as_ref(), delta) == Admission::Apply {
            self.state = self.state.map(|state| delta.state_after(&state));
            for (key, amount) in delta.increments.iter() {
                let hash = std::str::from_utf8(&key[8..]).ok().and_then(|text| text.parse().ok());
                *self.counted.entry(hash.expect("a number")).or_default() += amount.count;
            }
        }
        self.state
    }

    fn open(&mut self, expected: Option<SourceState>, fresh: SourceState) -> Option<SourceState> {
        if may_open(self.state.as_ref(), expected.as_ref()) {
            self.state = Some(fresh);
        }
        self.state
    }

    fn open_producer(&mut self, epoch: u64) -> SourceState {
        let generation = Generation(epoch);
        let fresh = match self.state {
            Some(state) => SourceState { generation, ..state },
            None => SourceState::start(generation),
        };
        self.open(self.state, fresh).expect("open")
    }
}

/// A pushed source with its requests under way and the answers that were given.
struct Bench {
    source: PushedSource<u64>,
    tags: Tags,
    requests: VecDeque<Effect<u64>>,
    answers: Vec<Answered>,
}

impl Bench {
    fn new(kind: SenderKind) -> Self {
        let id = match kind {
            SenderKind::Producer => ProducerName::new("p").expect("a name").source(),
            SenderKind::Key => Scope::Lines.key(b"k"),
            SenderKind::Anonymous => Scope::Lines.anonymous(1),
        };
        let source = PushedSource::new(id, kind);
        Self { source, tags: Tags::default(), requests: VecDeque::new(), answers: Vec::new() }
    }

    fn act(&mut self, act: impl FnOnce(&mut PushedSource<u64>, &mut Tags)) {
        act(&mut self.source, &mut self.tags);
        for effect in self.source.take_effects() {
            match effect {
                Effect::Reply { to, result } => self.answers.push((to, result)),
                request => self.requests.push_back(request),
            }
        }
    }

    fn submit(&mut self, epoch: u64, sequence: u64, hash: u64, reply: u64) {
        let message = message(epoch, sequence, hash, reply);
        self.act(|source, tags| source.submit(message, tags));
    }

    /// Carries the oldest request to the store, and the answer back unless it is lost.
    fn carry(&mut self, store: &mut Store, lost: bool) -> bool {
        let Some(request) = self.requests.pop_front() else { return false };
        let (tag, stored) = match request {
            Effect::Ask { tag, .. } => (tag, store.state),
            Effect::Open { tag } => {
                (tag, store.open(None, SourceState::start(Generation(tag + 100))))
            }
            Effect::Commit { tag, delta } => (tag, store.commit(&delta)),
            Effect::Reply { .. } => unreachable!("replies are no requests"),
        };
        if !lost {
            self.act(|source, tags| source.on_response(tag, stored, true, tags));
        }
        true
    }

    /// The tag of the question that is under way.
    fn asked(&self) -> u64 {
        match self.requests.back() {
            Some(Effect::Ask { tag, .. }) => *tag,
            other => panic!("{other:?}"),
        }
    }

    fn settle(&mut self, store: &mut Store) {
        while self.carry(store, false) {}
    }

    fn take(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.answers)
    }
}

/// A message that counts once under its own hash.
fn message(epoch: u64, sequence: u64, hash: u64, reply: u64) -> PendingMessage<u64> {
    let family = default_family();
    let key = SeriesKey::new(family.id(), [hash.to_string().as_str()]);
    let records = RecordCounts { counted: 1, ..RecordCounts::default() };
    let increments = Increments::pack([(key.as_bytes(), 1)]);
    let counted = Counted { families: vec![family.into()], limits: vec![], increments, records };
    let generation = Generation(epoch);
    PendingMessage { generation, sequence, hash, note: None, counted, rejections: vec![], reply }
}

fn outcome(answers: Vec<Answered>) -> Vec<(u64, String)> {
    let text = |result: Result<Acknowledgement, PushError>| match result {
        Ok(ok) if ok.duplicate => format!("duplicate {}", ok.sequence),
        Ok(ok) => format!("counted {}", ok.sequence),
        Err(PushError::Gap { sequence }) => format!("gap {sequence}"),
        Err(PushError::Fenced) => "fenced".into(),
        Err(PushError::Unknown) => "unknown".into(),
        Err(PushError::Conflict { what }) => format!("conflict {what}"),
        Err(error) => error.to_string(),
    };
    answers.into_iter().map(|(to, result)| (to, text(result))).collect()
}

fn check(bench: &mut Bench, store: &mut Store, expected: &[(u64, &str)]) {
    bench.settle(store);
    let got = outcome(bench.take());
    let got: Vec<_> = got.iter().map(|(to, text)| (*to, text.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn messages_of_a_producer_count_once_and_in_order() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
    bench.submit(7, 1, 11, 1);
    check(&mut bench, &mut store, &[(1, "unknown")]);
    store.open_producer(7);
    for sequence in 1..=3 {
        bench.submit(7, sequence, 10 + sequence, sequence);
    }
    // The first question gathers all three; what they counted is told by the highest one.
    check(&mut bench, &mut store, &[(1, "counted 3"), (2, "counted 3"), (3, "counted 3")]);
    bench.submit(7, 3, 13, 1);
    bench.submit(7, 2, 12, 2);
    check(&mut bench, &mut store, &[(2, "duplicate 3"), (1, "duplicate 3")]);
    bench.submit(7, 5, 15, 3);
    check(&mut bench, &mut store, &[(3, "gap 3")]);
    bench.submit(7, 3, 99, 4);
    check(&mut bench, &mut store, &[(4, "conflict sequence number")]);
    assert_eq!(store.counted, BTreeMap::from([(11, 1), (12, 1), (13, 1)]));
}

#[test]
fn the_note_is_that_of_the_last_message_even_if_it_has_none() {
    for together in [false, true] {
        let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
        store.open_producer(7);
        let noted = PendingMessage { note: Some(100), ..message(7, 1, 11, 1) };
        bench.act(|source, tags| source.submit(noted, tags));
        if !together {
            bench.settle(&mut store);
            assert_eq!(store.state.and_then(|state| state.note), Some(100));
        }
        bench.submit(7, 2, 12, 2);
        bench.settle(&mut store);
        let stored = store.state.map(|state| (state.position, state.note));
        assert_eq!(stored, Some((2, None)), "in one delta: {together}");
    }
}

#[test]
fn the_same_message_twice_under_way_counts_once() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
    store.open_producer(7);
    bench.submit(7, 1, 11, 0);
    bench.settle(&mut store);
    bench.submit(7, 2, 12, 1);
    bench.submit(7, 2, 12, 2);
    bench.submit(7, 2, 99, 3);
    let all =
        [(0, "counted 1"), (3, "conflict sequence number"), (2, "duplicate 2"), (1, "counted 2")];
    check(&mut bench, &mut store, &all);
}

#[test]
fn an_older_epoch_is_fenced_wherever_it_pushes() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
    store.open_producer(7);
    bench.submit(7, 1, 11, 1);
    check(&mut bench, &mut store, &[(1, "counted 1")]);
    store.open_producer(8);
    // This ingest has not heard of the new epoch, and finds out at the commit.
    bench.submit(7, 2, 12, 2);
    bench.submit(7, 3, 13, 3);
    check(&mut bench, &mut store, &[(2, "fenced"), (3, "fenced")]);
    bench.submit(8, 2, 22, 4);
    bench.submit(7, 3, 13, 5);
    check(&mut bench, &mut store, &[(4, "counted 2"), (5, "fenced")]);
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    for lost_commit in [false, true] {
        let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
        store.open_producer(7);
        bench.submit(7, 1, 11, 1);
        bench.carry(&mut store, false);
        if lost_commit {
            bench.requests.clear();
        } else {
            bench.carry(&mut store, true);
        }
        bench.act(PushedSource::restart);
        check(&mut bench, &mut store, &[(1, "counted 1")]);
        assert_eq!(store.counted[&11], 1);
    }
}

#[test]
fn a_store_that_went_back_is_a_gap_to_those_ahead_of_it() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
    let before = store.open_producer(7);
    bench.submit(7, 1, 11, 1);
    check(&mut bench, &mut store, &[(1, "counted 1")]);
    store.state = Some(before);
    bench.submit(7, 2, 12, 2);
    check(&mut bench, &mut store, &[(2, "gap 0")]);
    bench.submit(7, 1, 11, 3);
    check(&mut bench, &mut store, &[(3, "counted 1")]);
}

#[test]
fn a_question_from_before_a_message_says_nothing_against_it() {
    for (was, is) in [(None, 7), (Some(6), 7), (Some(7), 7)] {
        let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
        if let Some(epoch) = was {
            store.open_producer(epoch);
        }
        bench.submit(7, 1, 11, 1);
        let (seen, asked) = (store.state, bench.asked());
        // Meanwhile the producer goes on through another ingest.
        store.open_producer(is);
        let mut other = Bench::new(SenderKind::Producer);
        other.submit(7, 1, 11, 1);
        other.submit(7, 2, 12, 2);
        other.settle(&mut store);
        // It comes back with its next message before the old answer is there.
        bench.submit(7, 3, 13, 3);
        bench.requests.clear();
        bench.act(|source, tags| source.on_response(asked, seen, true, tags));
        bench.settle(&mut store);
        let late = outcome(bench.take()).into_iter().find(|(to, _)| *to == 3);
        assert_eq!(late, Some((3, "counted 3".to_owned())), "{was:?}");
    }
}

#[test]
fn a_key_counts_once_and_only_for_its_content() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Key), Store::default());
    bench.submit(0, 1, 11, 1);
    bench.submit(0, 1, 11, 2);
    check(&mut bench, &mut store, &[(2, "duplicate 0"), (1, "counted 0")]);
    bench.submit(0, 1, 11, 3);
    bench.submit(0, 1, 99, 4);
    check(&mut bench, &mut store, &[(3, "duplicate 0"), (4, "conflict idempotency key")]);
    // Another ingest, which knows nothing.
    let mut other = Bench::new(SenderKind::Key);
    other.submit(0, 1, 11, 1);
    check(&mut other, &mut store, &[(1, "duplicate 0")]);
    assert_eq!(store.counted, BTreeMap::from([(11, 1)]));
}

#[test]
fn an_anonymous_source_is_opened_again_when_it_is_gone() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Anonymous), Store::default());
    bench.submit(0, 0, 11, 1);
    bench.submit(0, 0, 12, 2);
    check(&mut bench, &mut store, &[(1, "counted 0"), (2, "counted 0")]);
    store.state = None;
    bench.submit(0, 0, 13, 3);
    check(&mut bench, &mut store, &[(3, "counted 0")]);
    assert_eq!(store.counted, BTreeMap::from([(11, 1), (12, 1), (13, 1)]));
}

#[test]
fn many_small_messages_travel_together() {
    let (mut bench, mut store) = (Bench::new(SenderKind::Producer), Store::default());
    store.open_producer(7);
    for sequence in 1..=100 {
        bench.submit(7, sequence, sequence, sequence);
    }
    bench.carry(&mut store, false);
    assert_eq!(bench.requests.len(), 1, "one delta for all");
    bench.settle(&mut store);
    assert_eq!(store.counted.len(), 100);
}

/// What can happen between a client, two ingests and the store.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// The client sends the next messages that are not acknowledged to an ingest.
    Send { ingest: usize, messages: u64 },
    /// A request reaches the store; the answer may be lost.
    Carry { ingest: usize, lost: bool },
    /// The link of an ingest breaks: requests and answers are lost.
    Break { ingest: usize },
    /// The client loses its memory of the epoch and opens the producer again.
    Reopen,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        4 => (0..2_usize, 1..4_u64).prop_map(|(ingest, messages)| Happening::Send { ingest, messages }),
        8 => (0..2_usize, prop::bool::weighted(0.2))
            .prop_map(|(ingest, lost)| Happening::Carry { ingest, lost }),
        1 => (0..2_usize).prop_map(|ingest| Happening::Break { ingest }),
        1 => Just(Happening::Reopen),
    ];
    prop::collection::vec(one, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens: each message counts at most once, in order; what is acknowledged is counted;
    /// and in the end, all is.
    #[test]
    fn a_producer_counts_once_through_two_ingests(all in happenings()) {
        let mut store = Store::default();
        let mut ingests = [Bench::new(SenderKind::Producer), Bench::new(SenderKind::Producer)];
        let mut client = Client { epoch: 1, acknowledged: 0 };
        store.open_producer(client.epoch);
        for one in all {
            match one {
                Happening::Send { ingest, messages } => client.send(&mut ingests[ingest], messages),
                Happening::Carry { ingest, lost } => drop(ingests[ingest].carry(&mut store, lost)),
                Happening::Break { ingest } => {
                    ingests[ingest].requests.clear();
                    ingests[ingest].act(PushedSource::restart);
                }
                Happening::Reopen => client.reopen(&mut store),
            }
            client.take_replies(&mut ingests, &store)?;
        }
        // A fresh client finishes the work.
        client.reopen(&mut store);
        for ingest in &mut ingests {
            ingest.act(PushedSource::restart);
            ingest.settle(&mut store);
        }
        client.take_replies(&mut ingests, &store)?;
        client.send(&mut ingests[0], 5);
        ingests[0].settle(&mut store);
        let goal = client.acknowledged + 5;
        client.take_replies(&mut ingests, &store)?;
        prop_assert_eq!(client.acknowledged, goal);
        let expected: BTreeMap<u64, u64> = (1..=goal).map(|n| (hash_of(n), 1)).collect();
        prop_assert_eq!(&store.counted, &expected);
    }
}

struct Client {
    epoch: u64,
    acknowledged: u64,
}

/// The content of a message depends on its number alone.
fn hash_of(sequence: u64) -> u64 {
    sequence * 1000
}

impl Client {
    fn send(&self, ingest: &mut Bench, messages: u64) {
        for sequence in self.acknowledged + 1..=self.acknowledged + messages {
            ingest.submit(self.epoch, sequence, hash_of(sequence), sequence);
        }
    }

    fn reopen(&mut self, store: &mut Store) {
        self.epoch += 1;
        self.acknowledged = store.open_producer(self.epoch).position;
    }

    fn take_replies(
        &mut self,
        ingests: &mut [Bench; 2],
        store: &Store,
    ) -> Result<(), TestCaseError> {
        for (sequence, result) in ingests.iter_mut().flat_map(Bench::take) {
            match result {
                Ok(ok) => {
                    let stored = store.state.map_or(0, |state| state.position);
                    prop_assert!(sequence <= ok.sequence && ok.sequence <= stored);
                    prop_assert_eq!(store.counted.get(&hash_of(sequence)), Some(&1));
                    self.acknowledged = self.acknowledged.max(ok.sequence);
                }
                Err(PushError::Fenced | PushError::Gap { .. }) => {}
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
        Ok(())
    }
}
