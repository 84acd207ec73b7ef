//! What a source makes of an answer of the store. An answer is always the stored state: an
//! acknowledgement, a duplicate, a rewind and a rollback are the same message, and only the functions
//! of this module tell them apart.
//!
//! It never sees a request, a link or a clock: `logtally-session` has the machine that asks and sends.

use crate::delta::Span;
use crate::source::{Generation, SourceState, Tail};

/// Who talks to the store about a source. That decides who may open it, and what is lost if nobody
/// looks at the stored state again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Party {
    /// Reads a file, or something like it: compares the stored state with the bytes, and tells the
    /// store in each question what was acknowledged.
    File,
    /// Sends messages that have no numbers of their own, and holds them until they are counted.
    Push,
    /// Sends the messages of a producer, which numbers them. Only the producer opens its source.
    Producer,
}

/// What a delta's answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// The span is counted: carry on.
    CarryOn,
    /// The store is behind what was sent: drop what is under way and read from there.
    GoBack,
    /// Somebody else is ahead: drop what is under way and continue from there.
    GoAhead,
    /// The store does not know the source: open it again.
    OpenAgain,
    /// Another generation of the source is stored, or other content was counted: compare it with the
    /// file.
    LookAgain,
}

/// How a conversation goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// As before.
    CarryOn,
    /// Drop what is under way and ask for the stored state.
    Ask,
    /// Drop what is under way and open the source, if nothing is stored of it.
    Open,
    /// Drop what is under way and continue the state of the answer.
    Continue,
    /// Drop what is under way and stop: nothing is stored, and somebody else has to open the source.
    Stop,
}

/// How a conversation begins, or begins again after a break, with `known` the last state that was
/// received:
///
/// | party | nothing is known | a state is known |
/// | --- | --- | --- |
/// | file, producer | [`Course::Ask`] | [`Course::Ask`] |
/// | push | [`Course::Open`]: its sources are new | [`Course::Ask`] |
pub fn begin(party: Party, known: Option<&SourceState>) -> Course {
    match (party, known) {
        (Party::Push, None) => Course::Open,
        _ => Course::Ask,
    }
}

/// What the answer to a question, or to an opening, means:
///
/// | stored | file, push | producer |
/// | --- | --- | --- |
/// | a state | [`Course::Continue`] | [`Course::Continue`] |
/// | nothing | [`Course::Open`] | [`Course::Stop`] |
pub fn after_question(party: Party, stored: Option<&SourceState>) -> Course {
    match (stored, party) {
        (Some(_), _) => Course::Continue,
        (None, Party::File | Party::Push) => Course::Open,
        (None, Party::Producer) => Course::Stop,
    }
}

/// A delta that was sent, as far as its answer is measured by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentSpan {
    /// What it covers.
    pub span: Span,
    /// Hash of what stands before its end.
    pub tail_after: Tail,
}

/// Reacts to the stored state that answers `answered`, one of the deltas that were `sent` in this order,
/// all of them in `generation`. `end` is the end of the last one:
///
/// | stored | reaction |
/// | --- | --- |
/// | nothing | [`Reaction::OpenAgain`] |
/// | another generation | [`Reaction::LookAgain`] |
/// | `position < to` | [`Reaction::GoBack`] |
/// | `position > end` | [`Reaction::GoAhead`] |
/// | `to ≤ position ≤ end`, where a delta ends with another tail | [`Reaction::LookAgain`] |
/// | `to ≤ position ≤ end` otherwise | [`Reaction::CarryOn`] |
///
/// The tail matters where a file was replaced before anything of it was counted: what was sent of the
/// older content may arrive late, through a link that was given up, and reach the same position.
pub fn react(
    generation: Generation,
    answered: Span,
    sent: impl Iterator<Item = SentSpan>,
    stored: Option<&SourceState>,
) -> Reaction {
    let Some(state) = stored else { return Reaction::OpenAgain };
    if state.generation != generation {
        return Reaction::LookAgain;
    }
    if state.position < answered.to() {
        return Reaction::GoBack;
    }
    let mut end = answered.to();
    for SentSpan { span, tail_after } in sent {
        if span.to() == state.position && tail_after != state.tail {
            return Reaction::LookAgain;
        }
        end = span.to();
    }
    if state.position > end { Reaction::GoAhead } else { Reaction::CarryOn }
}

/// What the answer to a delta means for who sent it:
///
/// | reaction | file | push | producer |
/// | --- | --- | --- | --- |
/// | [`Reaction::CarryOn`] | carry on | carry on | carry on |
/// | [`Reaction::GoBack`], [`Reaction::GoAhead`], [`Reaction::LookAgain`] | ask | continue | continue |
/// | [`Reaction::OpenAgain`] | ask | open | stop |
///
/// A file asks, because its question tells the store what had been acknowledged.
pub fn after_delta(party: Party, reaction: Reaction) -> Course {
    match (reaction, party) {
        (Reaction::CarryOn, _) => Course::CarryOn,
        (_, Party::File) => Course::Ask,
        (Reaction::GoBack | Reaction::GoAhead | Reaction::LookAgain, _) => Course::Continue,
        (Reaction::OpenAgain, Party::Push) => Course::Open,
        (Reaction::OpenAgain, Party::Producer) => Course::Stop,
    }
}

/// What a look at the stored state means while nothing is under way, with `known` the last state that
/// was received:
///
/// | stored | course |
/// | --- | --- |
/// | the generation, position and tail that are known | [`Course::CarryOn`] |
/// | anything else, or nothing | [`Course::Ask`] |
pub fn after_check(known: &SourceState, stored: Option<&SourceState>) -> Course {
    match stored {
        Some(stored) if stored.same_place(known) => Course::CarryOn,
        _ => Course::Ask,
    }
}

/// What is known of a source of which nothing is stored:
///
/// | party | known |
/// | --- | --- |
/// | file | what was: its next question tells the store what is missing |
/// | push, producer | nothing |
pub fn known_if_absent(party: Party, known: Option<SourceState>) -> Option<SourceState> {
    match party {
        Party::File => known,
        Party::Push | Party::Producer => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: Generation = Generation(1);

    fn at(position: u64) -> SourceState {
        SourceState { position, ..SourceState::start(G) }
    }

    #[test]
    fn every_answer_has_one_reaction() {
        let span = |from, to| Span::new(from, to).expect("valid");
        let sent = [(10, 20), (20, 30), (30, 40)]
            .map(|(from, to)| SentSpan { span: span(from, to), tail_after: Tail::empty() });
        let check =
            |stored: Option<SourceState>| react(G, span(10, 20), sent.into_iter(), stored.as_ref());
        assert_eq!(check(None), Reaction::OpenAgain);
        assert_eq!(check(Some(SourceState::start(Generation(2)))), Reaction::LookAgain);
        assert_eq!(check(Some(at(10))), Reaction::GoBack);
        assert_eq!(check(Some(at(15))), Reaction::GoBack);
        assert_eq!(check(Some(at(20))), Reaction::CarryOn);
        assert_eq!(check(Some(at(40))), Reaction::CarryOn);
        assert_eq!(check(Some(at(41))), Reaction::GoAhead);
        for position in [20, 30, 40] {
            let other = SourceState { tail: Tail(9), ..at(position) };
            assert_eq!(check(Some(other)), Reaction::LookAgain, "{position}");
        }
    }

    #[test]
    fn only_a_producer_stops_and_only_a_file_asks() {
        let parties = [Party::File, Party::Push, Party::Producer];
        let check = |reaction, expected: [Course; 3]| {
            assert_eq!(parties.map(|party| after_delta(party, reaction)), expected, "{reaction:?}");
        };
        check(Reaction::CarryOn, [Course::CarryOn; 3]);
        for reaction in [Reaction::GoBack, Reaction::GoAhead, Reaction::LookAgain] {
            check(reaction, [Course::Ask, Course::Continue, Course::Continue]);
        }
        check(Reaction::OpenAgain, [Course::Ask, Course::Open, Course::Stop]);
        let absent = parties.map(|party| after_question(party, None));
        assert_eq!(absent, [Course::Open, Course::Open, Course::Stop]);
        let there = parties.map(|party| after_question(party, Some(&at(5))));
        assert_eq!(there, [Course::Continue; 3]);
    }

    #[test]
    fn only_what_is_new_is_opened_unasked() {
        let parties = [Party::File, Party::Push, Party::Producer];
        let new = parties.map(|party| begin(party, None));
        assert_eq!(new, [Course::Ask, Course::Open, Course::Ask]);
        assert_eq!(parties.map(|party| begin(party, Some(&at(5)))), [Course::Ask; 3]);
        let known = parties.map(|party| known_if_absent(party, Some(at(5))));
        assert_eq!(known, [Some(at(5)), None, None]);
    }

    #[test]
    fn a_look_while_idle_minds_every_difference() {
        let check = |stored: Option<SourceState>| after_check(&at(10), stored.as_ref());
        assert_eq!(check(Some(at(10))), Course::CarryOn);
        for other in [
            Some(at(5)),
            Some(at(15)),
            Some(SourceState { generation: Generation(2), ..at(10) }),
            Some(SourceState { tail: Tail(9), ..at(10) }),
            None,
        ] {
            assert_eq!(check(other), Course::Ask, "{other:?}");
        }
    }
}
