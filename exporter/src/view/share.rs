//! What one partition holds: its part of every total, which is taken away again when the partition
//! is loaded anew.

use hashbrown::HashMap;
use logtally_core::journal::Mark;

use super::table::Slot;

/// A partition at one place of its journal.
pub(super) struct Share {
    /// The place.
    pub(super) at: Mark,
    values: HashMap<Slot, u64>,
    /// Apart from the values, because most series are gauges and have none.
    created_ms: HashMap<Slot, u64>,
}

impl Share {
    /// A share without rows.
    pub(super) fn new(at: Mark, rows: usize) -> Self {
        Self { at, values: HashMap::with_capacity(rows), created_ms: HashMap::new() }
    }

    /// Adds a row that the share does not have; `created_ms` is 0 for gauges.
    pub(super) fn insert(&mut self, slot: Slot, value: u64, created_ms: u64) {
        self.values.insert(slot, value);
        if created_ms > 0 {
            self.created_ms.insert(slot, created_ms);
        }
    }

    /// Adds to a row. Whether the row is new.
    pub(super) fn add(&mut self, slot: Slot, value: u64) -> bool {
        let before = self.values.len();
        *self.values.entry(slot).or_default() += value;
        self.values.len() > before
    }

    /// Sets when a row was created.
    pub(super) fn set_created(&mut self, slot: Slot, created_ms: u64) {
        self.created_ms.insert(slot, created_ms);
    }

    /// All rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Slot, u64)> {
        self.values.iter().map(|(slot, value)| (*slot, *value))
    }

    /// The slots that have a time of creation.
    pub(super) fn counters(&self) -> impl Iterator<Item = Slot> {
        self.created_ms.keys().copied()
    }

    /// When a row was created, if it is the row of a counter.
    pub(super) fn created_ms(&self, slot: Slot) -> Option<u64> {
        self.created_ms.get(&slot).copied()
    }
}
