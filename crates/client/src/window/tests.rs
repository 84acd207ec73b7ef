//! The window by itself, and against a naive model of a store, a wire that loses what it likes, and a
//! store that forgets what it may.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const WEIGHT: u64 = 8 + MESSAGE_OVERHEAD;

/// The message that was added as number `n`: its records say so.
fn message(n: u64) -> Message {
    Message::new(Bytes::copy_from_slice(&n.to_be_bytes()), Some(n))
}

fn number_in(message: &Message) -> u64 {
    u64::from_be_bytes(message.records[..].try_into().expect("eight bytes"))
}

fn bounds(unacknowledged: u64, kept: u64) -> Bounds {
    Bounds {
        unacknowledged: unacknowledged * WEIGHT,
        kept: kept * WEIGHT,
        under_way: 4 * WEIGHT,
        under_way_messages: 3,
    }
}

fn window(kept: u64, messages: u64) -> Window {
    let mut window = Window::new(true, bounds(100, kept), 0, None);
    (1..=messages).for_each(|n| window.add(message(n)));
    window
}

fn send_all(window: &mut Window) -> Vec<u64> {
    std::iter::from_fn(|| window.send_next()).map(|(number, _)| number).collect()
}

fn answer(sequence: u64, durable: bool) -> Answer {
    Answer { sequence, messages: 1, durable }
}

#[test]
fn so_many_messages_are_under_way_and_no_more() {
    let mut window = window(0, 9);
    assert_eq!(send_all(&mut window), [1, 2, 3]);
    window.answered(answer(2, true)).expect("sent");
    assert_eq!(send_all(&mut window), [4, 5]);
    assert_eq!((window.acked(), window.note()), (2, Some(2)));
}

#[test]
fn a_message_larger_than_every_bound_goes_alone() {
    let mut window = Window::new(true, Bounds { unacknowledged: 1, ..bounds(0, 0) }, 0, None);
    assert!(window.has_room(1 << 20));
    window.add(Message::new(Bytes::from(vec![b'x'; 1 << 20]), None));
    assert!(!window.has_room(0));
    assert_eq!(send_all(&mut window), [1]);
}

#[test]
fn after_a_break_the_same_messages_have_the_same_numbers() {
    let mut window = window(0, 5);
    let first: Vec<_> = std::iter::from_fn(|| window.send_next()).collect();
    window.answered(answer(1, true)).expect("sent");
    window.broken();
    let second: Vec<_> = std::iter::from_fn(|| window.send_next()).take(2).collect();
    assert_eq!(first[1..], second);
}

#[test]
fn what_was_counted_before_a_break_is_not_sent_again_once_known() {
    let mut window = window(0, 5);
    send_all(&mut window);
    window.broken();
    window.send_next();
    window.answered(answer(3, true)).expect("all three were sent once");
    assert_eq!(send_all(&mut window), [4, 5]);
}

#[test]
fn late_answers_say_nothing_and_impossible_ones_are_refused() {
    let mut window = window(0, 5);
    send_all(&mut window);
    window.answered(answer(3, true)).expect("sent");
    window.answered(answer(1, true)).expect("late");
    assert_eq!(window.acked(), 3);
    let impossible = window.answered(answer(4, true));
    assert!(matches!(impossible, Err(Error::Protocol { .. })), "{impossible:?}");
    assert!(matches!(window.go_to(4), Err(Error::Protocol { .. })));
}

#[test]
fn what_is_not_durable_is_kept_for_a_rewind() {
    let mut window = window(2, 3);
    send_all(&mut window);
    window.answered(answer(3, false)).expect("sent");
    assert!(window.is_done());
    assert_eq!(window.go_to(1), Ok(2));
    assert_eq!((window.acked(), window.note(), window.messages()), (1, Some(1), 3));
    assert_eq!(send_all(&mut window), [2, 3]);
    assert_eq!(window.go_to(0), Err(Error::Lost { from: 1, to: 1 }), "it was one too many to keep");
}

#[test]
fn what_is_durable_is_not_kept() {
    let mut window = window(100, 3);
    send_all(&mut window);
    window.answered(answer(2, false)).expect("sent");
    window.answered(answer(3, true)).expect("sent");
    assert_eq!(window.go_to(1), Err(Error::Lost { from: 2, to: 3 }));
}

#[test]
fn without_a_name_answers_count_messages() {
    let mut window = Window::new(false, bounds(100, 100), 0, None);
    (1..=3).for_each(|n| window.add(message(n)));
    send_all(&mut window);
    window.answered(Answer { sequence: 0, messages: 2, durable: false }).expect("sent");
    assert_eq!(window.acked(), 2);
    window.broken();
    assert_eq!(send_all(&mut window), [3]);
    let many = window.answered(Answer { sequence: 0, messages: 2, durable: false });
    assert!(many.is_err(), "only one is under way");
}

#[test]
fn a_resumed_producer_goes_on_with_the_next_number() {
    let mut window = Window::new(true, bounds(9, 9), 41, Some(7));
    assert_eq!((window.acked(), window.note(), window.messages()), (41, Some(7), 0));
    window.add(message(42));
    assert_eq!(send_all(&mut window), [42]);
    assert_eq!(window.go_to(40), Err(Error::Lost { from: 41, to: 41 }));
}

/// What happens in the world.
#[derive(Clone, Debug)]
enum Step {
    Add,
    Send,
    /// The oldest message on the wire arrives.
    Arrive,
    /// The oldest answer on the wire arrives.
    Answer,
    /// The stream breaks; what is on the wire is lost.
    Break,
    /// As that, but the messages on the wire arrive, and only the answers are lost.
    BreakLate,
    /// Everything so far becomes durable.
    Save,
    /// The store forgets up to so many messages that are not durable.
    Forget(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Add),
        8 => Just(Step::Send),
        8 => Just(Step::Arrive),
        8 => Just(Step::Answer),
        2 => Just(Step::Break),
        1 => Just(Step::BreakLate),
        1 => Just(Step::Save),
        2 => (0_u64..6).prop_map(Step::Forget),
    ]
}

/// A store and a wire, as simple as they can be.
struct World {
    window: Window,
    kept: u64,
    added: u64,
    /// What is counted: message `i + 1` lies at `i`.
    store: Vec<u64>,
    durable: u64,
    to_store: VecDeque<(u64, Message)>,
    to_client: VecDeque<Result<Answer, u64>>,
    /// Known to the client as counted, at most.
    told: u64,
    lost: bool,
}

impl World {
    fn new(kept: u64) -> Self {
        Self {
            window: window(kept, 0),
            kept,
            added: 0,
            store: Vec::new(),
            durable: 0,
            to_store: VecDeque::new(),
            to_client: VecDeque::new(),
            told: 0,
            lost: false,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Add if self.window.has_room(8) => {
                self.added += 1;
                self.window.add(message(self.added));
            }
            Step::Add => {}
            Step::Send => self.to_store.extend(self.window.send_next()),
            Step::Arrive => self.arrive(),
            Step::Answer => self.answer(),
            Step::Break => self.end_of_stream(),
            Step::BreakLate => {
                while !self.to_store.is_empty() {
                    self.arrive();
                }
                self.end_of_stream();
            }
            Step::Save => self.durable = self.store.len() as u64,
            Step::Forget(n) => {
                let left = (self.store.len() as u64).saturating_sub(*n).max(self.durable);
                self.store.truncate(left as usize);
            }
        }
        self.check();
    }

    /// The rules of the store, as push.proto has them.
    fn arrive(&mut self) {
        let Some((number, message)) = self.to_store.pop_front() else { return };
        let stored = self.store.len() as u64;
        if number > stored + 1 {
            self.to_store.clear();
            self.to_client.push_back(Err(stored));
            return;
        }
        if number == stored + 1 {
            self.store.push(number_in(&message));
        } else {
            assert_eq!(self.store[number as usize - 1], number_in(&message), "other content");
        }
        let sequence = self.store.len() as u64;
        let durable = sequence == self.durable;
        self.to_client.push_back(Ok(Answer { sequence, messages: 1, durable }));
    }

    fn answer(&mut self) {
        match self.to_client.pop_front() {
            None => {}
            Some(Ok(answer)) => {
                self.window.answered(answer).expect("an answer that is possible");
                self.told = self.told.max(answer.sequence);
            }
            Some(Err(sequence)) => {
                self.end_of_stream();
                self.go_to(sequence);
            }
        }
    }

    fn go_to(&mut self, sequence: u64) {
        match self.window.go_to(sequence) {
            Ok(_) => {}
            Err(Error::Lost { from, to }) => {
                assert!(from == sequence + 1 && to <= self.told, "{from} to {to}");
                let behind = self.told - sequence;
                assert!(behind > self.kept, "lost {behind}, though {} are kept", self.kept);
                self.lost = true;
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn end_of_stream(&mut self) {
        self.to_store.clear();
        self.to_client.clear();
        self.window.broken();
    }

    fn check(&self) {
        let expected: Vec<u64> = (1..=self.store.len() as u64).collect();
        assert_eq!(self.store, expected, "each once, in order, under its own number");
        assert_eq!(self.window.last(), self.added);
        let unacked = self.added - self.window.acked();
        let held = self.window.held.len() as u64;
        // A rewind makes what was kept unacknowledged again.
        assert!(unacked <= held && held <= 101 + self.kept, "{held} held");
    }

    /// Nothing fails any more.
    fn settle(&mut self) {
        for _ in 0..20 * (self.added + 2) {
            for step in [Step::Send, Step::Arrive, Step::Answer] {
                if !self.lost {
                    self.step(&step);
                }
            }
        }
        let nothing_under_way = self.to_store.is_empty() && self.to_client.is_empty();
        assert!(self.lost || (self.window.is_done() && nothing_under_way), "it settles");
    }
}

proptest! {
    #[test]
    fn every_message_counts_once_in_order_whatever_happens(
        kept in 0_u64..8,
        // Short stories end in the middle of something more often.
        steps in prop_oneof![
            prop::collection::vec(step(), 0..15),
            prop::collection::vec(step(), 0..300),
        ],
    ) {
        let mut world = World::new(kept);
        for step in &steps {
            if !world.lost {
                world.step(step);
            }
        }
        world.settle();
        // Something new is what shows that the store forgot.
        world.step(&Step::Add);
        world.settle();
        prop_assert!(world.lost || world.store.len() as u64 == world.added);
    }
}
