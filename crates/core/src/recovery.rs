//! Whether a store has lost what it had acknowledged: the question behind every report of a reader.
//!
//! Nothing here says what is done then. Committers report, stores remember the report until it is
//! reached, and exporters are silent meanwhile.

use crate::source::SourceState;

/// Whether a store is behind `acknowledged`, a state that it once answered with: it has less of the
/// same generation, and the reader has to read again what is missing.
///
/// | stored | acknowledged position | behind |
/// | --- | --- | --- |
/// | nothing | 0 | no: nothing of this generation was counted, so nothing has to be reached again |
/// | nothing | above 0 | yes |
/// | the same generation, below it | | yes |
/// | the same generation, at it or above | | no |
/// | another generation | | no: the reader compares that one with the source |
///
/// A source that somebody forgot on purpose looks like one that was lost. It is taken for lost, which
/// is the safe side: exporters are silent until it has been read again. So whoever forgets a source
/// stops its reader first.
///
/// ```
/// use logtally_core::recovery::is_behind;
/// use logtally_core::source::{Generation, SourceState};
///
/// let opened = SourceState::start(Generation(7));
/// let counted = SourceState { position: 42, ..opened };
/// assert!(is_behind(Some(&opened), &counted));
/// assert!(is_behind(None, &counted));
/// assert!(!is_behind(None, &opened));
/// ```
pub fn is_behind(stored: Option<&SourceState>, acknowledged: &SourceState) -> bool {
    match stored {
        None => acknowledged.position > 0,
        Some(stored) if stored.generation != acknowledged.generation => false,
        Some(stored) => stored.position < acknowledged.position,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Generation;

    fn at(generation: u64, position: u64) -> SourceState {
        SourceState { position, ..SourceState::start(Generation(generation)) }
    }

    #[test]
    fn a_store_is_behind_if_it_has_less_of_the_same_generation() {
        let check = |stored: Option<SourceState>, acknowledged: SourceState, expected: bool| {
            let behind = is_behind(stored.as_ref(), &acknowledged);
            assert_eq!(behind, expected, "{stored:?} beside {acknowledged:?}");
        };
        check(None, at(1, 0), false);
        check(None, at(1, 1), true);
        check(Some(at(1, 0)), at(1, 0), false);
        check(Some(at(1, 0)), at(1, 1), true);
        check(Some(at(1, 9)), at(1, 10), true);
        check(Some(at(1, 10)), at(1, 10), false);
        check(Some(at(1, 11)), at(1, 10), false);
        check(Some(at(2, 0)), at(1, 10), false);
        check(Some(at(2, 99)), at(1, 10), false);
    }
}
