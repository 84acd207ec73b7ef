//! Counts by raw key: by the text of a record's wanted cells as it stands in the file, between its
//! delimiters and with its quotes. One raw key always stands for one set of series, so that a record
//! whose raw key was met before needs no taking apart; a series may have more than one raw key.
//!
//! Knows nothing of series, and must not be given a raw key whose record cannot be counted.

#![expect(clippy::inline_always, reason = "a call costs a fifth of what is done there")]

use std::hash::{BuildHasher, RandomState};

use logtally_core::limits::RAW_KEY_BYTES_MAX;

/// Slots of an empty table; a power of two.
const SLOTS_MIN: usize = 1 << 10;

/// Most slots of a table that fits the second-level cache, with the raw keys that belong to it.
const SLOTS_SMALL: usize = 1 << 15;

/// Bytes of a word.
pub(super) const WORD: usize = 8;

/// Words that are compared at once; most raw keys have no more.
const SHORT: usize = 4;

/// Bytes that a text must have from the beginning of a raw key on.
pub(super) const ROOM: usize = SHORT * WORD;

/// The bits of the first words that belong to a raw key, by its length up to that of the short ones.
static BITS: [[u64; SHORT]; ROOM + 1] = {
    let mut bits = [[0; SHORT]; ROOM + 1];
    let mut len = 0;
    while len < bits.len() {
        let mut byte = 0;
        while byte < len {
            bits[len][byte / WORD] |= 0xff << (byte % WORD * 8);
            byte += 1;
        }
        len += 1;
    }
    bits
};

/// A raw key that is being looked up: `len` bytes of a text from `from` on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lookup {
    from: usize,
    len: usize,
    /// Its first words, filled up with zeros.
    words: [u64; SHORT],
    tag: u32,
    /// Where it should be.
    slot: u64,
}

impl Lookup {
    /// Its bytes.
    pub(crate) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.from..self.from + self.len]
    }

    /// Its words behind the first ones, the last one filled up with zeros.
    fn more(&self, text: &[u8]) -> impl Iterator<Item = u64> {
        let from = (self.from + ROOM).min(self.from + self.len);
        let rest = &text[from..self.from + self.len];
        rest.chunks(WORD).map(|bytes| {
            let mut filled = [0; WORD];
            filled[..bytes.len()].copy_from_slice(bytes);
            word(filled)
        })
    }

    /// A function of its own, so that what most raw keys do not need takes no registers from the rest.
    #[inline(never)]
    fn hash_more(&self, text: &[u8], hash: u64, seed: u64) -> u64 {
        self.more(text).fold(hash, |hash, word| fold(hash ^ word, seed))
    }

    /// Whether these are its words behind the first ones.
    #[inline(never)]
    fn is_more(&self, text: &[u8], known: &[u64]) -> bool {
        self.more(text).zip(known).all(|(a, b)| a == *b)
    }

    fn is_short(&self) -> bool {
        self.len <= ROOM
    }
}

/// Counts by raw key. Those of earlier spans are remembered with a count of 0.
///
/// Each raw key is a run of words in `arena`: a head (length, bytes of series keys, count), then the text, filled up
/// with zeros, at least to the words that are compared at once. `slots` is a table with linear probing,
/// at most half full, of a tag and a place in `arena` plus one; a slot's index is made of the highest
/// bits of the tag, so that the table grows without looking at the texts. Hashes have a random seed:
/// what is in a log may be chosen by an attacker.
pub(super) struct RawKeys {
    seeds: [u64; 5],
    slots: Vec<u64>,
    shift: u32,
    arena: Vec<u64>,
    len: usize,
    /// Places of those that were counted since the table was cleared, in the order of that.
    touched: Vec<u32>,
    /// Bytes of the series keys that they count.
    bytes: usize,
}

/// How many bytes of series keys a raw key counts, in units of eight, rounded up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyBytes(u16);

impl KeyBytes {
    const UNIT: usize = 8;

    /// Of so many bytes; 0 for a raw key that no rule matches. More than half a megabyte is as much.
    pub(crate) fn of(bytes: usize) -> Self {
        Self(u16::try_from(bytes.div_ceil(Self::UNIT)).unwrap_or(u16::MAX))
    }

    fn bytes(self) -> usize {
        usize::from(self.0) * Self::UNIT
    }

    /// Whether a rule matches it.
    pub(crate) fn is_counted(self) -> bool {
        self.0 > 0
    }
}

impl Default for RawKeys {
    fn default() -> Self {
        let random = RandomState::new();
        Self {
            seeds: [1, 2, 3, 4, 5].map(|n: u64| random.hash_one(n)),
            slots: vec![0; SLOTS_MIN],
            shift: u32::BITS - SLOTS_MIN.ilog2(),
            arena: Vec::new(),
            len: 0,
            touched: Vec::new(),
            bytes: 0,
        }
    }
}

/// Raw keys that are looked up together: their loads from memory overlap.
pub(super) const BATCH: usize = 32;

impl RawKeys {
    /// Begins to look up the raw key at `from..to`: nothing waits for memory yet. Not if it is empty,
    /// the text ends too soon behind it to be read in words, or it is too long to be remembered.
    ///
    /// Everything is written where it stays: a copy would wait for the writes before it.
    #[inline(always)]
    #[must_use]
    pub(crate) fn prepare(&self, text: &[u8], from: usize, to: usize, lookup: &mut Lookup) -> bool {
        let len = to - from;
        let first = text.get(from..).and_then(<[u8]>::first_chunk::<ROOM>);
        let (Some(first), true) = (first, len > 0 && len <= RAW_KEY_BYTES_MAX) else {
            return false;
        };
        let (first, _) = first.as_chunks::<WORD>();
        let (bits, seeds) = (&BITS[len.min(ROOM)], &self.seeds);
        let (a, b) = (word(first[0]) & bits[0], word(first[1]) & bits[1]);
        let (c, d) = (word(first[2]) & bits[2], word(first[3]) & bits[3]);
        (lookup.from, lookup.len, lookup.words) = (from, len, [a, b, c, d]);
        let mut hash =
            fold(a ^ seeds[0], b ^ seeds[1]) ^ fold(c ^ seeds[2], d ^ seeds[3] ^ len as u64);
        if len > ROOM {
            hash = lookup.hash_more(text, hash, seeds[4]);
        }
        lookup.tag = (hash >> u32::BITS) as u32;
        lookup.slot = self.likely_slot(lookup.tag);
        true
    }

    /// Asks for the memory of these, unless it is near anyway.
    #[inline]
    pub(crate) fn prefetch(&self, lookups: &[Lookup]) {
        if self.slots.len() > SLOTS_SMALL {
            let heads = lookups.iter().map(|lookup| self.arena.get(place(lookup.slot)).copied());
            std::hint::black_box(heads.fold(0, |all, head| all | head.unwrap_or_default()));
        }
    }

    /// Counts these, up to the first one that is not known. Returns how many.
    #[inline]
    pub(crate) fn count_known(&mut self, text: &[u8], lookups: &[Lookup]) -> usize {
        for (index, lookup) in lookups.iter().enumerate() {
            if self.is(lookup.slot, text, lookup) {
                self.add(place(lookup.slot), 1);
            } else if let Some(place) = self.find(text, lookup) {
                self.add(place, 1);
            } else {
                return index;
            }
        }
        lookups.len()
    }

    /// Counts one that is not known, and knows it from now on.
    pub(crate) fn insert(&mut self, text: &[u8], lookup: &Lookup, key_bytes: KeyBytes, count: u32) {
        if 2 * (self.len + 1) > self.slots.len() {
            self.grow();
        }
        let place = self.arena.len();
        self.arena.push((lookup.len as u64) << LEN_SHIFT | u64::from(key_bytes.0) << u32::BITS);
        self.arena.extend(lookup.words);
        self.arena.extend(lookup.more(text));
        let slot = u64::from(lookup.tag) << u32::BITS | (place as u64 + 1);
        put(&mut self.slots, self.shift, slot);
        self.len += 1;
        self.add(place, count);
    }

    /// Adds what another table has counted.
    pub(crate) fn absorb(&mut self, other: &Self) {
        other.each(|text, len, key_bytes, count| {
            let mut lookup = Lookup::default();
            assert!(
                self.prepare(text, 0, len, &mut lookup),
                "what was looked up once can be looked up again"
            );
            match self.find(text, &lookup) {
                Some(place) => self.add(place, count),
                None => self.insert(text, &lookup, key_bytes, count),
            }
        });
    }

    /// The raw keys that were counted, and how often: each with its length, in a text with some room
    /// behind it.
    pub(crate) fn each(&self, mut visit: impl FnMut(&[u8], usize, KeyBytes, u32)) {
        let mut text = Vec::new();
        for place in &self.touched {
            let place = *place as usize;
            let (len, key_bytes, count) = parts(self.arena[place]);
            let words = &self.arena[place + 1..][..len.div_ceil(WORD)];
            text.clear();
            text.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            text.resize(len.next_multiple_of(WORD) + ROOM, 0);
            visit(&text, len, key_bytes, count);
        }
    }

    /// How many were counted.
    pub(crate) fn touched(&self) -> usize {
        self.touched.len()
    }

    /// Bytes of the series keys that they count.
    pub(crate) fn series_key_bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that the texts take.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.arena.len() * WORD
    }

    /// Sets all counts to 0.
    pub(crate) fn clear(&mut self) {
        for place in self.touched.drain(..) {
            if let Some(head) = self.arena.get_mut(place as usize) {
                *head &= !u64::from(u32::MAX);
            }
        }
        self.bytes = 0;
    }

    /// Forgets all raw keys, and gives back most of the memory.
    pub(crate) fn forget(&mut self, kept_max: usize) {
        self.arena.clear();
        self.arena.shrink_to(kept_max / WORD);
        self.slots.clear();
        self.slots.shrink_to(kept_max / WORD);
        self.slots.resize(SLOTS_MIN, 0);
        self.shift = u32::BITS - SLOTS_MIN.ilog2();
        self.len = 0;
    }

    fn home(&self, tag: u32) -> usize {
        (tag >> self.shift) as usize
    }

    /// The slot where a tag should be, or the next one if another tag is there: nearly all are in one
    /// of the two, and no branch decides which, so that none is guessed wrong.
    #[inline(always)]
    fn likely_slot(&self, tag: u32) -> u64 {
        let home = self.home(tag);
        let next = (home + 1) & (self.slots.len() - 1);
        let (first, second) = (self.slots[home], self.slots[next]);
        let is_first = (first >> u32::BITS) as u32 == tag;
        std::hint::select_unpredictable(is_first, first, second)
    }

    #[inline(never)]
    fn find(&self, text: &[u8], lookup: &Lookup) -> Option<usize> {
        let mut at = self.home(lookup.tag);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            if self.is(slot, text, lookup) {
                return Some(place(slot));
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Whether the raw key of a slot is this one.
    #[inline(always)]
    fn is(&self, slot: u64, text: &[u8], lookup: &Lookup) -> bool {
        if (slot >> u32::BITS) as u32 != lookup.tag {
            return false;
        }
        let known = self.arena.get(place(slot)..);
        let Some((known, more)) = known.and_then(<[u64]>::split_first_chunk::<{ SHORT + 1 }>)
        else {
            return false;
        };
        let mut differs = (parts(known[0]).0 ^ lookup.len) as u64;
        for (a, b) in lookup.words.iter().zip(&known[1..]) {
            differs |= a ^ b;
        }
        differs == 0 && (lookup.is_short() || lookup.is_more(text, more))
    }

    #[inline(always)]
    fn add(&mut self, place: usize, count: u32) {
        let head = &mut self.arena[place];
        let (_, key_bytes, before) = parts(*head);
        // A span has fewer than 2^29 records.
        *head += u64::from(count);
        if before == 0 {
            self.touched.push(place as u32);
            self.bytes += key_bytes.bytes();
        }
    }

    fn grow(&mut self) {
        let mut slots = vec![0; 2 * self.slots.len()];
        self.shift -= 1;
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            put(&mut slots, self.shift, *slot);
        }
        self.slots = slots;
    }
}

/// Puts a slot into a table that has room.
fn put(slots: &mut [u64], shift: u32, slot: u64) {
    let mut at = ((slot >> u32::BITS) as u32 >> shift) as usize;
    while slots[at] != 0 {
        at = (at + 1) & (slots.len() - 1);
    }
    slots[at] = slot;
}

/// The place in the arena that a slot tells of; beyond any if it is empty.
#[inline]
fn place(slot: u64) -> usize {
    (slot as u32).wrapping_sub(1) as usize
}

/// Where the length is in a head: behind the bytes of the series keys and the count.
const LEN_SHIFT: u32 = u32::BITS + u16::BITS;

/// Length, bytes of the series keys, and count.
#[inline]
fn parts(head: u64) -> (usize, KeyBytes, u32) {
    ((head >> LEN_SHIFT) as usize, KeyBytes((head >> u32::BITS) as u16), head as u32)
}

#[inline]
fn word(bytes: [u8; WORD]) -> u64 {
    u64::from_le_bytes(bytes)
}

/// Mixes two words: the two halves of their product.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> u64::BITS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a raw key is taken for another one that has the same tag.
    fn is_taken_for(one: &str, other: &str) -> bool {
        let mut keys = RawKeys::default();
        let text = |raw_key: &str| [raw_key.as_bytes(), &[b'x'; ROOM]].concat();
        let (one, text_of_one) = (one.len(), text(one));
        let (other, text_of_other) = (other.len(), text(other));
        let [mut first, mut second] = [Lookup::default(); 2];
        assert!(keys.prepare(&text_of_one, 0, one, &mut first));
        keys.insert(&text_of_one, &first, KeyBytes::of(1), 1);
        assert!(keys.prepare(&text_of_other, 0, other, &mut second));
        second.tag = first.tag;
        second.slot = keys.likely_slot(first.tag);
        keys.count_known(&text_of_other, &[second]) == 1
    }

    #[test]
    fn a_tag_alone_is_never_believed() {
        let long = "a".repeat(70);
        for raw_key in ["a,b", "eight,by", "thirty-two-bytes-are-all-short,,", &long] {
            assert!(is_taken_for(raw_key, raw_key));
            for at in 0..raw_key.len() {
                let mut other = raw_key.as_bytes().to_vec();
                other[at] = b'#';
                let other = String::from_utf8(other).expect("text");
                assert!(!is_taken_for(raw_key, &other), "{other}");
            }
            assert!(!is_taken_for(raw_key, &format!("{raw_key}\0")));
        }
    }
}
