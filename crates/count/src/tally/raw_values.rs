//! What a raw key stands for: the values of all wanted columns, and from them the series that a record
//! with this raw key hits. The same as the slow path finds for such a record, which tests hold it
//! against.

use logtally_core::rule::Reject;
use logtally_core::series::Value;
use logtally_formats::csv::{Dialect, Fields};
use logtally_rules::{Hits, PlainHit, Row, RuleSet};

use super::series::increment_bytes;

/// A raw key that was taken apart. Reused from one to the next.
#[derive(Default)]
pub(super) struct RawValues {
    /// The values, back to back.
    text: Vec<u8>,
    /// Where each ends, by slot.
    ends: Vec<usize>,
    buffers: Hits,
}

struct ValueRow<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl Row for ValueRow<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        let from = if slot == 0 { 0 } else { self.ends[slot - 1] };
        Some(&self.text[from..*self.ends.get(slot)?])
    }
}

impl RawValues {
    /// Takes a raw key apart. Whether it has a value for each of so many columns.
    pub(super) fn read(&mut self, dialect: Dialect, raw_key: &[u8], columns: usize) -> bool {
        self.text.clear();
        self.ends.clear();
        for field in Fields::in_dialect(raw_key, dialect).take(columns) {
            field.append_in(dialect, &mut self.text);
            self.ends.push(self.text.len());
        }
        self.ends.len() == columns
    }

    /// Visits the series that it hits.
    #[inline]
    pub(super) fn each_hit(
        &mut self,
        rules: &RuleSet,
        visit: impl FnMut(PlainHit<'_>) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let row = ValueRow { text: &self.text, ends: &self.ends };
        rules.plain_hits(&row, Reject::Ragged, &mut self.buffers, visit)
    }

    /// About how many bytes the increments of the series that it hits have, packed; 0 if no rule matches
    /// it. An error if it cannot be counted.
    pub(super) fn check(&mut self, rules: &RuleSet) -> Result<usize, Reject> {
        let mut bytes = 0;
        self.each_hit(rules, |hit| {
            bytes += increment_bytes(hit.key.len(), Value::None);
            hit.check()
        })?;
        Ok(bytes)
    }
}
