//! The records of the rows of one partition, by slot.
//!
//! What a load brings lies close together, because slots are numbered in its order: most of it is a
//! run of numbers without keys. What comes later is in a table beside it.

use hashbrown::HashMap;

use super::ids::SeriesSlot;

/// Rows; none of them has 0 records.
pub(super) struct Rows {
    first: usize,
    /// By slot from the first on, 0 for none.
    run: Vec<u64>,
    others: HashMap<SeriesSlot, u64>,
}

impl Rows {
    /// Slots per row of a run: beyond that a table takes less memory.
    const SLOTS_PER_ROW_MAX: usize = 4;

    /// These rows, each of another slot.
    pub(super) fn new(rows: &[(SeriesSlot, u64)]) -> Self {
        let slots = || rows.iter().map(|(slot, _)| slot.index());
        let (first, end) = (slots().min().unwrap_or(0), slots().max().map_or(0, |last| last + 1));
        if end - first > rows.len() * Self::SLOTS_PER_ROW_MAX {
            return Self { first: 0, run: Vec::new(), others: rows.iter().copied().collect() };
        }
        let mut run = vec![0; end - first];
        for (slot, records) in rows {
            run[slot.index() - first] = *records;
        }
        Self { first, run, others: HashMap::new() }
    }

    /// Adds records to a row. Whether the row is new.
    pub(super) fn add(&mut self, slot: SeriesSlot, records: u64) -> bool {
        let in_run = slot.index().checked_sub(self.first).and_then(|at| self.run.get_mut(at));
        let row = match in_run {
            Some(row) => row,
            None => self.others.entry(slot).or_default(),
        };
        *row += records;
        *row == records
    }

    /// Takes a row away. How many records it had, if it was there.
    pub(super) fn remove(&mut self, slot: SeriesSlot) -> Option<u64> {
        match slot.index().checked_sub(self.first).and_then(|at| self.run.get_mut(at)) {
            Some(row) => Some(std::mem::take(row)).filter(|records| *records > 0),
            None => self.others.remove(&slot),
        }
    }

    /// All rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SeriesSlot, u64)> {
        let run = SeriesSlot::all_from(self.first).zip(self.run.iter().copied());
        let others = self.others.iter().map(|(slot, records)| (*slot, *records));
        run.filter(|(_, records)| *records > 0).chain(others)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn slot(at: usize) -> SeriesSlot {
        SeriesSlot::all_from(at).next().expect("a slot")
    }

    proptest! {
        #[test]
        fn rows_are_a_table(
            loaded in prop::collection::btree_map(0..40_usize, 1..9_u64, 0..20),
            spread in prop_oneof![Just(1_usize), Just(1_000)],
            steps in prop::collection::vec((0..50_usize, 0..5_u64), 0..40),
        ) {
            let loaded: Vec<_> =
                loaded.into_iter().map(|(at, n)| (slot(7 + at * spread), n)).collect();
            let mut rows = Rows::new(&loaded);
            let mut expected: BTreeMap<SeriesSlot, u64> = loaded.into_iter().collect();
            for (at, records) in steps {
                let slot = slot(at * spread);
                if records == 0 {
                    prop_assert_eq!(rows.remove(slot), expected.remove(&slot));
                } else {
                    prop_assert_eq!(rows.add(slot, records), !expected.contains_key(&slot));
                    *expected.entry(slot).or_default() += records;
                }
                prop_assert_eq!(rows.iter().collect::<BTreeMap<_, _>>(), expected.clone());
            }
        }
    }
}
