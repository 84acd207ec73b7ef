//! Reads one file as a source: verifies what stands before the position, then turns the next span
//! into a delta's content.
//!
//! Never decides whether a span counts (the store does) and never forgets a partial record: it only
//! advances over complete ones. Every read that continues begins with the tail: one system call
//! brings the bytes before the position and the bytes after it, so a file that was truncated and
//! grew again is noticed before anything of it is counted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use logtally_core::limits::{
    COLUMNS_MAX, DELTA_BYTES_TARGET, READ_BYTES, RECORD_BYTES_MAX, SPAN_BYTES_MAX,
};
use logtally_core::rule::{Reject, Rule};
use logtally_core::source::{SourceState, Tail};
use memchr::{memchr, memmem};

use crate::tally::{Columns, Tally};
use logtally_formats::csv::{Fields, Scan, scan};

/// Buffers of one worker, reused from span to span: first touch of memory is expensive.
pub struct Scratch {
    buffer: Vec<u8>,
    /// The span's increments.
    pub tally: Tally,
}

impl Scratch {
    /// Buffers for `rule`.
    pub fn new(rule: &Rule) -> Self {
        Self { buffer: Vec::new(), tally: Tally::new(rule) }
    }
}

/// Whether anything can follow what is in the file now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// More may be appended: an unterminated last record waits.
    Open,
    /// Nothing is awaited: an unterminated last record is a record.
    Final,
}

/// A place in a file and what is known there.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    position: u64,
    tail: Tail,
    header: Option<u64>,
    columns: Columns,
}

/// One open file.
pub struct Reader {
    file: File,
    rule: Arc<Rule>,
    marker: memmem::Finder<'static>,
    place: Place,
    seek: Option<SourceState>,
    resumed: bool,
}

/// What a read found. The tally of the scratch holds what the span counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadSpan {
    /// Where the span begins.
    pub from: u64,
    /// Where it ends; equal to `from` if there was no complete record.
    pub to: u64,
    /// Tail at `from`.
    pub tail_before: Tail,
    /// Tail at `to`.
    pub tail_after: Tail,
    /// Header in force at `to`.
    pub header: Option<u64>,
    /// Whether the end of the file was reached.
    pub at_end: bool,
    /// Bytes after `to` that belong to an incomplete record.
    pub pending: u64,
    /// Whether reading resumed in the middle of a line, because an unterminated last record was
    /// counted before and has grown since.
    pub resumed_mid_line: bool,
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What stands before the position is not what was counted (the file was truncated, or has
    /// another content), or the header in force is not where it was.
    #[error("the bytes before offset {position} are not those that were counted")]
    Replaced {
        /// The position.
        position: u64,
    },
    /// The file cannot be read.
    #[error("cannot read at offset {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

impl Reader {
    /// A reader at the beginning of `file`.
    pub fn new(file: File, rule: Arc<Rule>) -> Self {
        let longest = rule.columns.iter().max_by_key(|c| c.len()).map_or("", String::as_str);
        let marker = memmem::Finder::new(longest).into_owned();
        let columns = Columns::new(rule.columns_without_header());
        let place = Place { position: 0, tail: Tail::empty(), header: None, columns };
        Self { file, rule, marker, place, seek: None, resumed: false }
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Goes to a stored state. Whether the file agrees with it is verified by the next read.
    pub fn seek(&mut self, state: SourceState) {
        self.seek = Some(state);
    }

    /// Reads the next span: up to the end of the file, or until the span or its increments are large
    /// enough for a commit. On an error the reader stays where it was.
    pub fn read_span(&mut self, scratch: &mut Scratch, end: End) -> Result<ReadSpan, ReadError> {
        scratch.tally.clear();
        if let Some(state) = self.seek.take() {
            self.go_to(&state).inspect_err(|_| self.seek = Some(state))?;
        }
        let before = self.place.clone();
        let result = self.advance(scratch, end, &before);
        if result.is_err() {
            self.place = before;
            scratch.tally.clear();
        }
        result
    }

    fn advance(
        &mut self,
        scratch: &mut Scratch,
        end: End,
        before: &Place,
    ) -> Result<ReadSpan, ReadError> {
        let mut mid_line = false;
        let mut want = READ_BYTES;
        loop {
            let chunk = self.read_chunk(&mut scratch.buffer, want)?;
            let read = &scratch.buffer[..chunk.filled];
            let (tail, data) = read.split_at(chunk.tail_len);
            if std::mem::take(&mut self.resumed) {
                mid_line = !data.is_empty() && tail.last() != Some(&b'\n');
            }
            let last = chunk.at_end && end == End::Final;
            let (used, open_line) = self.consume(data, last, &mut scratch.tally);
            self.place.tail = Tail::of(&read[..chunk.tail_len + used]);
            let mut pending = (data.len() - used) as u64;
            let mut at_end = chunk.at_end;
            if let Some(line) = open_line {
                let from = self.place.position + line.from as u64;
                let (ended, to) = self.skip_line(&mut scratch.buffer, from, end)?;
                at_end = !ended;
                if ended {
                    scratch.tally.reject(line.reason);
                    self.go_past(&mut scratch.buffer, to)?;
                } else {
                    pending = to - self.place.position;
                }
            }
            if at_end || self.is_full(before, &scratch.tally) {
                return Ok(self.span(before, at_end, pending, mid_line));
            }
            // A record that does not fit needs a larger buffer, once: up to the limit.
            want = if used == 0 { RECORD_BYTES_MAX + 2 } else { READ_BYTES };
        }
    }

    fn is_full(&self, before: &Place, tally: &Tally) -> bool {
        self.place.position - before.position >= SPAN_BYTES_MAX
            || tally.packed_len() >= DELTA_BYTES_TARGET
    }

    fn span(&self, before: &Place, at_end: bool, pending: u64, mid_line: bool) -> ReadSpan {
        ReadSpan {
            from: before.position,
            to: self.place.position,
            tail_before: before.tail,
            tail_after: self.place.tail,
            header: self.place.header,
            at_end,
            pending,
            resumed_mid_line: mid_line,
        }
    }

    /// Fills the buffer with the tail and up to `want` bytes after it, and verifies the tail.
    fn read_chunk(&self, buffer: &mut Vec<u8>, want: usize) -> Result<Chunk, ReadError> {
        let position = self.place.position;
        let tail_len = Tail::len_at(position);
        let size = tail_len + want;
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let filled = self.fill(&mut buffer[..size], position - tail_len as u64)?;
        if filled < tail_len || Tail::of(&buffer[..tail_len]) != self.place.tail {
            return Err(ReadError::Replaced { position });
        }
        Ok(Chunk { tail_len, filled, at_end: filled < size })
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            match self.file.read_at(&mut buffer[filled..], at) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { offset: at, source }),
            }
        }
        Ok(filled)
    }

    /// Counts the complete records at the beginning of `data` and moves the position over them.
    /// Returns their length, and the rejected line after them if its end is not in `data`.
    fn consume(&mut self, data: &[u8], last: bool, tally: &mut Tally) -> (usize, Option<OpenLine>) {
        let start = self.place.position;
        let mut used = 0;
        if start == 0 && data.starts_with(BYTE_ORDER_MARK) {
            used = BYTE_ORDER_MARK.len();
        }
        let mut marker = self.next_marker(data, used);
        let mut open_line = None;
        while used < data.len() {
            let len = match scan(&data[used..], last) {
                Scan::Record { body, len, quoted } => {
                    let record = &data[used..used + body];
                    let may_be_header = marker < used + body;
                    if may_be_header && self.take_header(record, start + used as u64) {
                    } else if body > 0 {
                        tally.add(record, quoted, &self.place.columns);
                    }
                    len
                }
                Scan::Rejected { reason, len } => {
                    tally.reject(reason);
                    len
                }
                Scan::RejectedOpen { reason, from } => {
                    open_line = Some(OpenLine { reason, from });
                    break;
                }
                Scan::Incomplete => break,
            };
            used += len;
            if marker < used {
                marker = self.next_marker(data, used);
            }
        }
        self.place.position = start + used as u64;
        (used, open_line)
    }

    /// Where the longest column name stands next: only records that contain it can be headers, and
    /// looking for it costs a fraction of comparing fields.
    fn next_marker(&self, data: &[u8], from: usize) -> usize {
        if self.marker.needle().is_empty() {
            return usize::MAX;
        }
        self.marker.find(&data[from..]).map_or(usize::MAX, |i| from + i)
    }

    /// If the record is a header, its columns are in force from here on.
    fn take_header(&mut self, record: &[u8], offset: u64) -> bool {
        let Some(columns) = header_columns(&self.rule, record) else { return false };
        self.place.columns = columns;
        self.place.header = Some(offset);
        true
    }

    /// Finds the end of a rejected line that has no LF before offset `from`: whether it has ended,
    /// and where it ends so far.
    fn skip_line(
        &self,
        buffer: &mut [u8],
        mut from: u64,
        end: End,
    ) -> Result<(bool, u64), ReadError> {
        loop {
            let filled = self.fill(buffer, from)?;
            if let Some(i) = memchr(b'\n', &buffer[..filled]) {
                return Ok((true, from + i as u64 + 1));
            }
            from += filled as u64;
            if filled < buffer.len() {
                return Ok((end == End::Final, from));
            }
        }
    }

    /// Moves behind a rejected line, and learns the tail there.
    fn go_past(&mut self, buffer: &mut [u8], to: u64) -> Result<(), ReadError> {
        let tail = &mut buffer[..Tail::len_at(to)];
        if self.fill(tail, to - tail.len() as u64)? < tail.len() {
            return Err(ReadError::Replaced { position: to });
        }
        self.place.tail = Tail::of(tail);
        self.place.position = to;
        Ok(())
    }

    fn go_to(&mut self, state: &SourceState) -> Result<(), ReadError> {
        let columns = match state.header {
            None => Columns::new(self.rule.columns_without_header()),
            Some(offset) => self.columns_at(offset, state.position)?,
        };
        let SourceState { position, tail, header, .. } = *state;
        self.place = Place { position, tail, header, columns };
        self.resumed = position > 0;
        Ok(())
    }

    /// Reads the header in force again.
    fn columns_at(&self, offset: u64, position: u64) -> Result<Columns, ReadError> {
        let mut buffer = vec![0; (RECORD_BYTES_MAX + 2).min((position - offset) as usize)];
        let filled = self.fill(&mut buffer, offset)?;
        match scan(&buffer[..filled], true) {
            Scan::Record { body, .. } => header_columns(&self.rule, &buffer[..body]),
            _ => None,
        }
        .ok_or(ReadError::Replaced { position })
    }
}

/// Columns of a record that is a header: one that names all columns of the rule.
fn header_columns(rule: &Rule, record: &[u8]) -> Option<Columns> {
    let mut names = Vec::new();
    for field in Fields::of(record).take(COLUMNS_MAX) {
        let mut name = Vec::new();
        field.append_to(&mut name);
        names.push(name);
    }
    let fields: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    rule.columns_in_header(&fields).map(Columns::new)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a chunk is made of: `tail_len` bytes before the position, then new ones, `filled` in all.
struct Chunk {
    tail_len: usize,
    filled: usize,
    at_end: bool,
}

/// A rejected line without an LF before `from`, counted from the line's beginning.
struct OpenLine {
    reason: Reject,
    from: usize,
}

#[cfg(test)]
mod tests;
