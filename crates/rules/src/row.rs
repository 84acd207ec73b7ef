//! What rules see of a record: its cells, and where it comes from.

use logtally_core::decimal::Decimal;
use logtally_core::rule::Reject;

/// A record's cells, by the slots of [`RuleSet::columns`](crate::RuleSet::columns).
pub trait Row {
    /// The cell; `None` if the record does not have it.
    fn get(&self, slot: usize) -> Option<&[u8]>;

    /// The cell as a decimal; `None` if it is not one. Whoever has many conditions on one column may
    /// remember it for the record.
    fn number(&self, slot: usize) -> Option<Decimal> {
        Decimal::parse(self.get(slot)?.trim_ascii()).ok()
    }
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Values of the path's placeholders, by the slots of
    /// [`RuleSet::placeholders`](crate::RuleSet::placeholders).
    pub path: &'a [Option<String>],
    /// Position just after the record in its source.
    pub position: u64,
    /// The reason for a missing cell, as the format calls it.
    pub missing: Reject,
}
