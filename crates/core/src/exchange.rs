//! What a reader does when it hears from the store: one function for acknowledgements, rewinds,
//! rollbacks and everything else.

use crate::delta::Span;
use crate::source::{Generation, SourceState};

/// What a reader does next.
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
    /// Another life of the source is stored: compare it with the file.
    LookAgain,
}

/// Reacts to the stored state that answers `span`, which was read in `generation` while `sent` was
/// the end of everything sent so far.
pub fn react(
    generation: Generation,
    span: Span,
    sent: u64,
    stored: Option<&SourceState>,
) -> Reaction {
    match stored {
        None => Reaction::OpenAgain,
        Some(state) if state.generation != generation => Reaction::LookAgain,
        Some(state) if state.position < span.to() => Reaction::GoBack,
        Some(state) if state.position > sent => Reaction::GoAhead,
        Some(_) => Reaction::CarryOn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_one_reaction() {
        let g = Generation(1);
        let at = |position| Some(SourceState { position, ..SourceState::start(g) });
        let span = Span::new(10, 20).expect("valid");
        let check = |stored: Option<SourceState>| react(g, span, 40, stored.as_ref());
        assert_eq!(check(None), Reaction::OpenAgain);
        assert_eq!(check(Some(SourceState::start(Generation(2)))), Reaction::LookAgain);
        assert_eq!(check(at(10)), Reaction::GoBack);
        assert_eq!(check(at(15)), Reaction::GoBack);
        assert_eq!(check(at(20)), Reaction::CarryOn);
        assert_eq!(check(at(40)), Reaction::CarryOn);
        assert_eq!(check(at(41)), Reaction::GoAhead);
    }
}
