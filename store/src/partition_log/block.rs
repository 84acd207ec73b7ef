//! Blocks of counts: packed rows of the series whose hashes lie in a range, in the order of hash and key.
//!
//! The blocks of a partition follow each other without a gap. The first one begins at hash 0 and is
//! there as soon as anything was folded; the last one has no end. So every series has exactly one block
//! that it belongs to, and a block that is gone is noticed. Nothing here reads or writes a store.

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_core::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};
use logtally_core::series::FamilyId;

use crate::counts::next_row;
use crate::{Count, StoreError};

/// A block of counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Block {
    /// The lowest hash that belongs to it.
    pub lower: u64,
    /// Where the next block begins; `None` for the last one.
    pub upper: Option<u64>,
    /// The packed rows.
    pub rows: Bytes,
}

/// A row of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRow<'a> {
    /// The hash of the series.
    pub hash: u64,
    /// The series.
    pub series: &'a [u8],
    /// Its count.
    pub count: Count,
    /// The row as it is packed.
    pub packed: &'a [u8],
}

impl Block {
    /// Whether series of this hash belong to it.
    pub fn holds(&self, hash: u64) -> bool {
        hash >= self.lower && self.upper.is_none_or(|upper| hash < upper)
    }

    /// The rows in order. What nobody writes is refused: a row that is cut off, of no family, of another
    /// block, or out of order.
    pub fn iter(&self) -> impl Iterator<Item = Result<BlockRow<'_>, StoreError>> {
        let (mut at, mut before) = (0, None);
        std::iter::from_fn(move || {
            if at == self.rows.len() {
                return None;
            }
            let row = self.next(&mut at).filter(|row| {
                let place = (row.hash, row.series);
                before.replace(place).is_none_or(|before| before < place)
            });
            if row.is_none() {
                at = self.rows.len();
            }
            Some(row.ok_or_else(|| {
                StoreError::Damaged(format!(
                    "the block of counts at {:016x} is unreadable",
                    self.lower
                ))
            }))
        })
    }

    fn next(&self, at: &mut usize) -> Option<BlockRow<'_>> {
        let start = *at;
        let (series, count) = next_row(&self.rows, at)?;
        FamilyId::of_key(series)?;
        let hash = hash64(series);
        let packed = &self.rows[start..*at];
        self.holds(hash).then_some(BlockRow { hash, series, count, packed })
    }
}

/// Cuts rows that come in order into blocks.
pub(crate) struct Cutter {
    rows: Vec<u8>,
    lower: u64,
    /// The hash of the last row.
    last: Option<u64>,
    /// Where the rows can be cut so that the first part is a whole block, and the hash behind.
    cut: Option<(usize, u64)>,
    /// Blocks that are complete.
    done: Vec<Block>,
}

impl Cutter {
    /// For rows from the hash `lower` on.
    pub fn new(lower: u64) -> Self {
        let rows = Vec::with_capacity(BLOCK_BYTES_MAX);
        Self { rows, lower, last: None, cut: None, done: Vec::new() }
    }

    /// The next row, which `put` appends.
    pub fn push(&mut self, hash: u64, put: impl FnOnce(&mut Vec<u8>)) {
        let before = self.rows.len();
        put(&mut self.rows);
        // Series of one hash stay together: a block is found by the hash.
        let is_border = before > 0 && self.last != Some(hash);
        self.last = Some(hash);
        if is_border && self.cut.is_none() && self.rows.len() > BLOCK_BYTES {
            self.cut = Some((before, hash));
        }
        if self.rows.len() > BLOCK_BYTES_MAX {
            self.split();
        }
    }

    fn split(&mut self) {
        let Some((at, hash)) = self.cut.take() else { return };
        // A copy has no more memory than it needs, and the buffer is used again.
        let rows = Bytes::copy_from_slice(&self.rows[..at]);
        self.rows.drain(..at);
        self.done.push(Block { lower: self.lower, upper: Some(hash), rows });
        self.lower = hash;
    }

    /// Whether what is left is too small for a block of its own.
    pub fn is_small(&self) -> bool {
        self.rows.len() < BLOCK_BYTES_MIN
    }

    /// The blocks that are complete.
    pub fn take_done(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.done)
    }

    /// The blocks that are left, the last of which ends at `upper`.
    pub fn finish(mut self, upper: Option<u64>) -> Vec<Block> {
        self.done.push(Block {
            lower: self.lower,
            upper,
            rows: Bytes::copy_from_slice(&self.rows),
        });
        self.done
    }
}
