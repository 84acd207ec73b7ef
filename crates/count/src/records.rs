//! Walks over the records of a piece of text and counts each. What a file and a pushed message have in
//! common: a place, the header in force, and complete records from there on.
//!
//! Never reads and never waits: what is not complete is left for the next piece.

use std::sync::Arc;

use logtally_core::rule::Reject;
use logtally_formats::csv::Dialect;
use logtally_formats::{Layout, Scan};

use crate::input::Input;
use crate::reading::Reading;
use crate::tally::{Piece, Record, Tally};

/// A place in a source, as far as its records are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Just after the last record.
    pub position: u64,
    /// Offset of the header in force.
    pub header: Option<u64>,
    /// Where the columns are.
    pub layout: Layout,
}

/// A rejected line without an LF before `from`, counted from the line's beginning.
#[derive(Debug)]
pub struct OpenLine {
    /// Why it is rejected.
    pub reason: Reject,
    /// Before this there is no LF.
    pub from: usize,
}

/// A walk over a piece of text.
struct Walk<'a> {
    data: &'a [u8],
    /// Where the text begins in its source.
    start: u64,
    /// Whether nothing follows.
    last: bool,
    /// How much of it is counted.
    used: usize,
    /// Where the marked part begins, if it is marked.
    marks_from: Option<usize>,
    /// Where the next marker of a header is, if that is behind what is counted.
    marker: usize,
}

impl Walk<'_> {
    /// Whether the record that ends at `end` has what every header has. Looked for once for many
    /// records, which costs a fraction of looking into each.
    fn has_marker(&mut self, input: &Input, end: usize) -> bool {
        if self.marker <= self.used {
            self.marker = input.next_marker(self.data, self.used);
        }
        self.marker < end
    }
}

/// What stands where the walk is.
enum Next {
    /// Something that is counted, or nothing to count.
    Counted,
    /// A rejected line whose end is not in the text.
    Open(OpenLine),
    /// A record whose end is not in the text.
    Incomplete,
}

/// The byte-order mark of UTF-8, which is not a part of the first record.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Cursor {
    /// The beginning of a source.
    pub fn start(input: &Input) -> Self {
        Self { position: 0, header: None, layout: input.format.start() }
    }

    /// Counts the complete records at the beginning of `data` and moves over them, until the tally is
    /// full. With `last`,
    /// nothing follows, so that an unterminated last record is one. Returns their length, and the
    /// rejected line after them if its end is not in `data`.
    pub fn consume(
        &mut self,
        reading: &Reading,
        data: &[u8],
        last: bool,
        tally: &mut Tally,
    ) -> (usize, Option<OpenLine>) {
        let start = self.position;
        let mut walk = Walk { data, start, last, used: 0, marks_from: None, marker: 0 };
        if start == 0 && data.starts_with(BYTE_ORDER_MARK) {
            walk.used = BYTE_ORDER_MARK.len();
        }
        let open_line = self.walk(reading, &mut walk, tally);
        (walk.used, open_line)
    }

    /// The same for a part of a source that has only complete records, and is not its beginning. They
    /// may be marked in the tally already. Returns how much of it was counted.
    pub fn consume_part(
        &mut self,
        reading: &Reading,
        data: &[u8],
        is_marked: bool,
        tally: &mut Tally,
    ) -> usize {
        let (start, marks_from) = (self.position, is_marked.then_some(0));
        let mut walk = Walk { data, start, last: false, used: 0, marks_from, marker: 0 };
        self.walk(reading, &mut walk, tally);
        walk.used
    }

    /// The dialect in which the records from here on can take the fast path, if they can.
    #[inline]
    pub fn fast_path(&self, input: &Input) -> Option<Dialect> {
        let dialect = input.count_path.fast()?;
        if !self.layout.is_known() || self.awaits_header(input) {
            return None;
        }
        Some(dialect)
    }

    fn walk(
        &mut self,
        reading: &Reading,
        walk: &mut Walk<'_>,
        tally: &mut Tally,
    ) -> Option<OpenLine> {
        let mut open_line = None;
        while walk.used < walk.data.len() {
            if let Some(dialect) = self.fast_path(&reading.input) {
                self.count_fast(reading, walk, dialect, tally);
            }
            // After every record, so that one record at most goes beyond the bound.
            if tally.is_full() {
                break;
            }
            match self.count_next(reading, walk, tally) {
                Next::Counted => {}
                Next::Open(line) => {
                    open_line = Some(line);
                    break;
                }
                Next::Incomplete => break,
            }
        }
        self.position = walk.start + walk.used as u64;
        open_line
    }

    /// Counts as many records as the fast path can, if any: those before the next one that may be a
    /// header.
    fn count_fast(
        &self,
        reading: &Reading,
        walk: &mut Walk<'_>,
        dialect: Dialect,
        tally: &mut Tally,
    ) {
        let from = if let Some(from) = walk.marks_from {
            from
        } else {
            tally.mark(dialect, &walk.data[walk.used..]);
            walk.used
        };
        walk.marks_from = Some(from);
        let piece = Piece {
            text: &walk.data[from..],
            start: walk.start + from as u64,
            layout: &self.layout,
            path: &reading.path,
        };
        walk.used = from + tally.add_marked(&reading.input, dialect, piece, walk.used - from);
    }

    /// Counts one record on the slow path, whatever it is.
    fn count_next(&mut self, reading: &Reading, walk: &mut Walk<'_>, tally: &mut Tally) -> Next {
        let Walk { data, start, last, used, .. } = *walk;
        if used == data.len() {
            return Next::Counted;
        }
        let input = Arc::as_ref(&reading.input);
        let len = match input.format.scan(&data[used..], last) {
            Scan::Record { body, len, quoted } => {
                if body > 0 {
                    let record = &data[used..used + body];
                    let position = start + (used + len) as u64;
                    let record = Record { body: record, quoted, position };
                    let may_be_header =
                        self.awaits_header(input) || walk.has_marker(input, used + body);
                    let offset = start + used as u64;
                    let is_header = may_be_header && self.take_header(input, record.body, offset);
                    if !is_header {
                        tally.add(input, &self.layout, &reading.path, record);
                    }
                }
                len
            }
            Scan::Rejected { reason, len } => {
                let position = start + (used + len) as u64;
                tally.reject(reason, &data[used..used + len], position);
                // What seemed to be quoted is not: the next line begins outside quotes.
                walk.marks_from = None;
                len
            }
            Scan::RejectedOpen { reason, from } => return Next::Open(OpenLine { reason, from }),
            Scan::Incomplete => return Next::Incomplete,
        };
        walk.used += len;
        Next::Counted
    }

    /// Whether the next record is a header, whatever it has.
    fn awaits_header(&self, input: &Input) -> bool {
        self.header.is_none() && input.format.has_header_first()
    }

    /// If the record is a header, its columns are in force from here on.
    fn take_header(&mut self, input: &Input, record: &[u8], offset: u64) -> bool {
        let is_first = self.header.is_none();
        let Some(layout) = input.format.header(record, is_first) else { return false };
        self.layout = layout;
        self.header = Some(offset);
        true
    }
}

#[cfg(test)]
mod tests;
