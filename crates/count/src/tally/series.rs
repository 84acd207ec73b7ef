//! Amounts by the bytes of their series' keys.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use logtally_core::limits::TALLY_KEPT_BYTES_MAX;
use logtally_core::series::{Amount, Value};

/// Bytes of an increment beside its key and its value.
const OVERHEAD_BYTES: usize = 6;

/// Bytes that a value may take beside the number of records.
const VALUE_BYTES: usize = 40;

/// Amounts by key. Keys are remembered when the amounts are cleared: what comes next mostly has the
/// same series.
#[derive(Default)]
pub(super) struct SeriesTable {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    rows: Vec<SeriesRow>,
    /// Rows that were added to since the table was cleared, in the order of that.
    touched: Vec<u32>,
    /// By row; apart, because most rows have none, and small rows stay in the cache.
    values: Vec<Value>,
    keys: Vec<u8>,
    /// About how many bytes the packed increments will have.
    packed_len: usize,
}

/// About how many bytes the packed increment of a series has, whose key has `key_len` bytes.
pub(super) fn increment_bytes(key_len: usize, value: Value) -> usize {
    let plain = value == Value::None;
    key_len + OVERHEAD_BYTES + if plain { 0 } else { VALUE_BYTES }
}

struct SeriesRow {
    from: u32,
    to: u32,
    /// 0 if it was not added to since the table was cleared: only its key is known.
    count: u64,
}

impl SeriesTable {
    /// The row of a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |row| key_of(&self.keys, &self.rows[*row as usize]) == key).copied()
    }

    /// Adds to the row of a key, which is `known` unless it has none (two hits of one record may
    /// have the same new key).
    pub(super) fn add(&mut self, key: &[u8], known: Option<u32>, amount: Amount) {
        let Some(row) = known.or_else(|| self.find(key)) else { return self.insert(key, amount) };
        if self.rows[row as usize].count == 0 {
            return self.touch(row, amount);
        }
        self.rows[row as usize].count += amount.count;
        if amount.value != Value::None {
            let value = &mut self.values[row as usize];
            // A span has fewer than 2^25 records, so its sums are far within range.
            *value = value.merge(amount.value).expect("the values of one span and series add up");
        }
    }

    /// The first amount of a row.
    fn touch(&mut self, row: u32, amount: Amount) {
        let SeriesRow { from, to, count } = &mut self.rows[row as usize];
        *count = amount.count;
        self.packed_len += increment_bytes((*to - *from) as usize, amount.value);
        self.values[row as usize] = amount.value;
        self.touched.push(row);
    }

    fn insert(&mut self, key: &[u8], amount: Amount) {
        let row = self.rows.len() as u32;
        let from = self.keys.len() as u32;
        self.keys.extend_from_slice(key);
        self.rows.push(SeriesRow { from, to: self.keys.len() as u32, count: 0 });
        self.values.push(Value::None);
        let Self { hasher, index, rows, keys, .. } = self;
        let rehash = |row: &u32| hasher.hash_one(key_of(keys, &rows[*row as usize]));
        index.insert_unique(hasher.hash_one(key), row, rehash);
        self.touch(row, amount);
    }

    /// About how many bytes the packed increments will have.
    pub(super) fn packed_len(&self) -> usize {
        self.packed_len
    }

    /// Bytes of the keys that are remembered.
    #[cfg(test)]
    pub(super) fn key_bytes(&self) -> usize {
        self.keys.len()
    }

    /// The amounts, in the order in which their keys were first added to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Amount)> {
        self.touched.iter().map(|row| {
            let (row, value) = (&self.rows[*row as usize], self.values[*row as usize]);
            (key_of(&self.keys, row), Amount { count: row.count, value })
        })
    }

    /// Sets all amounts to nothing, and forgets the keys if they are too many.
    pub(super) fn clear(&mut self) {
        if self.keys.len() > TALLY_KEPT_BYTES_MAX {
            self.index.clear();
            self.rows.clear();
            self.values.clear();
            self.keys.clear();
        }
        for row in self.touched.drain(..) {
            if let Some(row) = self.rows.get_mut(row as usize) {
                row.count = 0;
            }
        }
        self.packed_len = 0;
    }
}

fn key_of<'a>(keys: &'a [u8], row: &SeriesRow) -> &'a [u8] {
    &keys[row.from as usize..row.to as usize]
}
