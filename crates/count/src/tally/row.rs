//! A record as rules see it, for the two ways in which the slow path finds its values.

use std::cell::Cell;

use logtally_core::decimal::Decimal;
use logtally_formats::{Cells, Layout};
use logtally_rules::Row;

/// An unquoted record of standard CSV as the rules see it: fields as they stand there.
pub(super) struct FieldRow<'a> {
    pub record: &'a [u8],
    /// Where each field ends, up to the last one that a rule wants.
    pub ends: &'a [u32],
    pub layout: &'a Layout,
    pub numbers: &'a Numbers,
}

impl Row for FieldRow<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        let column = self.layout.indexes()[slot]?;
        let end = *self.ends.get(column)? as usize;
        let from = column.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        Some(&self.record[from..end])
    }

    fn number(&self, slot: usize) -> Option<Decimal> {
        self.numbers.get(slot, || Decimal::parse(self.get(slot)?.trim_ascii()).ok())
    }
}

/// A record's cells as the rules see them.
pub(super) struct CellRow<'a> {
    pub cells: &'a Cells,
    pub record: &'a [u8],
    pub numbers: &'a Numbers,
}

impl Row for CellRow<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.cells.get(self.record, slot)
    }

    fn number(&self, slot: usize) -> Option<Decimal> {
        self.numbers.get(slot, || Decimal::parse(self.get(slot)?.trim_ascii()).ok())
    }
}

/// The numbers of one record, each read once however many rules ask for it.
#[derive(Default)]
pub(super) struct Numbers {
    record: u64,
    by_slot: Vec<Cell<(u64, Option<Decimal>)>>,
}

impl Numbers {
    /// Forgets those of the record before.
    pub(super) fn begin(&mut self, slots: usize) {
        self.record += 1;
        self.by_slot.resize(slots.max(self.by_slot.len()), Cell::default());
    }

    fn get(&self, slot: usize, read: impl FnOnce() -> Option<Decimal>) -> Option<Decimal> {
        let (record, number) = self.by_slot[slot].get();
        if record == self.record {
            return number;
        }
        let number = read();
        self.by_slot[slot].set((self.record, number));
        number
    }
}
