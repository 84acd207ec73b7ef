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
    /// It was read in another life of the source, or other bytes stood before it: the sender looks
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
