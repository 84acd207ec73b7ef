//! The table of all series: one slot per series key, found without allocating.
//!
//! Keys and label texts lie back to back in two buffers, because a box per series would cost more
//! than most keys do. Slots are never given back: a series that is gone shows no value.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use logtally_core::series::FAMILY_ID_BYTES;

use super::families::FamilyIx;

/// The number of a series in this process. It says nothing outside: another replica numbers
/// differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Slot(u32);

impl Slot {
    /// The slot as an index into vectors with one item per series.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where the bytes of a series lie.
#[derive(Clone, Copy)]
struct Place {
    key_at: u64,
    text_at: u64,
    key_len: u32,
    text_len: u32,
}

/// All series keys that were ever met, with their label texts.
#[derive(Default)]
pub(super) struct Table {
    /// Seeded at random: label values come from logs, whose writers could otherwise make them
    /// collide.
    hasher: DefaultHashBuilder,
    index: HashTable<Slot>,
    places: Vec<Place>,
    families: Vec<FamilyIx>,
    keys: Vec<u8>,
    texts: Vec<u8>,
}

impl Table {
    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of all label texts together.
    pub(super) fn text_bytes(&self) -> usize {
        self.texts.len()
    }

    /// All slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.places.len() as u32).map(Slot)
    }

    /// The slot of a key that was met before.
    pub(super) fn find(&self, key: &[u8]) -> Option<Slot> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |slot| self.key(*slot) == key).copied()
    }

    /// Gives a slot to a key that has none, without a label text.
    ///
    /// # Panics
    /// At 2^32 series: their keys alone would need more memory than one process may want.
    pub(super) fn add(&mut self, key: &[u8], family: FamilyIx) -> Slot {
        let slot = Slot(u32::try_from(self.places.len()).expect("fewer than 2^32 series"));
        self.places.push(Place {
            key_at: self.keys.len() as u64,
            text_at: 0,
            key_len: u32::try_from(key.len()).expect("a key is shorter than 4 GiB"),
            text_len: 0,
        });
        self.families.push(family);
        self.keys.extend_from_slice(key);
        let Self { hasher, index, places, keys, .. } = self;
        let rehash = |slot: &Slot| hasher.hash_one(key_in(keys, places[slot.index()]));
        index.insert_unique(hasher.hash_one(key), slot, rehash);
        slot
    }

    /// The series key of a slot.
    pub(super) fn key(&self, slot: Slot) -> &[u8] {
        key_in(&self.keys, self.places[slot.index()])
    }

    /// The label values of a slot as they stand in its key: ordered bytewise, this is the order of
    /// the values, because NUL is below every other byte.
    pub(super) fn values(&self, slot: Slot) -> &[u8] {
        self.key(slot).get(FAMILY_ID_BYTES..).unwrap_or_default()
    }

    /// The family of a slot.
    pub(super) fn family(&self, slot: Slot) -> FamilyIx {
        self.families[slot.index()]
    }

    /// Gives a slot to another family.
    pub(super) fn set_family(&mut self, slot: Slot, family: FamilyIx) {
        self.families[slot.index()] = family;
    }

    /// The label text of a slot: `{name="value",…}`, or nothing for a series without labels.
    pub(super) fn text(&self, slot: Slot) -> &[u8] {
        let place = self.places[slot.index()];
        &self.texts[place.text_at as usize..][..place.text_len as usize]
    }

    /// Sets the label text of a slot: what `write` appends to the buffer that it is given.
    pub(super) fn set_text(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>, &[u8])) {
        let place = &mut self.places[slot.index()];
        let key = &self.keys[place.key_at as usize..][..place.key_len as usize];
        let start = self.texts.len();
        write(&mut self.texts, key);
        place.text_at = start as u64;
        place.text_len =
            u32::try_from(self.texts.len() - start).expect("a label text is shorter than 4 GiB");
    }
}

fn key_in(keys: &[u8], place: Place) -> &[u8] {
    &keys[place.key_at as usize..][..place.key_len as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again_after_growth() {
        let mut table = Table::default();
        let key = |n: u32| format!("gAAAAAA\0server{n}");
        for n in 0..1000 {
            assert_eq!(table.find(key(n).as_bytes()), None);
            table.add(key(n).as_bytes(), FamilyIx::STRAY);
        }
        for n in (0..1000).rev() {
            let slot = table.find(key(n).as_bytes()).expect("added");
            assert_eq!(slot, Slot(n));
            assert_eq!(table.values(slot), format!("\0server{n}").as_bytes());
        }
    }
}
