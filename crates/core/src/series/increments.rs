//! Increments: how they are packed for the wire and the journal.

use std::fmt;
use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::amount::{Amount, Value};
use super::error::InvalidSeries;
use super::family::FAMILY_ID_BYTES;
use super::key::{check_key, check_values};
use super::packed::{next_value, next_varint, put_value, put_varint};
use crate::limits::POSITION_MAX;

/// First byte of a packed block: the version of its layout.
const BLOCK_VERSION: u8 = 1;

/// Bytes of an increment beside its key, if it has no value and is not large.
const OVERHEAD_BYTES: usize = 4;

/// Bytes of a usual increment; only a guess.
const USUAL_BYTES: usize = 32;

/// A checked, packed block of increments: `version (key length, key, count, value)…`, lengths and
/// counts as variable-length integers, the value as the kind of the key's family wants it. One key may
/// occur more than once; its increments are merged. A count of 0 forgets the series.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Increments(Bytes);

impl Increments {
    /// Packs increments. Those without records are left out.
    ///
    /// # Panics
    /// If a value does not fit to the kind of its key.
    pub fn pack<'a, A: Into<Amount>>(pairs: impl IntoIterator<Item = (&'a [u8], A)>) -> Self {
        Self::pack_about(0, pairs)
    }

    /// The same for increments that will take about so many bytes.
    ///
    /// # Panics
    /// If a value does not fit to the kind of its key.
    pub fn pack_about<'a, A: Into<Amount>>(
        bytes: usize,
        pairs: impl IntoIterator<Item = (&'a [u8], A)>,
    ) -> Self {
        let mut packer = Packer::of_about(bytes);
        for (key, amount) in pairs {
            packer.push(key, amount.into());
        }
        packer.finish()
    }

    /// A block that forgets series.
    pub fn forget<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut out = vec![BLOCK_VERSION];
        for key in keys {
            put_varint(&mut out, key.len() as u64);
            out.extend_from_slice(key);
            put_varint(&mut out, 0);
        }
        Self(out.into())
    }

    /// Checks a block that comes from outside, which forgets nothing. Linear in its length.
    pub fn parse(block: Bytes) -> Result<Self, InvalidSeries> {
        Self::check(block, false)
    }

    /// Checks a block of a journal, which may forget series. Linear in its length.
    pub fn parse_stored(block: Bytes) -> Result<Self, InvalidSeries> {
        Self::check(block, true)
    }

    fn check(block: Bytes, may_forget: bool) -> Result<Self, InvalidSeries> {
        if block.is_empty() {
            return Ok(Self(block));
        }
        if block[0] != BLOCK_VERSION {
            return Err(InvalidSeries::Cut(0));
        }
        // Increments of one family often follow each other.
        let mut family: &[u8] = &[];
        let mut at = 1;
        while at < block.len() {
            let start = at;
            let (key, amount) = next_pair(&block, &mut at).ok_or(InvalidSeries::Cut(start))?;
            if key.get(..FAMILY_ID_BYTES) == Some(family) {
                check_values(&key[FAMILY_ID_BYTES..])?;
            } else {
                check_key(key)?;
                family = &key[..FAMILY_ID_BYTES];
            }
            if amount.count > POSITION_MAX || (amount.count == 0 && !may_forget) {
                return Err(InvalidSeries::Range(start));
            }
        }
        Ok(Self(block))
    }

    /// The packed block.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Encoded size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is incremented.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    /// The increments in order. A count of 0 forgets the series.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Amount)> {
        let mut at = 1;
        std::iter::from_fn(move || next_pair(&self.0, &mut at))
    }

    /// The places of the increments in order, for [`Increments::at`], and their keys.
    pub fn places(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut at = 1;
        std::iter::from_fn(move || {
            let place = at;
            next_pair(&self.0, &mut at).map(|(key, _)| (place, key))
        })
    }

    /// The increment at a place.
    ///
    /// # Panics
    /// If that is none of the places of this block.
    #[inline]
    pub fn at(&self, place: usize) -> (&[u8], Amount) {
        next_pair(&self.0, &mut { place }).expect("a place of this block")
    }

    /// Merges several blocks that forget nothing: every key once, in the order of first occurrence.
    /// A key whose amounts cannot be merged (out of range) keeps all of them.
    pub fn merge<'a>(blocks: impl IntoIterator<Item = &'a Self>) -> Self {
        let blocks: Vec<&Self> = blocks.into_iter().collect();
        match *blocks {
            [] => return Self::default(),
            [only] => return only.clone(),
            _ => {}
        }
        let mut sums = Sums::of_about(blocks.iter().map(|block| block.len()).sum());
        for (key, amount) in blocks.into_iter().flat_map(Self::iter) {
            debug_assert!(amount.count > 0, "what forgets is never merged");
            sums.add(key, amount);
        }
        Self::pack_about(sums.bytes, sums.iter())
    }
}

/// Packs increments one after the other.
#[derive(Debug)]
pub struct Packer(Vec<u8>);

impl Packer {
    /// For increments that will take about so many bytes.
    pub fn of_about(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.push(BLOCK_VERSION);
        Self(out)
    }

    /// Adds one, unless it is without records.
    ///
    /// # Panics
    /// If the value does not fit to the kind of the key.
    #[inline]
    pub fn push(&mut self, key: &[u8], amount: Amount) {
        if amount.count > 0 {
            put_varint(&mut self.0, key.len() as u64);
            self.0.extend_from_slice(key);
            put_varint(&mut self.0, amount.count);
            put_value(&mut self.0, key, amount.value);
        }
    }

    /// The increments.
    pub fn finish(self) -> Increments {
        Increments(self.0.into())
    }
}

/// Amounts by key, in the order of first occurrence.
#[derive(Default)]
struct Sums<'a> {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    rows: Vec<(&'a [u8], u64)>,
    /// By row, up to the last one that has any; apart, because most rows have none.
    values: Vec<Value>,
    /// About how much all of it takes.
    bytes: usize,
}

impl<'a> Sums<'a> {
    /// With room for the increments of so many bytes, if they are usual ones.
    fn of_about(bytes: usize) -> Self {
        let rows = bytes / USUAL_BYTES;
        Self {
            index: HashTable::with_capacity(rows),
            rows: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    fn add(&mut self, key: &'a [u8], amount: Amount) {
        let hash = self.hasher.hash_one(key);
        let rows = &self.rows;
        if let Some(row) = self.index.find(hash, |row| rows[*row as usize].0 == key) {
            let row = *row as usize;
            match self.amount(row).merge(amount) {
                Ok(merged) => self.set(row, merged),
                Err(_) => self.push(key, amount),
            }
            return;
        }
        let row = self.rows.len() as u32;
        self.push(key, amount);
        let Self { hasher, index, rows, .. } = self;
        index.insert_unique(hash, row, |row| hasher.hash_one(rows[*row as usize].0));
    }

    fn push(&mut self, key: &'a [u8], amount: Amount) {
        self.rows.push((key, 0));
        self.set(self.rows.len() - 1, amount);
        self.bytes += key.len() + OVERHEAD_BYTES;
    }

    fn set(&mut self, row: usize, amount: Amount) {
        self.rows[row].1 = amount.count;
        if amount.value != Value::None {
            self.values.resize(self.values.len().max(row + 1), Value::None);
            self.values[row] = amount.value;
        }
    }

    fn amount(&self, row: usize) -> Amount {
        let value = self.values.get(row).copied().unwrap_or_default();
        Amount { count: self.rows[row].1, value }
    }

    fn iter(&self) -> impl Iterator<Item = (&'a [u8], Amount)> {
        self.rows.iter().enumerate().map(|(row, (key, _))| (*key, self.amount(row)))
    }
}

impl fmt::Debug for Increments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &[u8]| String::from_utf8_lossy(key).replace('\0', "|");
        f.debug_map().entries(self.iter().map(|(key, amount)| (text(key), amount))).finish()
    }
}

#[inline]
fn next_pair<'a>(block: &'a [u8], at: &mut usize) -> Option<(&'a [u8], Amount)> {
    let len = usize::try_from(next_varint(block, at)?).ok()?;
    let key = block.get(*at..at.checked_add(len)?)?;
    *at += len;
    let count = next_varint(block, at)?;
    let value = if count > 0 { next_value(block, at, key)? } else { Value::None };
    Some((key, Amount { count, value }))
}
