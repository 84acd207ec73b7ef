//! Finds the marks of a text, and walks along them.

use super::block::{BLOCK, Masks, Special, Visit};
use super::classify::{Instructions, classify};
use super::quotes::Quotes;
use crate::csv::dialect::Dialect;

/// Where fields end in one block.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    /// Delimiters outside quotes.
    delimiters: u64,
    /// How many there are in the blocks before.
    before: u64,
}

/// The ends of records and fields in a piece of text. Reused from piece to piece.
#[derive(Debug)]
pub struct Marks {
    instructions: Instructions,
    blocks: Vec<Fields>,
    /// The line feeds that end records; what is behind the first `records` is left from before.
    ends: Vec<u32>,
    records: usize,
}

impl Default for Marks {
    fn default() -> Self {
        Self::with(Instructions::best())
    }
}

impl Marks {
    /// Uses these instructions.
    pub(super) fn with(instructions: Instructions) -> Self {
        Self { instructions, blocks: Vec::new(), ends: Vec::new(), records: 0 }
    }

    /// Whether a dialect can be marked: escapes and comments cannot.
    pub fn can_mark(dialect: Dialect) -> bool {
        dialect.escape.is_none() && dialect.comment.is_none()
    }

    /// Marks `text`, which begins with a record. Linear; about a tenth of a nanosecond per byte.
    ///
    /// # Panics
    /// If the dialect cannot be marked, or the text has 4 GiB or more.
    pub fn find(&mut self, dialect: Dialect, text: &[u8]) {
        assert!(Self::can_mark(dialect), "escapes and comments cannot be marked");
        assert!(u32::try_from(text.len()).is_ok(), "a text of 4 GiB or more");
        let special = Special { delimiter: dialect.delimiter, quote: dialect.quote };
        // Every entry is written below, so what is there already need not be cleared.
        self.blocks.resize(text.len().div_ceil(BLOCK), Fields::default());
        if self.ends.len() < text.len() + BLOCK {
            // As many as there can be. Memory that was not written to costs nothing.
            self.ends = vec![0; text.len() + BLOCK];
        }
        let Self { blocks, ends, .. } = self;
        let quotes = Quotes::at_record();
        let blocks = blocks.iter_mut();
        let mut finding = Finding { quotes, blocks, base: 0, ends, records: 0, fields: 0 };
        classify(self.instructions, text, special, &mut finding);
        self.records = finding.records;
    }

    /// Forgets what is behind the first `len` bytes, which are complete records.
    pub fn truncate(&mut self, len: usize) {
        self.records = self.ends(0).partition_point(|end| (*end as usize) < len);
    }

    /// The line feeds that end records, from offset `from` on, which must be the beginning of one.
    pub fn ends(&self, from: usize) -> &[u32] {
        let ends = &self.ends[..self.records];
        let before = if from == 0 { 0 } else { ends.partition_point(|end| (*end as usize) < from) };
        &ends[before..]
    }

    /// The delimiters that end fields, from offset `from` on, which must be the beginning of one.
    #[inline]
    pub fn delimiters(&self, from: usize) -> Delimiters<'_> {
        let block = from / BLOCK;
        let mask = self.blocks.get(block).map_or(0, |masks| masks.delimiters);
        Delimiters { blocks: &self.blocks, block, mask: mask & (u64::MAX << (from % BLOCK)) }
    }
}

/// The delimiters of a text, one after the other.
#[derive(Clone, Debug)]
pub struct Delimiters<'a> {
    blocks: &'a [Fields],
    block: usize,
    mask: u64,
}

impl Delimiters<'_> {
    /// Passes over `n` of them and returns where the next one is, if that is before `end`. Once there is
    /// none, the others are not to be relied on.
    #[inline]
    pub fn nth_before(&mut self, n: usize, end: usize) -> Option<usize> {
        let mut left = n as u64;
        if left > FEW {
            left = self.pass(left, end)?;
        }
        loop {
            if self.mask == 0 {
                self.next_block(end)?;
                continue;
            }
            let at = self.block * BLOCK + self.mask.trailing_zeros() as usize;
            self.mask &= self.mask - 1;
            if left == 0 {
                return (at < end).then_some(at);
            }
            left -= 1;
        }
    }

    /// Goes to the block that has the one behind the next `n`, by the numbers that the blocks have.
    /// Returns how many there are still to be passed.
    fn pass(&mut self, n: u64, end: usize) -> Option<u64> {
        let here = self.blocks.get(self.block)?;
        let wanted = here.before + u64::from((here.delimiters & !self.mask).count_ones()) + n;
        let last = self.blocks.len().min(end.div_ceil(BLOCK));
        let rest = self.blocks.get(self.block + 1..last)?;
        let passed = rest.iter().take_while(|fields| fields.before <= wanted).count();
        if passed == 0 {
            return Some(n);
        }
        self.block += passed;
        let there = self.blocks[self.block];
        self.mask = there.delimiters;
        Some(wanted - there.before)
    }

    #[inline]
    fn next_block(&mut self, end: usize) -> Option<()> {
        self.block += 1;
        self.mask = self.blocks.get(self.block).filter(|_| self.block * BLOCK < end)?.delimiters;
        Some(())
    }
}

/// So many delimiters are passed one by one.
const FEW: u64 = 4;

/// What is found, from block to block.
struct Finding<'a> {
    quotes: Quotes,
    blocks: std::slice::IterMut<'a, Fields>,
    base: usize,
    ends: &'a mut [u32],
    records: usize,
    fields: u64,
}

impl Visit for Finding<'_> {
    #[inline(always)]
    fn block(&mut self, masks: Masks, parity: u64) {
        let outside = !self.quotes.inside(&masks, parity);
        let (lines, delimiters) = (masks.lines & outside, masks.delimiters & outside);
        // In wide rows, most blocks have none.
        if lines != 0 {
            self.records += put_places(lines, self.base, &mut self.ends[self.records..]);
        }
        if let Some(block) = self.blocks.next() {
            *block = Fields { delimiters, before: self.fields };
        }
        self.fields += u64::from(delimiters.count_ones());
        self.base += BLOCK;
    }
}

/// Writes down the places of the bits, and behind them whatever comes: a number of places that is
/// often the same costs less than a loop that ends somewhere else each time. Returns how many there
/// are.
#[inline(always)]
fn put_places(mut mask: u64, base: usize, out: &mut [u32]) -> usize {
    /// Most blocks have no more lines than this.
    const USUAL: usize = 4;
    let count = mask.count_ones() as usize;
    let mut put = |out: &mut [u32]| {
        for place in out {
            *place = base as u32 + mask.trailing_zeros();
            mask &= mask.wrapping_sub(1);
        }
    };
    let (usual, more) = out.split_at_mut(USUAL);
    put(usual);
    if count > USUAL {
        put(&mut more[..count - USUAL]);
    }
    count
}
