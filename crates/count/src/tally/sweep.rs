//! Counts all complete records of a piece of text in one sweep, for what is most frequent: rows that
//! are counted by columns as they stand there, under any conditions.
//!
//! What it does is what [`Tally::add`] does, record by record, and nothing else: it only remembers by
//! their spelling what records mean that were met before. Records that it does not understand at a
//! glance go the long way.

use logtally_core::limits::{RECORD_BYTES_MAX, SPELLINGS_BYTES_MAX};
use logtally_core::rule::Reject;
use logtally_formats::Layout;
use logtally_formats::csv::{Dialect, Marks};
use memchr::memchr;

use super::spellings::{BATCH, ROOM, Spellings, Wanted, Weight};
use super::{Record, Tally};
use crate::plan::Input;

/// A piece of text whose records are to be counted.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// Where its records and fields end.
    pub marks: &'a Marks,
    /// The text.
    pub text: &'a [u8],
    /// Where the text begins in its source.
    pub start: u64,
    /// Where the columns are.
    pub layout: &'a Layout,
    /// Values of the path's placeholders.
    pub path: &'a [Option<String>],
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
        Some(match columns.iter().copied().eq(first..first + count) {
            true if layout.width() == Some(count) => Self::Line,
            true => Self::Neighbours { first, count },
            false => Self::Scattered(columns),
        })
    }
}

/// Records that are looked up together, and what is needed for that. Reused from piece to piece.
#[derive(Default)]
pub(super) struct Batch {
    wanted: [Wanted; BATCH],
    /// Of each, which of the ends of records is its record's.
    records: [u32; BATCH],
    len: usize,
    /// Spellings that had to be put together.
    gathered: Vec<u8>,
}

/// Why a batch is not larger.
enum Odd {
    /// It is full; the next record begins here.
    None(usize),
    /// The record here is not for a sweep.
    Stop(usize),
    /// This record must be taken apart.
    LongWay([usize; 3]),
}

/// After so many spellings that were not found it is asked whether remembering them is worth while.
const TRIAL: u64 = 1 << 16;

/// One sweep.
struct Sweep<'a> {
    piece: Piece<'a>,
    input: &'a Input,
    dialect: Dialect,
    /// Whether spellings are whole rows.
    is_by_line: bool,
}

impl Tally {
    /// Counts the records of the piece from `from` on, up to one that is not complete, is too long, or
    /// may be a header. Returns where that begins, which is `from` if the input's records cannot be
    /// counted in this way.
    pub(crate) fn sweep(&mut self, input: &Input, piece: Piece<'_>, from: usize) -> usize {
        let Some(dialect) = input.sweeps else { return from };
        self.spell_for(input);
        // First: where records go the long way, this is asked before each of them.
        if !self.is_worth_while() || self.spellings.arena_bytes() > SPELLINGS_BYTES_MAX {
            return from;
        }
        let Some(cut) = Cut::of(piece.layout) else { return from };
        let mut batch = std::mem::take(&mut self.batch);
        let is_by_line = cut == Cut::Line;
        let sweep = Sweep { piece, input, dialect, is_by_line };
        let reached = sweep.run(self, &mut batch, &cut, from);
        self.batch = batch;
        reached
    }

    /// Whether remembering spellings is worth while. Where they are made of values that never come again
    /// (a duration that a condition asks for), it only costs. But where there is one rule that takes all
    /// records, there are as many series as spellings, and any other way would remember as much.
    pub(crate) fn is_worth_while(&self) -> bool {
        self.missed <= TRIAL || self.missed <= self.hit || self.is_spelled_out
    }
}

impl Sweep<'_> {
    fn run(&self, tally: &mut Tally, batch: &mut Batch, cut: &Cut, from: usize) -> usize {
        let Piece { marks, text, .. } = self.piece;
        match *cut {
            // A header that is spelled like a record would have been counted as one: so a header is
            // always missed, and only what is missed must be looked at.
            Cut::Line => {
                self.each::<false>(tally, batch, from, usize::MAX, |at, end, _| Some((at, end)))
            }
            Cut::Neighbours { first, count } => {
                let stop = self.input.next_marker(text, from);
                self.each::<false>(tally, batch, from, stop, |at, end, _| {
                    let mut delimiters = marks.delimiters(at);
                    let from = match first {
                        0 => at,
                        _ => delimiters.nth_before(first - 1, end)? + 1,
                    };
                    let inner = match count {
                        1 => from,
                        _ => delimiters.nth_before(count - 2, end)?,
                    };
                    let to = if inner < end { delimiters.nth_before(0, end) } else { None };
                    Some((from, to.unwrap_or(end)))
                })
            }
            Cut::Scattered(ref columns) => {
                let stop = self.input.next_marker(text, from);
                self.each::<true>(tally, batch, from, stop, |at, end, gathered| {
                    let begin = gathered.len();
                    // Where the walk stands: at the beginning of this column.
                    let (mut delimiters, mut column, mut from) = (marks.delimiters(at), 0, at);
                    for wanted in columns.iter().copied() {
                        if wanted < column {
                            (delimiters, column, from) = (marks.delimiters(at), 0, at);
                        }
                        if wanted > column {
                            from = delimiters.nth_before(wanted - column - 1, end)? + 1;
                            column = wanted;
                        }
                        let to = delimiters.clone().nth_before(0, end).unwrap_or(end);
                        gathered.extend_from_slice(&text[from..to]);
                        gathered.push(self.dialect.delimiter());
                    }
                    let end = gathered.len() - 1;
                    gathered.resize(end.max(begin + ROOM), 0);
                    Some((begin, end))
                })
            }
        }
    }

    /// Goes over the records that end before `stop`; `cut` finds the spelling of one, in the text or,
    /// if `GATHERED`, in the buffer that it is given. Each cut gets a loop of its own.
    #[inline]
    fn each<const GATHERED: bool>(
        &self,
        tally: &mut Tally,
        batch: &mut Batch,
        from: usize,
        stop: usize,
        cut: impl Fn(usize, usize, &mut Vec<u8>) -> Option<(usize, usize)>,
    ) -> usize {
        let (mut ends, mut at) = (self.piece.marks.ends(from), from);
        loop {
            let (taken, odd) =
                self.gather::<GATHERED>(&tally.spellings, batch, ends, at, stop, &cut);
            if let Some(header) = self.count::<GATHERED>(tally, batch, ends, at) {
                return header;
            }
            ends = &ends[taken..];
            at = match odd {
                Odd::None(at) => at,
                Odd::Stop(at) => return at,
                Odd::LongWay(record) if self.may_be_header(record) => return record[0],
                Odd::LongWay(record) => {
                    self.long_way(tally, record);
                    ends = &ends[1..];
                    record[2] + 1
                }
            };
        }
    }

    /// Fills the batch. Returns how many ends of records were used up, and why there are not more.
    #[inline]
    fn gather<const GATHERED: bool>(
        &self,
        spellings: &Spellings,
        batch: &mut Batch,
        ends: &[u32],
        mut at: usize,
        stop: usize,
        cut: &impl Fn(usize, usize, &mut Vec<u8>) -> Option<(usize, usize)>,
    ) -> (usize, Odd) {
        let text = self.piece.text;
        let Batch { wanted, records, len, gathered, .. } = batch;
        for (taken, line) in ends.iter().enumerate() {
            let line = *line as usize;
            if *len == BATCH {
                return (taken, Odd::None(at));
            }
            if line >= stop || line - at > RECORD_BYTES_MAX {
                return (taken, Odd::Stop(at));
            }
            let end = content_end(text, at, line);
            let spelled = cut(at, end, gathered).is_some_and(|(from, to)| {
                let source = if GATHERED { gathered.as_slice() } else { text };
                spellings.want(source, from, to, &mut wanted[*len])
            });
            if spelled {
                records[*len] = taken as u32;
                *len += 1;
            } else if end > at {
                return (taken, Odd::LongWay([at, end, line]));
            }
            at = line + 1;
        }
        (ends.len(), Odd::Stop(at))
    }

    /// Counts what the batch has, record by record, and empties it. Stops at a record that may be a
    /// header, and returns where that begins. `ends` are those that the batch was filled from, and `first` is where the first record begins.
    fn count<const GATHERED: bool>(
        &self,
        tally: &mut Tally,
        batch: &mut Batch,
        ends: &[u32],
        first: usize,
    ) -> Option<usize> {
        let source = if GATHERED { batch.gathered.as_slice() } else { self.piece.text };
        let wanted = &batch.wanted[..std::mem::take(&mut batch.len)];
        tally.spellings.fetch(wanted);
        let (mut done, mut header) = (0, None);
        while done < wanted.len() {
            let known = tally.spellings.count(source, &wanted[done..]);
            tally.hit += known as u64;
            done += known;
            let Some(new) = wanted.get(done) else { break };
            let record = self.record(ends, first, batch.records[done] as usize);
            if self.may_be_header(record) {
                header = Some(record[0]);
                break;
            }
            self.count_new(tally, source, new, record);
            done += 1;
        }
        batch.gathered.clear();
        header
    }

    /// Where a record begins, where its content ends, and the line feed.
    fn record(&self, ends: &[u32], first: usize, index: usize) -> [usize; 3] {
        let at = index.checked_sub(1).map_or(first, |before| ends[before] as usize + 1);
        let line = ends[index] as usize;
        [at, content_end(self.piece.text, at, line), line]
    }

    /// Whether a record that was not met before may be a header. Where records are cut out of rows, the
    /// sweep ends before such a record.
    fn may_be_header(&self, [at, end, _]: [usize; 3]) -> bool {
        self.is_by_line && self.input.next_marker(&self.piece.text[..end], at) != usize::MAX
    }

    fn reject(&self, tally: &mut Tally, reason: Reject, [at, end, line]: [usize; 3]) {
        let position = self.piece.start + line as u64 + 1;
        tally.reject(reason, &self.piece.text[at..end], position);
    }

    /// Counts a record with a spelling that is not known, and knows it from now on if it can be counted.
    fn count_new(&self, tally: &mut Tally, source: &[u8], new: &Wanted, record: [usize; 3]) {
        tally.missed += 1;
        if !tally.outcome.read(self.dialect, new.of(source), self.input.rules.columns().len()) {
            return self.long_way(tally, record);
        }
        match tally.outcome.check(&self.input.rules) {
            Ok(bytes) => tally.spellings.insert(source, new, Weight::of(bytes), 1),
            Err(reason) => self.reject(tally, reason, record),
        }
    }

    fn long_way(&self, tally: &mut Tally, [at, end, line]: [usize; 3]) {
        let Piece { text, layout, path, start, .. } = self.piece;
        let body = &text[at..end];
        let quoted = self.dialect.quote().is_some_and(|quote| memchr(quote, body).is_some());
        let record = Record { body, quoted, position: start + line as u64 + 1 };
        tally.add(self.input, layout, path, record);
    }
}

/// Where the content of a record ends, whose line feed is at `line`.
#[inline]
fn content_end(text: &[u8], at: usize, line: usize) -> usize {
    if line > at && text[line - 1] == b'\r' { line - 1 } else { line }
}
