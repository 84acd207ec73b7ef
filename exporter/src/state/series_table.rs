//! The table of all series: one slot per series key, found without allocating.
//!
//! Keys lie back to back in one buffer, because a box per series would cost more than most keys do.
//! Slots are never given back: a series that is gone shows no value.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use logtally_core::series::{FAMILY_ID_BYTES, split_bucket};

use super::ids::{FamilyIx, SeriesSlot};

/// All series keys that were ever met.
#[derive(Default)]
pub(crate) struct SeriesTable {
    /// Seeded at random: label values come from logs, whose writers could otherwise make them
    /// collide.
    hasher: DefaultHashBuilder,
    index: HashTable<SeriesSlot>,
    /// Where the keys end; each begins where the one before ends.
    ends: Vec<usize>,
    families: Vec<FamilyIx>,
    keys: Vec<u8>,
}

impl SeriesTable {
    /// Number of slots.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for keys that are likely to be new.
    pub(super) fn reserve(&mut self, keys: usize, bytes: usize) {
        let Self { hasher, index, ends, keys: all, .. } = self;
        index.reserve(keys, |slot| hasher.hash_one(key_in(all, ends, *slot)));
        ends.reserve_exact(keys);
        self.families.reserve_exact(keys);
        self.keys.reserve_exact(bytes);
    }

    /// All slots.
    pub(crate) fn slots(&self) -> impl Iterator<Item = SeriesSlot> + use<> {
        (0..self.ends.len() as u32).map(SeriesSlot::new)
    }

    /// The hash of a key, to look it up and to add it with.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The slot of a key that was met before.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<SeriesSlot> {
        self.index.find(hash, |slot| self.key(*slot) == key).copied()
    }

    /// Gives a slot to a key that has none.
    ///
    /// # Panics
    /// At 2^32 - 1 series: their keys alone would need more memory than one process may want.
    pub(super) fn add(&mut self, hash: u64, key: &[u8], family: FamilyIx) -> SeriesSlot {
        let number = u32::try_from(self.ends.len()).ok().filter(|number| *number < u32::MAX);
        let slot = SeriesSlot::new(number.expect("fewer than 2^32 series"));
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        self.families.push(family);
        let Self { hasher, index, ends, keys, .. } = self;
        index.insert_unique(hash, slot, |slot| hasher.hash_one(key_in(keys, ends, *slot)));
        slot
    }

    /// The series key of a slot.
    pub(super) fn key(&self, slot: SeriesSlot) -> &[u8] {
        key_in(&self.keys, &self.ends, slot)
    }

    /// The label values of a slot as they stand in its key: ordered bytewise, this is the order of
    /// the values, because NUL is below every other byte.
    pub(crate) fn values(&self, slot: SeriesSlot) -> &[u8] {
        self.key(slot).get(FAMILY_ID_BYTES..).unwrap_or_default()
    }

    /// The same without the bound of a histogram's bucket. In the order of the values, the buckets of
    /// one label set stand together.
    pub(crate) fn values_without_bucket(&self, slot: SeriesSlot) -> &[u8] {
        split_bucket(self.key(slot)).0.get(FAMILY_ID_BYTES..).unwrap_or_default()
    }

    /// The bound of a histogram's bucket; nothing for other kinds.
    pub(crate) fn bucket(&self, slot: SeriesSlot) -> &[u8] {
        split_bucket(self.key(slot)).1.unwrap_or_default()
    }

    /// The family of a slot.
    pub(crate) fn family(&self, slot: SeriesSlot) -> FamilyIx {
        self.families[slot.index()]
    }

    /// Gives a slot to another family.
    pub(super) fn set_family(&mut self, slot: SeriesSlot, family: FamilyIx) {
        self.families[slot.index()] = family;
    }
}

fn key_in<'a>(keys: &'a [u8], ends: &[usize], slot: SeriesSlot) -> &'a [u8] {
    let at = slot.index();
    let begin = if at == 0 { 0 } else { ends[at - 1] };
    &keys[begin..ends[at]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again_after_growth() {
        let mut table = SeriesTable::default();
        let key = |n: u32| format!("gAAAAAA\0server{n}");
        for n in 0..1000 {
            let hash = table.hash(key(n).as_bytes());
            assert_eq!(table.find(hash, key(n).as_bytes()), None);
            table.add(hash, key(n).as_bytes(), FamilyIx::STRAY);
        }
        for n in (0..1000).rev() {
            let hash = table.hash(key(n).as_bytes());
            let slot = table.find(hash, key(n).as_bytes()).expect("added");
            assert_eq!(slot, SeriesSlot::new(n));
            assert_eq!(table.values(slot), format!("\0server{n}").as_bytes());
        }
    }
}
