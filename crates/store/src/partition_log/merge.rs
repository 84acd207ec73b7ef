//! Merging ordered changes into blocks of counts.
//!
//! Only blocks that have a change are read and written, and small ones are joined to the next. Rows that
//! do not change are copied as they are. Nothing here knows where blocks are kept.

use std::cmp::Ordering;

use super::block::{Block, BlockRow, Cutter};
use super::change::Row;
use super::ordered::{Ordered, OrderedChange};
use super::rows::RowsMut;
use crate::count::Count;
use crate::counts::put_row;
use crate::error::StoreError;

/// A row after a merge.
#[derive(Clone, Copy)]
enum Merged<'a> {
    /// As it was.
    Kept(BlockRow<'a>),
    /// With another count.
    Changed(u64, &'a [u8], Count),
}

impl Cutter {
    fn take(&mut self, row: Merged<'_>) {
        match row {
            Merged::Kept(row) => self.push(row.hash, |out| out.extend_from_slice(row.packed)),
            Merged::Changed(hash, series, count) => {
                self.push(hash, |out| put_row(out, series, count));
            }
        }
    }
}

/// Writes the changes into the blocks that they belong to. What fails leaves some blocks written: the
/// caller's transaction takes that back.
pub(crate) fn merge(rows: &mut impl RowsMut, mut changes: Ordered<'_>) -> Result<(), StoreError> {
    while let Some(hash) = changes.next_hash() {
        let mut block = block_of(rows, hash)?;
        let mut cutter = Cutter::new(block.lower);
        loop {
            each_merged(&block, &mut changes, |row| {
                cutter.take(row);
                put_all(rows, cutter.take_done())
            })?;
            let Some(upper) = block.upper.filter(|_| cutter.is_small()) else { break };
            block = block_of(rows, upper)?;
            rows.remove_block(block.lower)?;
        }
        put_all(rows, cutter.finish(block.upper))?;
    }
    Ok(())
}

/// All blocks of a partition with the changes in them.
pub(crate) fn merged(
    blocks: Vec<Block>,
    changes: &mut Ordered<'_>,
) -> Result<Vec<Block>, StoreError> {
    let mut after = Vec::with_capacity(blocks.len());
    for block in blocks {
        let mut cutter = Cutter::new(block.lower);
        each_merged(&block, changes, |row| {
            cutter.take(row);
            Ok(())
        })?;
        after.extend(cutter.finish(block.upper));
    }
    Ok(after)
}

/// Refuses blocks that cannot be read.
pub(crate) fn check(blocks: &[Block]) -> Result<(), StoreError> {
    blocks.iter().flat_map(Block::iter).try_for_each(|row| row.map(drop))
}

/// The block that a hash belongs to; the one block of a partition that has none yet.
fn block_of(rows: &impl RowsMut, hash: u64) -> Result<Block, StoreError> {
    match rows.block(hash)? {
        Some(block) if block.holds(hash) => Ok(block),
        None if !rows.has_blocks()? => Ok(Block::default()),
        _ => Err(gap(hash)),
    }
}

/// The error for a hash that no block holds.
pub(super) fn gap(hash: u64) -> StoreError {
    StoreError::Damaged(format!("the block of counts for {hash:016x} is gone"))
}

fn put_all(rows: &mut impl RowsMut, blocks: Vec<Block>) -> Result<(), StoreError> {
    blocks.into_iter().try_for_each(|block| rows.put_block(block))
}

/// Visits the rows of a block, in order, after the changes that belong to it.
fn each_merged(
    block: &Block,
    changes: &mut Ordered<'_>,
    mut visit: impl FnMut(Merged<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = changes.next_below(block.upper);
    for row in block.iter() {
        let row = row?;
        while let Some(change) = next.filter(|change| order(change, &row) == Ordering::Less) {
            visit_changed(change, None, &mut visit)?;
            next = changes.next_below(block.upper);
        }
        match next.filter(|change| order(change, &row) == Ordering::Equal) {
            None => visit(Merged::Kept(row))?,
            Some(change) => {
                visit_changed(change, Some(row.count), &mut visit)?;
                next = changes.next_below(block.upper);
            }
        }
    }
    while let Some(change) = next {
        visit_changed(change, None, &mut visit)?;
        next = changes.next_below(block.upper);
    }
    Ok(())
}

fn order(change: &OrderedChange<'_>, row: &BlockRow<'_>) -> Ordering {
    change.hash.cmp(&row.hash).then_with(|| change.series.cmp(row.series))
}

fn visit_changed(
    change: OrderedChange<'_>,
    current: Option<Count>,
    visit: &mut impl FnMut(Merged<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    match change.change.applied_to(current) {
        Row::Holds(count) => visit(Merged::Changed(change.hash, change.series, count)),
        Row::Gone => Ok(()),
    }
}
