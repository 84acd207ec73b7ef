//! Reads a part of one file with several threads.
//!
//! The file is read in blocks, by whichever thread is free. In turns, in the order of the blocks, each
//! finds where the last complete record of its block ends: there the next block's records begin. Then
//! it counts its own records by itself. Only the turns are one after the other, and they cost little.
//!
//! It is the same reading step as that of one thread, and all or nothing: whatever is not as expected
//! (a header, a record without an end, a file that changes, more increments than a delta may have) makes
//! it fail, and one thread does the step again from its beginning. So it never decides about anything unusual.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use logtally_core::limits::{READ_BYTES, TAIL_BYTES_MAX};
use logtally_core::source::Tail;
use logtally_formats::csv::Dialect;
use memchr::{memchr, memrchr};

use super::scratch::{Scratch, grow};
use logtally_count::reading::Reading;
use logtally_count::records::Cursor;
use logtally_count::tally::Tally;

/// Bytes of a block.
const BLOCK: u64 = READ_BYTES as u64;

/// Blocks that make it worth to start threads.
pub(super) const BLOCKS_MIN: u64 = 8;

/// Bytes before a block that are read with it: the tail, and a usual record that begins there.
const BEFORE: usize = 4 * TAIL_BYTES_MAX;

/// A part of a file, which begins with a record.
pub(super) struct Part<'a> {
    pub file: &'a File,
    pub reading: &'a Reading,
    /// That of the fast path, which the records take.
    pub dialect: Dialect,
    /// The place, and what is known there.
    pub at: &'a Cursor,
    pub tail: Tail,
    /// Blocks that are to be read.
    pub blocks: u64,
    /// Increments (bytes) after which no further block is begun.
    pub increments_max: usize,
}

/// Where the threads are.
struct Turn {
    /// The block whose turn it is.
    block: u64,
    position: u64,
    tail: Tail,
}

/// Where the records of a block are.
struct Found {
    position: u64,
    /// In the buffer.
    text: Range<usize>,
    is_marked: bool,
}

struct SharedStep<'a> {
    part: &'a Part<'a>,
    /// The next block that nobody reads yet.
    next: AtomicU64,
    increments: AtomicUsize,
    turn: Mutex<Option<Turn>>,
    turned: Condvar,
}

/// The part is to be read by one thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusual;

impl Part<'_> {
    /// Counts the records of the part, with one more thread for each helper of the scratch; unusual if
    /// the increments of all of them have more than `bytes_max` bytes. Returns the position reached, and
    /// the tail there.
    pub(super) fn count(
        &self,
        scratch: &mut Scratch,
        bytes_max: usize,
    ) -> Result<(u64, Tail), Unusual> {
        let turn = Turn { block: 0, position: self.at.position, tail: self.tail };
        let shared = SharedStep {
            part: self,
            next: AtomicU64::new(0),
            increments: AtomicUsize::new(0),
            turn: Mutex::new(Some(turn)),
            turned: Condvar::new(),
        };
        let mut helpers = std::mem::take(&mut scratch.helpers);
        scratch.tally.set_bytes_max(bytes_max);
        std::thread::scope(|scope| {
            for helper in &mut helpers {
                helper.tally.clear();
                helper.tally.set_bytes_max(bytes_max);
                scope.spawn(|| shared.work(helper));
            }
            shared.work(scratch);
        });
        for helper in &mut helpers {
            scratch.tally.absorb(&mut helper.tally);
        }
        scratch.helpers = helpers;
        // Each stays within the bound; all together may not.
        if scratch.tally.packed_len() > bytes_max {
            return Err(Unusual);
        }
        let end =
            shared.turn.into_inner().unwrap_or_else(PoisonError::into_inner).ok_or(Unusual)?;
        Ok((end.position, end.tail))
    }
}

impl SharedStep<'_> {
    /// Takes blocks until there are none, or something is unusual.
    fn work(&self, scratch: &mut Scratch) {
        loop {
            let block = self.next.fetch_add(1, Ordering::Relaxed);
            if block >= self.part.blocks {
                return;
            }
            if self.count_block(block, scratch).is_none() {
                *self.lock() = None;
                self.turned.notify_all();
                return;
            }
        }
    }

    /// Reads a block and counts the records that end in it; `None` if something is unusual.
    fn count_block(&self, block: u64, scratch: &mut Scratch) -> Option<()> {
        let Self { part, .. } = self;
        let begin = part.at.position + block * BLOCK;
        let Scratch { buffer, tally, .. } = scratch;
        let before = BEFORE.min(begin as usize);
        fill(part.file, buffer, begin - before as u64, before + READ_BYTES)?;
        let Found { position, text, is_marked } =
            self.take_turn(block, begin, before, buffer, tally)?;
        let mut at = Cursor { position, ..part.at.clone() };
        let packed_before = tally.packed_len();
        let counted = at.consume_part(part.reading, &buffer[text.clone()], is_marked, tally);
        let is_usual = counted == text.len() && at.header == part.at.header;
        let packed = tally.packed_len() - packed_before;
        if self.increments.fetch_add(packed, Ordering::Relaxed) + packed >= part.increments_max {
            self.next.fetch_add(part.blocks, Ordering::Relaxed);
        }
        is_usual.then_some(())
    }

    /// Waits for the block's turn, finds where its records begin and end, and hands the turn on. What is
    /// marked is left in the tally.
    fn take_turn(
        &self,
        block: u64,
        begin: u64,
        mut before: usize,
        buffer: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Option<Found> {
        let is_others = |turn: &mut Option<Turn>| turn.as_ref().is_some_and(|t| t.block != block);
        let turn = self.turned.wait_while(self.lock(), is_others);
        let mut turn = turn.unwrap_or_else(PoisonError::into_inner);
        let turn = turn.as_mut()?;
        let position = turn.position;
        let rest = begin.checked_sub(position)? as usize;
        let tail_len = Tail::len_at(position);
        if rest + tail_len > before {
            // A long record began before what was read.
            before = rest + tail_len;
            fill(self.part.file, buffer, begin - before as u64, before + READ_BYTES)?;
        }
        let from = before - rest;
        if Tail::of(&buffer[from - tail_len..from]) != turn.tail {
            return None;
        }
        let (len, is_marked) = self.complete(&buffer[from..before + READ_BYTES], tally)?;
        turn.position += len as u64;
        turn.tail = Tail::of(&buffer[..from + len]);
        turn.block += 1;
        self.turned.notify_all();
        Some(Found { position, text: from..from + len, is_marked })
    }

    /// How much of a text is complete records, and whether they are marked in the tally.
    fn complete(&self, text: &[u8], tally: &mut Tally) -> Option<(usize, bool)> {
        let dialect = self.part.dialect;
        let has_quote = dialect.quote().is_some_and(|quote| memchr(quote, text).is_some());
        let last =
            if has_quote { tally.mark_complete(dialect, text)? } else { memrchr(b'\n', text)? };
        Some((last + 1, has_quote))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Turn>> {
        // Every change under this lock is a few assignments.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fill(file: &File, buffer: &mut Vec<u8>, offset: u64, len: usize) -> Option<()> {
    grow(buffer, len);
    file.read_exact_at(&mut buffer[..len], offset).ok()
}

#[cfg(test)]
mod tests;
