//! What one span counts: from records to increments, accounting included.
//!
//! Records are counted on the [`slow_path`], one by one, or where the input allows it on the
//! [`fast_path`], many at once. Both count the same; neither counts a part of a record.

mod accounting;
mod fast_path;
mod raw_key_cache;
mod raw_keys;
mod raw_values;
mod record;
mod row;
mod samples;
mod series;
mod slow_path;

use std::sync::Arc;

use logtally_core::delta::SeriesLimit;
use logtally_core::rule::Reject;
use logtally_core::series::{Family, Increments, Packer};
use logtally_core::source::RecordCounts;
use logtally_formats::Layout;
use logtally_formats::csv::Dialect;

use self::accounting::ACCOUNTS_BYTES;
use self::fast_path::FastPath;
pub(crate) use self::record::{Piece, Record};
pub use self::samples::RejectedSample;
use self::slow_path::SlowPath;
use crate::input::Input;

/// What a span counted.
#[derive(Debug)]
pub struct Counted {
    /// The families of the increments.
    pub families: Vec<Arc<Family>>,
    /// How many series they may have.
    pub limits: Vec<SeriesLimit>,
    /// The increments, those of the accounting included.
    pub increments: Increments,
    /// The records.
    pub records: RecordCounts,
}

/// Increments of one span, before they are packed. Reused from span to span.
pub struct Tally {
    slow: SlowPath,
    fast: FastPath,
    bytes_max: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Tally {
    /// An empty tally that keeps some rejected records per reason.
    pub fn new(samples_per_reason: usize) -> Self {
        let slow = SlowPath::new(samples_per_reason);
        Self { slow, fast: FastPath::default(), bytes_max: usize::MAX }
    }

    /// From now on it is full with so many bytes of packed increments: no further record of a text is
    /// begun then.
    pub fn set_bytes_max(&mut self, bytes: usize) {
        self.bytes_max = bytes;
    }

    /// Whether it is.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.packed_len() >= self.bytes_max
    }

    /// Marks the complete records of a text. Returns where the last one ends, without its terminator;
    /// `None` if there is none.
    pub fn mark_complete(&mut self, dialect: Dialect, text: &[u8]) -> Option<usize> {
        self.fast.mark_complete(dialect, text)
    }

    /// Marks the records of a text.
    pub(crate) fn mark(&mut self, dialect: Dialect, text: &[u8]) {
        self.fast.mark(dialect, text);
    }

    /// Counts the records of the marked piece from `from` on, as far as the fast path can. Returns how
    /// far that is.
    pub(crate) fn add_marked(
        &mut self,
        input: &Input,
        dialect: Dialect,
        piece: Piece<'_>,
        from: usize,
    ) -> usize {
        self.fast.add(&mut self.slow, input, dialect, piece, from, self.bytes_max)
    }

    /// Counts a record.
    pub(crate) fn add(
        &mut self,
        input: &Input,
        layout: &Layout,
        path: &[Option<String>],
        record: Record<'_>,
    ) {
        self.slow.add(input, layout, path, record);
    }

    /// Counts a record that cannot be counted by a rule.
    pub fn reject(&mut self, reason: Reject, body: &[u8], position: u64) {
        self.slow.reject(reason, body, position);
    }

    /// About how many bytes the packed increments will have.
    pub fn packed_len(&self) -> usize {
        self.slow.packed_len() + self.fast.packed_len()
    }

    /// Rejected records so far, by reason.
    pub fn rejected(&self) -> impl Iterator<Item = (Reject, u64)> {
        self.slow.accounting().rejected()
    }

    /// The rejected records that were kept, which are not kept any more then.
    pub fn take_samples(&mut self) -> Vec<RejectedSample> {
        self.slow.take_samples()
    }

    /// Packs the increments with their families, accounting included, and empties the tally.
    pub fn take(&mut self, input: &Input) -> Counted {
        let mut packer = Packer::of_about(self.packed_len() + ACCOUNTS_BYTES);
        self.fast.pack(input, &mut self.slow, &mut packer);
        self.slow.pack(&mut packer);
        let (accounting, rules) = (self.slow.accounting(), input.rules.rules());
        let counted = Counted {
            families: accounting.families(rules),
            limits: accounting.limits(rules),
            increments: packer.finish(),
            records: accounting.records(),
        };
        self.clear();
        counted
    }

    /// Adds what another tally has counted by the same input, and clears it.
    pub fn absorb(&mut self, other: &mut Self) {
        self.slow.absorb(&mut other.slow);
        self.fast.absorb(&other.fast);
        other.clear();
    }

    /// Forgets everything counted so far.
    pub fn clear(&mut self) {
        self.slow.clear();
        self.fast.clear();
    }

    /// Whether raw keys would be looked up, as far as this tally has learned.
    #[cfg(test)]
    pub(crate) fn looks_up_raw_keys(&self) -> bool {
        self.fast.is_worth_while()
    }
}

#[cfg(test)]
mod tests;
