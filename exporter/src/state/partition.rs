//! What one partition holds: its part of every total, which is taken away again when the partition
//! is loaded anew.

use hashbrown::HashMap;
use logtally_core::journal::Mark;
use logtally_core::series::Value;
use logtally_store::Count;

use super::ids::SeriesSlot;
use super::rows::Rows;

/// A partition at one place of its journal.
pub(super) struct PartitionState {
    /// The place.
    pub(super) at: Mark,
    /// The time of the entry at that place.
    pub(super) time_ms: u64,
    counts: Rows,
    /// Apart from the counts, as everything below, because most series have nothing of it.
    created_ms: HashMap<SeriesSlot, u64>,
    values: HashMap<SeriesSlot, Value>,
    touched_ms: HashMap<SeriesSlot, u64>,
}

impl PartitionState {
    /// A partition with these rows, as yet without what they have beside their records.
    pub(super) fn new(at: Mark, time_ms: u64, rows: &[(SeriesSlot, u64)]) -> Self {
        Self {
            at,
            time_ms,
            counts: Rows::new(rows),
            created_ms: HashMap::new(),
            values: HashMap::new(),
            touched_ms: HashMap::new(),
        }
    }

    /// Takes in what a row has beside its records.
    pub(super) fn insert_more(&mut self, slot: SeriesSlot, count: Count) {
        if count.created_ms > 0 {
            self.created_ms.insert(slot, count.created_ms);
        }
        if count.touched_ms > 0 {
            self.touched_ms.insert(slot, count.touched_ms);
        }
        if count.amount.value != Value::None {
            self.values.insert(slot, count.amount.value);
        }
    }

    /// Adds records to a row. Whether the row is new.
    pub(super) fn add(&mut self, slot: SeriesSlot, records: u64) -> bool {
        self.counts.add(slot, records)
    }

    /// Merges a value into a row.
    pub(super) fn add_value(&mut self, slot: SeriesSlot, value: Value) {
        merge(&mut self.values, slot, value);
    }

    /// Sets when a row was created.
    pub(super) fn set_created(&mut self, slot: SeriesSlot, created_ms: u64) {
        self.created_ms.insert(slot, created_ms);
    }

    /// Sets when a row was incremented last.
    pub(super) fn set_touched(&mut self, slot: SeriesSlot, touched_ms: u64) {
        self.touched_ms.insert(slot, touched_ms);
    }

    /// Takes a row away. How many records it had, if it was there.
    pub(super) fn remove(&mut self, slot: SeriesSlot) -> Option<u64> {
        self.created_ms.remove(&slot);
        self.values.remove(&slot);
        self.touched_ms.remove(&slot);
        self.counts.remove(slot)
    }

    /// All rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (SeriesSlot, u64)> {
        self.counts.iter()
    }

    /// The slots of rows that have more than records. A slot may occur several times.
    pub(super) fn with_more(&self) -> impl Iterator<Item = SeriesSlot> {
        let (created, touched) = (self.created_ms.keys(), self.touched_ms.keys());
        created.chain(touched).chain(self.values.keys()).copied()
    }

    /// When a row was created, for kinds that have it.
    pub(super) fn created_ms(&self, slot: SeriesSlot) -> Option<u64> {
        self.created_ms.get(&slot).copied()
    }

    /// When a row was incremented last, for families with a time-to-live.
    pub(super) fn touched_ms(&self, slot: SeriesSlot) -> Option<u64> {
        self.touched_ms.get(&slot).copied()
    }

    /// The value of a row, for kinds that have one.
    pub(super) fn value(&self, slot: SeriesSlot) -> Option<Value> {
        self.values.get(&slot).copied()
    }
}

/// Merges a value into a table of values.
pub(super) fn merge(values: &mut HashMap<SeriesSlot, Value>, slot: SeriesSlot, value: Value) {
    values.entry(slot).and_modify(|known| *known = known.merge_sticky(value)).or_insert(value);
}
