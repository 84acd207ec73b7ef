//! Reads one source: verifies what stands before the position, then turns the next span into a
//! delta's content.
//!
//! Never decides whether a span counts (the store does) and never forgets a partial record: it only
//! advances over complete ones. Every read that continues begins with the tail: one system call
//! brings the bytes before the position and the bytes after it, so a file that was truncated and
//! grew again is noticed before anything of it is counted.

use std::io;
use std::sync::Arc;

use logtally_core::limits::{
    READ_BYTES, RECORD_BYTES_MAX, RECORD_INCREMENTS_BYTES_MAX, SPAN_BYTES_MAX,
};
use logtally_core::source::{SourceEnd, SourceState, Tail};
use logtally_formats::{Layout, Scan};
use memchr::memchr;

use logtally_count::input::Input;
use logtally_count::reading::Reading;
use logtally_count::records::{BYTE_ORDER_MARK, Cursor};

use self::scratch::grow;
pub use self::scratch::{Scratch, SpanLimits};
use crate::content::Content;

mod scratch;
mod together;

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
    at: Cursor,
    tail: Tail,
    end: Option<SourceEnd>,
}

/// One source.
pub struct Reader {
    content: Option<Content>,
    reading: Reading,
    place: Place,
    seek: Option<SourceState>,
    resumed: bool,
    /// So many steps are still to be done by one thread, because something unusual was met.
    steps_alone: u32,
}

/// Steps that one thread does after something unusual: a file with headers in its middle has more of
/// them, mostly.
const ALONE_STEPS: u32 = 16;

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
    /// A reader at the beginning of a source. Without content it must be opened before it reads.
    pub fn new(content: Option<Content>, reading: Reading) -> Self {
        let at = Cursor::start(&reading.input);
        let place = Place { at, tail: Tail::empty(), end: None };
        Self { content, reading, place, seek: None, resumed: false, steps_alone: 0 }
    }

    /// The content, if it is open.
    pub fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Opens the source again.
    pub fn open(&mut self, content: Content) {
        self.content = Some(content);
    }

    /// Closes the source; its place stays.
    pub fn close(&mut self) {
        self.content = None;
    }

    /// How the records are read.
    pub fn input(&self) -> &Arc<Input> {
        &self.reading.input
    }

    /// Reads on in this way from the next span on.
    pub fn adopt(&mut self, reading: Reading) {
        if self.reading.is_same(&reading) {
            return;
        }
        self.reading = reading;
        // The header in force is to be understood anew; whatever is going to be sought comes first.
        let here = &self.place;
        let state = SourceState {
            position: here.at.position,
            tail: here.tail,
            note: here.at.header,
            end: here.end,
            ..SourceState::start(logtally_core::source::Generation(0))
        };
        self.seek = self.seek.or(Some(state));
    }

    /// Goes to a stored state. Whether the file agrees with it is verified by the next read.
    pub fn seek(&mut self, state: SourceState) {
        self.seek = Some(state);
    }

    /// The tail at a position that is not behind the one that was reached; for the end of a source
    /// that begins now.
    pub fn place(&self) -> SourceEnd {
        SourceEnd { position: self.place.at.position, tail: self.place.tail }
    }

    /// Reads the next span: up to the end of the file, or until the span or its increments are large
    /// enough for a commit. On an error the reader stays where it was.
    pub fn read_span(&mut self, scratch: &mut Scratch, end: End) -> Result<ReadSpan, ReadError> {
        scratch.tally.clear();
        scratch.tally.set_bytes_max(scratch.limits.increments);
        if let Some(state) = self.seek.take() {
            self.go_to(&state, &mut scratch.buffer).inspect_err(|_| self.seek = Some(state))?;
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
        self.check_end(&mut scratch.buffer)?;
        let mut may_share = self.steps_alone == 0;
        self.steps_alone = self.steps_alone.saturating_sub(1);
        loop {
            // Behind the first chunk, before which the file was verified to be the same; and once.
            if may_share && self.place.at.position > before.at.position {
                may_share = false;
                self.read_together(scratch, before);
                if self.is_full(before, scratch) {
                    return Ok(self.span(before, false, 0, mid_line));
                }
            }
            let chunk = self.read_chunk(&mut scratch.buffer, want)?;
            let read = &scratch.buffer[..chunk.filled];
            let (tail, data) = read.split_at(chunk.tail_len);
            if std::mem::take(&mut self.resumed) {
                mid_line = !data.is_empty() && tail.last() != Some(&b'\n');
            }
            let last = chunk.at_end && end == End::Final;
            let (used, open_line) =
                self.place.at.consume(&self.reading, data, last, &mut scratch.tally);
            self.place.tail = Tail::of(&read[..chunk.tail_len + used]);
            let is_cut_short = scratch.tally.is_full() && used < data.len();
            let mut pending = if is_cut_short { 0 } else { (data.len() - used) as u64 };
            let mut at_end = chunk.at_end && !is_cut_short;
            if let Some(line) = open_line {
                let from = self.place.at.position + line.from as u64;
                let (ended, to) = self.skip_line(&mut scratch.buffer, from, end)?;
                at_end = !ended;
                if ended {
                    scratch.tally.reject(line.reason, &[], to);
                    self.go_past(&mut scratch.buffer, to)?;
                } else {
                    pending = to - self.place.at.position;
                }
            }
            let moved = self.place.at.position > before.at.position;
            match chunk.error {
                // What stands before the error counts; the next read meets the error again.
                Some(_) if moved => return Ok(self.span(before, false, pending, mid_line)),
                Some(error) => return Err(error),
                None => {}
            }
            if at_end || self.is_full(before, scratch) {
                return Ok(self.span(before, at_end, pending, mid_line));
            }
            // A record that does not fit needs a larger buffer, once: up to the limit.
            want = if used == 0 { RECORD_BYTES_MAX + 2 } else { READ_BYTES };
        }
    }

    /// For a source that ends before its file: whether the bytes before its end are still the same.
    fn check_end(&mut self, buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        let Some(end) = self.place.end else { return Ok(()) };
        if self.tail_at(end.position, buffer)? == Some(end.tail) {
            Ok(())
        } else {
            Err(ReadError::Replaced { position: end.position })
        }
    }

    fn is_full(&self, before: &Place, scratch: &Scratch) -> bool {
        let mut bytes_max = scratch.limits.bytes;
        if !self.reading.input.has_fast_path() {
            bytes_max = bytes_max.min(SPAN_BYTES_MAX);
        }
        self.place.at.position - before.at.position >= bytes_max || scratch.tally.is_full()
    }

    /// Reads as much of the span as there are whole blocks for, with the help of others, if there is
    /// enough for that. If something is unusual there, goes back to the beginning of the span.
    fn read_together(&mut self, scratch: &mut Scratch, before: &Place) {
        let Some(Content::File(file)) = &self.content else { return };
        let at = &self.place.at;
        let Some(dialect) = at.fast_path(&self.reading.input) else { return };
        if scratch.helpers.is_empty() || self.place.end.is_some() {
            return;
        }
        let left = file.metadata().map_or(0, |m| m.len()).saturating_sub(at.position);
        let room = (before.at.position + scratch.limits.bytes).saturating_sub(at.position);
        let blocks = left.min(room) / READ_BYTES as u64;
        if blocks < together::BLOCKS_MIN {
            return;
        }
        let increments_max = scratch.limits.increments.saturating_sub(scratch.tally.packed_len());
        let (reading, tail) = (&self.reading, self.place.tail);
        let part = together::Part { file, reading, dialect, at, tail, blocks, increments_max };
        let bytes_max = scratch.limits.increments + RECORD_INCREMENTS_BYTES_MAX;
        let counted = part.count(scratch, bytes_max);
        scratch.tally.set_bytes_max(scratch.limits.increments);
        if let Ok((position, tail)) = counted {
            self.place.at.position = position;
            self.place.tail = tail;
        } else {
            self.steps_alone = ALONE_STEPS;
            self.place = before.clone();
            scratch.tally.clear();
        }
    }

    fn span(&self, before: &Place, at_end: bool, pending: u64, mid_line: bool) -> ReadSpan {
        ReadSpan {
            from: before.at.position,
            to: self.place.at.position,
            tail_before: before.tail,
            tail_after: self.place.tail,
            header: self.place.at.header,
            at_end,
            pending,
            resumed_mid_line: mid_line,
        }
    }

    /// Fills the buffer with the tail and up to `want` bytes after it, and verifies the tail.
    fn read_chunk(&mut self, buffer: &mut Vec<u8>, want: usize) -> Result<Chunk, ReadError> {
        let position = self.place.at.position;
        let tail_len = Tail::len_at(position);
        let left = self.place.end.map_or(u64::MAX, |end| end.position - position);
        let size = tail_len + left.min(want as u64) as usize;
        grow(buffer, size);
        let (filled, error) = self.fill_some(&mut buffer[..size], position - tail_len as u64);
        if filled <= tail_len
            && let Some(error) = error
        {
            return Err(error);
        }
        if filled < tail_len || Tail::of(&buffer[..tail_len]) != self.place.tail {
            return Err(ReadError::Replaced { position });
        }
        let ends_here = left <= (filled - tail_len) as u64;
        let at_end = error.is_none() && (filled < size || ends_here);
        Ok(Chunk { tail_len, filled, at_end, error })
    }

    fn fill(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, ReadError> {
        match self.fill_some(buffer, offset) {
            (filled, None) => Ok(filled),
            (_, Some(error)) => Err(error),
        }
    }

    /// Fills the buffer as far as possible. Returns how far, and what stopped it before the end.
    fn fill_some(&mut self, buffer: &mut [u8], offset: u64) -> (usize, Option<ReadError>) {
        let Some(content) = &mut self.content else {
            let source = io::Error::from(io::ErrorKind::NotFound);
            return (0, Some(ReadError::Io { offset, source }));
        };
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            match content.read_at(&mut buffer[filled..], at) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return (filled, Some(ReadError::Io { offset: at, source })),
            }
        }
        (filled, None)
    }

    /// The tail at a position; `None` if the source does not come that far.
    fn tail_at(&mut self, position: u64, buffer: &mut Vec<u8>) -> Result<Option<Tail>, ReadError> {
        let len = Tail::len_at(position);
        grow(buffer, len);
        let filled = self.fill(&mut buffer[..len], position - len as u64)?;
        Ok((filled == len).then(|| Tail::of(&buffer[..len])))
    }

    /// Finds the end of a rejected line that has no LF before offset `from`: whether it has ended,
    /// and where it ends so far.
    fn skip_line(
        &mut self,
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
        self.place.at.position = to;
        Ok(())
    }

    fn go_to(&mut self, state: &SourceState, buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        // Where the first record is a header, one that was counted under other rules is one, too.
        let is_first_header = self.reading.input.format.has_header_first() && state.position > 0;
        let header = state.note.or(if is_first_header { Some(0) } else { None });
        let (layout, header) = match header {
            None => (self.reading.input.format.start(), None),
            Some(offset) => self.layout_at(offset, state.position, buffer)?,
        };
        let SourceState { position, tail, end, .. } = *state;
        self.place = Place { at: Cursor { position, header, layout }, tail, end };
        self.resumed = position > 0;
        Ok(())
    }

    /// Reads the header in force again: the first record from `offset` on. Under other rules it may
    /// not be one any more; then the columns are those of a source without a header, and its place is
    /// kept for the rules to come.
    fn layout_at(
        &mut self,
        offset: u64,
        position: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<(Layout, Option<u64>), ReadError> {
        let len = (RECORD_BYTES_MAX + 2).min(position.saturating_sub(offset) as usize);
        grow(buffer, len);
        let filled = self.fill(&mut buffer[..len], offset)?;
        let data = &buffer[..filled];
        let mut at = if offset == 0 && data.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
        let format = &self.reading.input.format;
        while at < data.len() {
            let Scan::Record { body, len, .. } = format.scan(&data[at..], true) else { break };
            if body > 0 {
                let layout = format.header(&data[at..at + body], true);
                let layout = layout.unwrap_or_else(|| format.start());
                return Ok((layout, Some(offset + at as u64)));
            }
            at += len;
        }
        Err(ReadError::Replaced { position })
    }
}

/// What a chunk is made of: `tail_len` bytes before the position, then new ones, `filled` in all.
struct Chunk {
    tail_len: usize,
    filled: usize,
    at_end: bool,
    /// Why there is not more.
    error: Option<ReadError>,
}

#[cfg(test)]
mod delta_bound_tests;
#[cfg(test)]
mod tests;
