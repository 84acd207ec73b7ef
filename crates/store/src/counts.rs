//! The counts of a partition as they are handed over: packed rows in a few shared buffers, because a
//! table of two million keys and counts would cost its reader several times what they say.
//!
//! A row is `key length, key, records`, then the times and the value that its family wants. Numbers have
//! a variable length. Nothing here reads or writes a store.

use std::collections::HashMap;

use bytes::Bytes;
use logtally_core::series::packed::{next_value, next_varint, put_value, put_varint, times_of};
use logtally_core::series::{Amount, SeriesKey};

use crate::count::Count;
use crate::partition_log::change::Row;

/// Bytes of rows in one buffer, about.
const PIECE_BYTES: usize = 1 << 20;

/// Counts of series: every series once, in any order.
#[derive(Clone, Default, Debug)]
pub struct Counts {
    pieces: Vec<Bytes>,
    rows: usize,
}

impl Counts {
    /// Counts in buffers of packed rows that were checked.
    pub(crate) fn of_checked(pieces: Vec<Bytes>) -> Self {
        let mut counts = Self { pieces, rows: 0 };
        counts.rows = counts.iter().count();
        counts
    }

    /// Counts of different series together.
    pub(crate) fn join(parts: Vec<Self>) -> Self {
        let rows = parts.iter().map(Self::len).sum();
        Self { pieces: parts.into_iter().flat_map(|part| part.pieces).collect(), rows }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The series and their counts, as they lie in memory.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Count)> {
        self.pieces.iter().flat_map(|piece| {
            let mut at = 0;
            // What is packed was checked before.
            std::iter::from_fn(move || next_row(piece, &mut at))
        })
    }

    /// The keys of the series, checked.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.iter().map(|(key, _)| key)
    }

    /// The same as a table, which takes several times the memory: for tools and tests.
    pub fn to_map(&self) -> HashMap<SeriesKey, Count> {
        let rows =
            self.iter().filter_map(|(key, count)| Some((SeriesKey::parse(key).ok()?, count)));
        rows.collect()
    }
}

/// Packs counts; no series may occur twice.
impl FromIterator<(SeriesKey, Count)> for Counts {
    fn from_iter<T: IntoIterator<Item = (SeriesKey, Count)>>(counts: T) -> Self {
        let mut packing = Packing::default();
        for (series, count) in counts {
            packing.push(series.as_bytes(), count);
        }
        packing.finish()
    }
}

/// Packs counts, one after the other.
#[derive(Default)]
pub(crate) struct Packing {
    counts: Counts,
    piece: Vec<u8>,
}

impl Packing {
    /// Takes a count of a series that it does not have yet, and whose key is checked.
    pub(crate) fn push(&mut self, series: &[u8], count: Count) {
        put_row(&mut self.piece, series, count);
        self.counts.rows += 1;
        if self.piece.len() >= PIECE_BYTES {
            self.close_piece();
        }
    }

    /// Takes a row, if it is there.
    pub(crate) fn push_row(&mut self, series: &[u8], row: Row) {
        if let Row::Holds(count) = row {
            self.push(series, count);
        }
    }

    /// What was packed.
    pub(crate) fn finish(mut self) -> Counts {
        self.close_piece();
        self.counts
    }

    fn close_piece(&mut self) {
        if !self.piece.is_empty() {
            self.counts.pieces.push(std::mem::take(&mut self.piece).into());
        }
    }
}

/// Appends a row.
pub(crate) fn put_row(out: &mut Vec<u8>, series: &[u8], count: Count) {
    let (has_created, has_ttl) = times_of(series);
    put_varint(out, series.len() as u64);
    out.extend_from_slice(series);
    put_varint(out, count.amount.count);
    if has_created {
        put_varint(out, count.created_ms);
    }
    if has_ttl {
        put_varint(out, count.touched_ms);
    }
    put_value(out, series, count.amount.value);
}

/// Reads the row at `at`, and moves there behind it. `None` if nothing whole is there.
pub(crate) fn next_row<'a>(rows: &'a [u8], at: &mut usize) -> Option<(&'a [u8], Count)> {
    let len = usize::try_from(next_varint(rows, at)?).ok()?;
    let series = rows.get(*at..at.checked_add(len)?)?;
    *at += len;
    let count = next_varint(rows, at).filter(|count| *count > 0)?;
    let (has_created, has_ttl) = times_of(series);
    let created_ms = if has_created { next_varint(rows, at)? } else { 0 };
    let touched_ms = if has_ttl { next_varint(rows, at)? } else { 0 };
    let value = next_value(rows, at, series)?;
    Some((series, Count { amount: Amount { count, value }, created_ms, touched_ms }))
}
