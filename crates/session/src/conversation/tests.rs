//! One answer at a time. What follows from many, in any order, is in `tests/interleavings`.

use logtally_core::delta::Span;
use logtally_core::source::Tail;

use super::*;

fn at(generation: u64, position: u64) -> SourceState {
    SourceState { position, ..SourceState::start(Generation(generation)) }
}

fn span(from: u64, to: u64) -> SentSpan {
    SentSpan { span: Span::new(from, to).expect("valid"), tail_after: Tail::empty() }
}

/// A conversation at a state, with tags from 1 on.
fn ready(party: Party, state: SourceState) -> (Conversation<()>, Tags) {
    let (mut conversation, mut tags) = (Conversation::new(party), Tags::default());
    conversation.ask(&mut tags);
    let step = conversation.on_response(1, Some(state), &mut tags);
    assert!(matches!(step, NextStep::Continue(at) if at == state), "{step:?}");
    (conversation, tags)
}

/// The name of a step.
fn name(step: &NextStep<()>) -> &'static str {
    match step {
        NextStep::Nothing => "nothing",
        NextStep::Ask { .. } => "ask",
        NextStep::Open { .. } => "open",
        NextStep::Continue(_) => "continue",
        NextStep::Landed { .. } => "landed",
        NextStep::Stop => "stop",
    }
}

#[test]
fn an_unknown_source_is_opened_and_a_known_one_continued() {
    let (mut conversation, mut tags) = (Conversation::<()>::new(Party::File), Tags::default());
    assert_eq!(name(&conversation.on_response(1, Some(at(1, 5)), &mut tags)), "nothing");
    assert_eq!(name(&conversation.ask(&mut tags)), "ask");
    assert_eq!(name(&conversation.on_response(9, Some(at(1, 5)), &mut tags)), "nothing");
    let step = conversation.on_response(1, None, &mut tags);
    assert!(matches!(step, NextStep::Open { expected: None, tag: 2 }), "{step:?}");
    assert_eq!(name(&conversation.on_response(2, Some(at(1, 5)), &mut tags)), "continue");
    assert_eq!((conversation.phase(), conversation.sent()), (Phase::Ready, 5));
}

#[test]
fn acknowledgements_move_on_and_everything_else_begins_again() {
    let check = |party, answer: Option<SourceState>, step: &str, position: u64| {
        let (mut conversation, mut tags) = ready(party, at(1, 0));
        let first = conversation.send(span(0, 10), (), &mut tags);
        conversation.send(span(10, 20), (), &mut tags);
        let got = conversation.on_response(first, answer, &mut tags);
        assert_eq!((name(&got), conversation.position()), (step, position), "{party:?} {answer:?}");
    };
    for party in [Party::File, Party::Push, Party::Producer] {
        check(party, Some(at(1, 10)), "landed", 10);
        check(party, Some(at(1, 20)), "landed", 20);
    }
    for answer in [at(1, 5), at(1, 30), at(2, 10)] {
        check(Party::File, Some(answer), "ask", 0);
        check(Party::Push, Some(answer), "continue", answer.position);
        check(Party::Producer, Some(answer), "continue", answer.position);
    }
    check(Party::File, None, "ask", 0);
    check(Party::Push, None, "open", 0);
    check(Party::Producer, None, "stop", 0);
}

#[test]
fn the_same_position_of_other_content_is_not_what_was_sent() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 0));
    let first = conversation.send(span(0, 10), (), &mut tags);
    conversation.send(span(10, 20), (), &mut tags);
    let other = SourceState { tail: Tail(9), ..at(1, 20) };
    assert_eq!(name(&conversation.on_response(first, Some(other), &mut tags)), "ask");
}

#[test]
fn an_answer_lands_everything_that_it_covers() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 0));
    let first = conversation.send(span(0, 10), (), &mut tags);
    let second = conversation.send(span(10, 20), (), &mut tags);
    conversation.send(span(20, 30), (), &mut tags);
    let step = conversation.on_response(first, Some(at(1, 20)), &mut tags);
    assert!(matches!(step, NextStep::Landed { flights, .. } if flights.len() == 2));
    assert_eq!((conversation.in_flight(), conversation.sent()), (1, 30));
    assert_eq!(name(&conversation.on_response(second, Some(at(1, 20)), &mut tags)), "nothing");
}

#[test]
fn a_look_while_idle_minds_differences_until_something_begins() {
    let check = |answer: Option<SourceState>, step: &str| {
        let (mut conversation, mut tags) = ready(Party::File, at(1, 10));
        let tag = conversation.check(&mut tags).expect("idle");
        assert!(conversation.check(&mut tags).is_none(), "one at a time");
        assert_eq!(name(&conversation.on_response(tag, answer, &mut tags)), step);
    };
    check(Some(at(1, 10)), "nothing");
    for answer in [Some(at(1, 5)), Some(at(2, 10)), None] {
        check(answer, "ask");
    }
    let (mut conversation, mut tags) = ready(Party::File, at(1, 10));
    let tag = conversation.check(&mut tags).expect("idle");
    conversation.send(span(10, 20), (), &mut tags);
    assert_eq!(name(&conversation.on_response(tag, Some(at(1, 5)), &mut tags)), "nothing");
    assert!(conversation.check(&mut tags).is_none(), "not idle");
}

#[test]
fn answers_to_what_was_dropped_are_not_taken() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 0));
    let sent = conversation.send(span(0, 10), (), &mut tags);
    conversation.ask(&mut tags);
    assert_eq!(name(&conversation.on_response(sent, Some(at(1, 10)), &mut tags)), "nothing");
    assert_eq!((conversation.position(), conversation.in_flight()), (0, 0));
    conversation.go_offline();
    assert_eq!(name(&conversation.on_response(sent + 1, Some(at(1, 10)), &mut tags)), "nothing");
}

#[test]
fn a_replaced_file_is_looked_at_before_it_is_opened() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 0));
    conversation.send(span(0, 10), (), &mut tags);
    assert_eq!(name(&conversation.replace(&mut tags)), "ask");
    let Phase::Asking { tag } = conversation.phase() else { panic!("asking") };
    conversation.on_response(tag, Some(at(1, 10)), &mut tags);
    let step = conversation.replace(&mut tags);
    assert!(matches!(step, NextStep::Open { expected, .. } if expected == Some(at(1, 10))));
}

#[test]
fn a_file_tells_what_was_acknowledged_until_another_state_is_received() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 10));
    conversation.ask(&mut tags);
    let Phase::Asking { tag } = conversation.phase() else { panic!("asking") };
    assert_eq!(name(&conversation.on_response(tag, None, &mut tags)), "open");
    let step = conversation.ask(&mut tags);
    assert!(matches!(step, NextStep::Ask { acknowledged, .. } if acknowledged == Some(at(1, 10))));
}

#[test]
#[should_panic(expected = "in order")]
fn a_gap_is_never_sent() {
    let (mut conversation, mut tags) = ready(Party::File, at(1, 0));
    conversation.send(span(5, 10), (), &mut tags);
}
