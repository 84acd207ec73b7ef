//! A delta: one span of one source, and the increments that it gave.

use std::fmt;

use crate::limits::POSITION_MAX;
use crate::series::{Family, FamilyId, Increments};
use crate::source::{Generation, RecordCounts, SourceId, SourceState, Tail};

/// The half-open piece `(from..to]` of one source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: u64,
    to: u64,
}

/// Why two positions are not a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a span: from {from} to {to} (needed: from < to < 2^53)")]
pub struct InvalidSpan {
    from: u64,
    to: u64,
}

impl Span {
    /// A span that moves forward and stays below 2^53.
    pub fn new(from: u64, to: u64) -> Result<Self, InvalidSpan> {
        if from < to && to <= POSITION_MAX {
            Ok(Self { from, to })
        } else {
            Err(InvalidSpan { from, to })
        }
    }

    /// The position that the span continues.
    pub fn from(self) -> u64 {
        self.from
    }

    /// The position that the span reaches.
    pub fn to(self) -> u64 {
        self.to
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}..{}]", self.from, self.to)
    }
}

/// How many series a family may have. Beyond it, records go to an overflow series, so that sums stay
/// right; series that are there stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeriesLimit {
    /// The family.
    pub family: FamilyId,
    /// Series of the family; `u64::MAX` for any number.
    pub series_max: u64,
    /// Series per value of one label.
    pub tenant: Option<TenantSeriesLimit>,
}

/// How many series a family may have for each value of one label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantSeriesLimit {
    /// Index of the label in the family's labels.
    pub label: usize,
    /// Series per value.
    pub series_max: u64,
}

/// One span of one source: the state that it continues, the state that it leads to, and what it
/// counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delta {
    /// The source.
    pub source: SourceId,
    /// The generation of the source that was read.
    pub generation: Generation,
    /// What was read.
    pub span: Span,
    /// Hash of the bytes before `span.from()`.
    pub tail_before: Tail,
    /// Hash of the bytes before `span.to()`.
    pub tail_after: Tail,
    /// The source's note at `span.to()`: see [`SourceState::note`].
    pub note: Option<u64>,
    /// Records of the span.
    pub records: RecordCounts,
    /// The families that the increments belong to.
    pub families: Vec<Family>,
    /// How many series families may have; those that are not named may have any number.
    pub limits: Vec<SeriesLimit>,
    /// What the span counted.
    pub increments: Increments,
}

impl Delta {
    /// The state after this delta, applied to `stored`.
    pub fn state_after(&self, stored: &SourceState) -> SourceState {
        SourceState {
            generation: self.generation,
            position: self.span.to(),
            tail: self.tail_after,
            note: self.note,
            end: stored.end,
            records: stored.records.plus(self.records),
        }
    }

    /// Whether `next` continues exactly where this delta ends.
    pub fn continued_by(&self, next: &Self) -> bool {
        self.source == next.source
            && self.generation == next.generation
            && self.span.to() == next.span.from()
            && self.tail_after == next.tail_before
    }

    /// Joins a delta that continues this one: the result is one span that is admitted or refused as
    /// a whole.
    ///
    /// # Panics
    /// If `next` does not continue `self`: a caller that joins a gap would lose counts.
    #[must_use]
    pub fn join(self, next: Self) -> Self {
        assert!(self.continued_by(&next), "{:?} is not continued by {:?}", self.span, next.span);
        let mut families = self.families;
        for family in next.families {
            if !families.contains(&family) {
                families.push(family);
            }
        }
        let mut limits = self.limits;
        limits.retain(|limit| next.limits.iter().all(|newer| newer.family != limit.family));
        limits.extend(next.limits);
        Self {
            source: self.source,
            generation: self.generation,
            span: Span { from: self.span.from, to: next.span.to },
            tail_before: self.tail_before,
            tail_after: next.tail_after,
            note: next.note,
            records: self.records.plus(next.records),
            families,
            limits,
            increments: Increments::merge([&self.increments, &next.increments]),
        }
    }
}
