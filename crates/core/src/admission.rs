//! The one decision that makes counting exact: may this delta be applied to what is stored?
//!
//! Every store asks [`admit`], or (inside Redis) a script that is tested against it case by case.

use crate::delta::Delta;
use crate::source::SourceState;

/// The answer to a delta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It continues what is stored: apply it.
    Apply,
    /// All of it is counted already: acknowledge, change nothing.
    Duplicate,
    /// It overlaps what is stored or leaves a gap: the sender goes to the stored position.
    Rewind,
    /// The source is not registered: it must be opened (again). Absent is not zero.
    Unknown,
    /// It was read in another generation of the source, or other bytes stood before it: the sender looks
    /// at the source again.
    Stale,
}

/// Decides about `delta`, with `at` the stored position:
///
/// | case | admission |
/// | --- | --- |
/// | not registered | [`Admission::Unknown`] |
/// | another generation | [`Admission::Stale`] |
/// | `from = at`, another tail | [`Admission::Stale`] |
/// | `from = at`, the same tail | [`Admission::Apply`] |
/// | `to ≤ at` | [`Admission::Duplicate`] |
/// | `from < at < to` | [`Admission::Rewind`] |
/// | `from > at` | [`Admission::Rewind`]: a gap is never accepted |
///
/// The tail is compared only where `from = at`; at other positions there is nothing to compare it
/// with.
pub fn admit(stored: Option<&SourceState>, delta: &Delta) -> Admission {
    let Some(stored) = stored else { return Admission::Unknown };
    if stored.generation != delta.generation {
        return Admission::Stale;
    }
    let at = stored.position;
    if delta.span.from() == at {
        return if stored.tail == delta.tail_before { Admission::Apply } else { Admission::Stale };
    }
    if delta.span.to() <= at { Admission::Duplicate } else { Admission::Rewind }
}

/// Whether a source may be opened with a new generation: only if the whole stored state is still the
/// one that the opener saw. A compare-and-set on less doubles or loses counts when a delayed opening
/// meets a store that went back in time.
pub fn may_open(stored: Option<&SourceState>, expected: Option<&SourceState>) -> bool {
    match (stored, expected) {
        (None, None) => true,
        (Some(stored), Some(expected)) => stored.same_place(expected),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::Admission::{Apply, Duplicate, Rewind, Stale, Unknown};
    use super::*;
    use crate::delta::Span;
    use crate::limits::POSITION_MAX;
    use crate::series::Increments;
    use crate::source::{Generation, RecordCounts, SourceId, Tail};

    const TAIL: Tail = Tail(7);
    const OTHER: Tail = Tail(8);

    fn at(position: u64) -> SourceState {
        SourceState { position, tail: TAIL, ..SourceState::start(Generation(1)) }
    }

    /// Decides about a delta of `generation`, read after `tail_before`.
    fn check(
        stored: impl Into<Option<SourceState>>,
        generation: u64,
        span: Range<u64>,
        tail_before: Tail,
    ) -> Admission {
        let delta = Delta {
            source: SourceId::new("s").expect("valid"),
            generation: Generation(generation),
            span: Span::new(span.start, span.end).expect("valid"),
            tail_before,
            tail_after: OTHER,
            note: None,
            records: RecordCounts::default(),
            families: Vec::new(),
            limits: vec![],
            increments: Increments::default(),
        };
        admit(stored.into().as_ref(), &delta)
    }

    #[test]
    fn a_delta_is_applied_only_where_it_continues() {
        assert_eq!(check(at(10), 1, 10..20, TAIL), Apply);
        assert_eq!(check(at(10), 1, 10..20, OTHER), Stale, "other bytes stood before it");
        assert_eq!(check(at(10), 2, 10..20, TAIL), Stale, "another generation");
        assert_eq!(check(None, 1, 10..20, TAIL), Unknown, "absent is not zero");
        assert_eq!(check(None, 1, 0..20, TAIL), Unknown, "not even at the beginning");
    }

    #[test]
    fn what_is_counted_is_a_duplicate_whatever_stood_before_it() {
        for (span, tail) in [(5..10, TAIL), (5..10, OTHER), (0..10, TAIL), (0..3, TAIL)] {
            assert_eq!(check(at(10), 1, span.clone(), tail), Duplicate, "{span:?}");
            assert_eq!(
                check(at(10), 2, span.clone(), tail),
                Stale,
                "{span:?} of another generation"
            );
        }
    }

    #[test]
    fn overlaps_and_gaps_rewind() {
        for span in [9..11, 0..20, 11..12, 500..600] {
            assert_eq!(check(at(10), 1, span.clone(), TAIL), Rewind, "{span:?}");
            assert_eq!(check(at(10), 1, span.clone(), OTHER), Rewind, "{span:?}");
            assert_eq!(
                check(at(10), 2, span.clone(), TAIL),
                Stale,
                "{span:?} of another generation"
            );
        }
    }

    #[test]
    fn the_last_positions_are_decided_like_others() {
        let last = POSITION_MAX;
        assert_eq!(check(at(last - 1), 1, last - 1..last, TAIL), Apply);
        assert_eq!(check(at(last), 1, last - 1..last, TAIL), Duplicate);
        assert_eq!(check(at(last - 2), 1, last - 1..last, TAIL), Rewind);
    }

    #[test]
    fn only_the_whole_state_that_was_seen_opens() {
        let stored = at(10);
        let check = |seen: Option<SourceState>| may_open(Some(&stored), seen.as_ref());
        assert!(check(Some(stored)));
        assert!(!check(None));
        assert!(!check(Some(SourceState { generation: Generation(2), ..stored })));
        assert!(!check(Some(SourceState { position: 9, ..stored })));
        assert!(!check(Some(SourceState { tail: OTHER, ..stored })));
        assert!(may_open(None, None));
        assert!(!may_open(None, Some(&stored)));
    }
}
