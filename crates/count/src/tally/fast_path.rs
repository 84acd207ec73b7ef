//! The fast path: counts all complete records of a piece of text, many at once, where the texts of some
//! columns alone say what a record counts.
//!
//! It counts what the slow path counts, record by record, and nothing else: it caches, by raw key, the
//! outcome of records seen before. Records that are unusual are counted on the slow path.

use logtally_core::limits::{FAST_RECORD_INCREMENTS_BYTES_MAX, RECORD_BYTES_MAX};
use logtally_core::rule::Reject;
use logtally_core::series::{Amount, Packer};
use logtally_formats::Layout;
use logtally_formats::csv::{Dialect, Marks};
use memchr::memchr;

use super::raw_key_cache::RawKeyCache;
use super::raw_keys::{BATCH, KeyBytes, Lookup, ROOM};
use super::raw_values::RawValues;
use super::record::{Piece, Record};
use super::slow_path::SlowPath;
use crate::input::Input;

/// What was counted by raw key, and buffers.
#[derive(Default)]
pub(super) struct FastPath {
    marks: Marks,
    cache: RawKeyCache,
    values: RawValues,
    batch: Batch,
}

/// Where the wanted cells of a row are.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cut {
    /// They are the row.
    Line,
    /// They are side by side, in the order of the slots.
    Neighbours { first: usize, count: usize },
    /// They are anywhere: by slot, the column.
    Scattered(Vec<usize>),
}

impl Cut {
    /// `None` if a wanted column is nowhere.
    fn of(layout: &Layout) -> Option<Self> {
        let columns: Vec<usize> = layout.indexes().iter().copied().collect::<Option<_>>()?;
        let (first, count) = (*columns.first()?, columns.len());
        if !columns.iter().copied().eq(first..first + count) {
            return Some(Self::Scattered(columns));
        }
        // As many as the row has, from its first one on: columns by number may begin anywhere.
        if first == 0 && layout.width() == Some(count) {
            return Some(Self::Line);
        }
        Some(Self::Neighbours { first, count })
    }
}

/// Records that are looked up together. Reused from piece to piece.
#[derive(Default)]
struct Batch {
    lookups: [Lookup; BATCH],
    /// Of each, which of the ends of records is its record's.
    records: [u32; BATCH],
    len: usize,
    /// Raw keys that had to be put together.
    gathered: Vec<u8>,
}

/// Where a record is in the piece.
#[derive(Clone, Copy)]
struct RecordAt {
    begin: usize,
    /// Where its content ends.
    end: usize,
    line_feed: usize,
}

/// Why a batch is not larger.
enum BatchEnd {
    /// It is full; the next record begins here.
    Full(usize),
    /// There is no further record for the fast path; here the slow path goes on.
    Stop(usize),
    /// This record is counted on the slow path.
    Unusual(RecordAt),
}

impl FastPath {
    /// Marks the records of a text.
    pub(super) fn mark(&mut self, dialect: Dialect, text: &[u8]) {
        self.marks.find(dialect, text);
    }

    /// Marks the complete records of a text. Returns where the last one ends, without its terminator;
    /// `None` if there is none.
    pub(super) fn mark_complete(&mut self, dialect: Dialect, text: &[u8]) -> Option<usize> {
        self.marks.find(dialect, text);
        let last = *self.marks.ends(0).last()? as usize;
        self.marks.truncate(last + 1);
        Some(last)
    }

    /// Counts the records of the marked piece from `from` on, up to one that is not complete, is too
    /// long, or may be a header. Returns where that begins, which is `from` if looking up raw keys is
    /// not worth while or a column is nowhere, or the next record once the increments have `bytes_max`
    /// bytes.
    pub(super) fn add(
        &mut self,
        slow: &mut SlowPath,
        input: &Input,
        dialect: Dialect,
        piece: Piece<'_>,
        from: usize,
        bytes_max: usize,
    ) -> usize {
        let Self { marks, cache, values, batch } = self;
        cache.begin(input, dialect);
        // First: where it says no, it is asked before each record.
        if !cache.is_worth_while() || !cache.has_room() {
            return from;
        }
        let Some(cut) = Cut::of(piece.layout) else { return from };
        let is_by_line = cut == Cut::Line;
        let mut pass = Pass {
            piece,
            marks,
            input,
            dialect,
            is_by_line,
            cache,
            values,
            batch,
            slow,
            bytes_max,
        };
        pass.run(&cut, from)
    }

    /// Whether looking up raw keys is worth while.
    #[cfg(test)]
    pub(super) fn is_worth_while(&self) -> bool {
        self.cache.is_worth_while()
    }

    /// About how many bytes the packed increments will have.
    pub(super) fn packed_len(&self) -> usize {
        self.cache.packed_len()
    }

    /// Packs what was counted, and accounts for its records. With several rules it is added to the slow
    /// path's series instead: raw keys that differ may hit the same series.
    pub(super) fn pack(&mut self, input: &Input, slow: &mut SlowPath, packer: &mut Packer) {
        let Self { cache, values, .. } = self;
        let Some((dialect, keys)) = cache.counted(input) else { return };
        let (accounting, series) = slow.totals();
        let (rules, columns) = (&input.rules, input.rules.columns().len());
        let is_only_rule = rules.rules().len() == 1;
        keys.each(|text, len, bytes, count| {
            let count = u64::from(count);
            if !bytes.is_counted() {
                accounting.filter(count);
                return;
            }
            accounting.count(count);
            assert!(values.read(dialect, &text[..len], columns), "it was read when it was new");
            let used_rules = accounting.used_rules(rules.rules().len());
            let result = values.each_hit(rules, |hit| {
                used_rules[hit.rule] = true;
                let amount = Amount::records(count);
                if is_only_rule {
                    packer.push(hit.key, amount);
                } else {
                    series.add(hit.key, series.find(hit.key), amount);
                }
                Ok(())
            });
            assert!(result.is_ok(), "it was counted when it was new");
        });
    }

    /// Adds what another one has counted by the same input.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.cache.absorb(&other.cache);
    }

    /// Forgets everything counted so far.
    pub(super) fn clear(&mut self) {
        self.cache.clear();
    }
}

/// One pass over a piece.
struct Pass<'a> {
    piece: Piece<'a>,
    marks: &'a Marks,
    input: &'a Input,
    dialect: Dialect,
    /// Whether raw keys are whole rows.
    is_by_line: bool,
    cache: &'a mut RawKeyCache,
    values: &'a mut RawValues,
    batch: &'a mut Batch,
    slow: &'a mut SlowPath,
    /// Increments (bytes) at which the pass ends.
    bytes_max: usize,
}

impl Pass<'_> {
    fn run(&mut self, cut: &Cut, from: usize) -> usize {
        let (marks, text, delimiter) = (self.marks, self.piece.text, self.dialect.delimiter());
        match *cut {
            // A header with the raw key of a record would have been counted as one: so a header is
            // always missed, and only what is missed must be looked at.
            Cut::Line => self.each::<false>(from, usize::MAX, |begin, end, _| Some((begin, end))),
            Cut::Neighbours { first, count } => {
                let stop = self.input.next_marker(text, from);
                self.each::<false>(from, stop, |begin, end, _| {
                    neighbours(marks, begin, end, first, count)
                })
            }
            Cut::Scattered(ref columns) => {
                let stop = self.input.next_marker(text, from);
                self.each::<true>(from, stop, |begin, end, out| {
                    gather(marks, text, begin, end, columns, delimiter, out)
                })
            }
        }
    }

    /// Goes over the records that end before `stop`; `cut` finds the raw key of one, in the text or,
    /// if `GATHERED`, in the buffer that it is given. Each cut gets a loop of its own.
    #[inline]
    fn each<const GATHERED: bool>(
        &mut self,
        from: usize,
        stop: usize,
        cut: impl Fn(usize, usize, &mut Vec<u8>) -> Option<(usize, usize)>,
    ) -> usize {
        let marks = self.marks;
        let (mut ends, mut at) = (marks.ends(from), from);
        loop {
            let (taken, batch_end) = self.fill_batch::<GATHERED>(ends, at, stop, &cut);
            if let Some(stopped_at) = self.count_batch::<GATHERED>(ends, at) {
                return stopped_at;
            }
            ends = &ends[taken..];
            at = match batch_end {
                BatchEnd::Full(at) => at,
                BatchEnd::Stop(at) => return at,
                BatchEnd::Unusual(record) if self.may_be_header(record) => return record.begin,
                BatchEnd::Unusual(record) => {
                    if self.is_full() {
                        return record.begin;
                    }
                    self.add_slow(record);
                    ends = &ends[1..];
                    record.line_feed + 1
                }
            };
            if self.is_full() {
                return at;
            }
        }
    }

    /// Fills the batch. Returns how many ends of records were used up, and why there are not more.
    #[inline]
    fn fill_batch<const GATHERED: bool>(
        &mut self,
        ends: &[u32],
        mut at: usize,
        stop: usize,
        cut: &impl Fn(usize, usize, &mut Vec<u8>) -> Option<(usize, usize)>,
    ) -> (usize, BatchEnd) {
        let (text, keys) = (self.piece.text, self.cache.keys());
        let Batch { lookups, records, len, gathered } = &mut *self.batch;
        for (taken, line_feed) in ends.iter().enumerate() {
            let line_feed = *line_feed as usize;
            if *len == BATCH {
                return (taken, BatchEnd::Full(at));
            }
            if line_feed >= stop || line_feed - at > RECORD_BYTES_MAX {
                return (taken, BatchEnd::Stop(at));
            }
            let end = content_end(text, at, line_feed);
            let is_prepared = match cut(at, end, gathered) {
                Some((from, to)) => {
                    let source = if GATHERED { gathered.as_slice() } else { text };
                    keys.prepare(source, from, to, &mut lookups[*len])
                }
                None => false,
            };
            if is_prepared {
                records[*len] = taken as u32;
                *len += 1;
            } else if end > at {
                let record = RecordAt { begin: at, end, line_feed };
                return (taken, BatchEnd::Unusual(record));
            }
            at = line_feed + 1;
        }
        (ends.len(), BatchEnd::Stop(at))
    }

    /// Counts what the batch has, record by record, and empties it. Stops at a record that may be a
    /// header, or where the increments are enough, and returns where the next record begins then. `ends` are those that the batch was filled from, and
    /// `first` is where the first record begins.
    fn count_batch<const GATHERED: bool>(&mut self, ends: &[u32], first: usize) -> Option<usize> {
        let len = std::mem::take(&mut self.batch.len);
        self.cache.keys().prefetch(&self.batch.lookups[..len]);
        let (mut done, mut stopped_at) = (0, None);
        while done < len {
            let gathered = &self.batch.gathered;
            let source = if GATHERED { gathered.as_slice() } else { self.piece.text };
            done += self.cache.count_known(source, &self.batch.lookups[done..len]);
            if done == len {
                break;
            }
            let record = self.record(ends, first, self.batch.records[done] as usize);
            if self.may_be_header(record) {
                stopped_at = Some(record.begin);
                break;
            }
            self.count_new::<GATHERED>(done, record);
            done += 1;
            if self.is_full() {
                stopped_at = Some(record.line_feed + 1);
                break;
            }
        }
        self.batch.gathered.clear();
        stopped_at
    }

    fn is_full(&self) -> bool {
        self.slow.packed_len() + self.cache.packed_len() >= self.bytes_max
    }

    /// The record that has one of the ends.
    fn record(&self, ends: &[u32], first: usize, index: usize) -> RecordAt {
        let begin = if index == 0 { first } else { ends[index - 1] as usize + 1 };
        let line_feed = ends[index] as usize;
        RecordAt { begin, end: content_end(self.piece.text, begin, line_feed), line_feed }
    }

    /// Whether a record that was not met before may be a header. Where raw keys are cut out of rows, the
    /// pass ends before such a record.
    fn may_be_header(&self, record: RecordAt) -> bool {
        let text = &self.piece.text[..record.end];
        self.is_by_line && self.input.next_marker(text, record.begin) != usize::MAX
    }

    /// Counts the record of a look-up whose raw key is not known, and knows that from now on if it can
    /// be counted.
    fn count_new<const GATHERED: bool>(&mut self, index: usize, record: RecordAt) {
        self.cache.miss();
        let lookup = &self.batch.lookups[index];
        let source = if GATHERED { self.batch.gathered.as_slice() } else { self.piece.text };
        let columns = self.input.rules.columns().len();
        if !self.values.read(self.dialect, lookup.of(source), columns) {
            return self.add_slow(record);
        }
        match self.values.check(&self.input.rules) {
            Ok(bytes) if bytes > FAST_RECORD_INCREMENTS_BYTES_MAX => self.add_slow(record),
            Ok(bytes) => self.cache.insert(source, lookup, KeyBytes::of(bytes)),
            Err(reason) => self.reject(reason, record),
        }
    }

    fn reject(&mut self, reason: Reject, record: RecordAt) {
        let body = &self.piece.text[record.begin..record.end];
        self.slow.reject(reason, body, self.position_after(record));
    }

    fn add_slow(&mut self, record: RecordAt) {
        let Piece { text, layout, path, .. } = self.piece;
        let body = &text[record.begin..record.end];
        let quoted = self.dialect.quote().is_some_and(|quote| memchr(quote, body).is_some());
        let position = self.position_after(record);
        self.slow.add(self.input, layout, path, Record { body, quoted, position });
    }

    /// Position just after a record in its source.
    fn position_after(&self, record: RecordAt) -> u64 {
        self.piece.start + record.line_feed as u64 + 1
    }
}

/// Where the cells of `count` columns from `first` on are, which stand side by side.
#[inline]
fn neighbours(
    marks: &Marks,
    begin: usize,
    end: usize,
    first: usize,
    count: usize,
) -> Option<(usize, usize)> {
    let mut delimiters = marks.delimiters(begin);
    let from = match first {
        0 => begin,
        _ => delimiters.nth_before(first - 1, end)? + 1,
    };
    let inner = match count {
        1 => from,
        _ => delimiters.nth_before(count - 2, end)?,
    };
    let to = if inner < end { delimiters.nth_before(0, end) } else { None };
    Some((from, to.unwrap_or(end)))
}

/// Puts the cells of some columns together in `out`, and returns where.
#[inline]
fn gather(
    marks: &Marks,
    text: &[u8],
    begin: usize,
    end: usize,
    columns: &[usize],
    delimiter: u8,
    out: &mut Vec<u8>,
) -> Option<(usize, usize)> {
    if begin == end {
        // A blank line is not a record; several empty cells would be spelled with delimiters.
        return None;
    }
    let out_begin = out.len();
    // Where the walk stands: at the beginning of this column.
    let (mut delimiters, mut column, mut from) = (marks.delimiters(begin), 0, begin);
    for wanted in columns.iter().copied() {
        if wanted < column {
            (delimiters, column, from) = (marks.delimiters(begin), 0, begin);
        }
        if wanted > column {
            from = delimiters.nth_before(wanted - column - 1, end)? + 1;
            column = wanted;
        }
        let to = delimiters.clone().nth_before(0, end).unwrap_or(end);
        out.extend_from_slice(&text[from..to]);
        out.push(delimiter);
    }
    let out_end = out.len() - 1;
    out.resize(out_end.max(out_begin + ROOM), 0);
    Some((out_begin, out_end))
}

/// Where the content of a record ends, whose line feed is at `line_feed`.
#[inline]
fn content_end(text: &[u8], begin: usize, line_feed: usize) -> usize {
    if line_feed > begin && text[line_feed - 1] == b'\r' { line_feed - 1 } else { line_feed }
}
