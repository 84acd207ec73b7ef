//! One compressed part of a text, in which values can be replaced.

use std::sync::Arc;

use flate2::Crc;

use crate::crc::difference;
use crate::deflate::{deflate, put_code};
use crate::shared::put_in_place;

/// A compressed part of a text: a deflate stream that ends at a full byte, so that blocks can stand one
/// behind the other.
#[derive(Default)]
pub struct PatchableBlock {
    bytes: Arc<Vec<u8>>,
    /// At which bit each value begins.
    values: Vec<u32>,
    /// Checksum and length of the text.
    sum: u32,
    len: usize,
}

impl PatchableBlock {
    /// Stands for the place of a value that is not in the text.
    pub const ABSENT: u32 = u32::MAX;

    /// Compresses a text. `values` are the places of its values, ascending, with
    /// [`PatchableBlock::ABSENT`] for those that are left out; each value is ASCII and ends before a
    /// line feed.
    pub fn new(text: &[u8], values: &[u32]) -> Self {
        let mut block = Self::default();
        block.set(text, values);
        block
    }

    /// Compresses another text instead, in the same memory if nobody else has the bytes.
    pub fn set(&mut self, text: &[u8], values: &[u32]) {
        let present = values.iter().filter(|at| **at != Self::ABSENT).map(|at| *at as usize);
        let stream = deflate(text, present);
        put_in_place(&mut self.bytes, &stream.bytes);
        let mut bits = stream.values.into_iter();
        self.values.clear();
        self.values.reserve_exact(values.len());
        for at in values {
            let bit = if *at == Self::ABSENT { None } else { bits.next() };
            self.values.push(bit.unwrap_or(0));
        }
        let mut crc = Crc::new();
        crc.update(text);
        (self.sum, self.len) = (crc.sum(), text.len());
    }

    /// Replaces a value that is in the text, and which so many bytes stand behind, by one of the same
    /// width. Bytes that somebody else has do not change: they are copied then.
    pub fn replace(&mut self, index: usize, before: &[u8], after: &[u8], behind: usize) {
        let bytes = Arc::make_mut(&mut self.bytes);
        let bit = self.values[index] as usize;
        for (i, byte) in after.iter().enumerate() {
            put_code(bytes, bit + 8 * i, *byte);
        }
        self.sum ^= difference(before, after, behind);
    }

    /// The compressed bytes.
    pub(crate) fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// The checksum of the text.
    pub(crate) fn sum(&self) -> u32 {
        self.sum
    }

    /// Bytes of the text.
    pub(crate) fn text_len(&self) -> usize {
        self.len
    }
}
