//! An input that can be looked at ahead of where it is, as far as one record needs.

use std::io::{self, BufRead, ErrorKind};

use logtally_core::limits::RECORD_BYTES_MAX;
use logtally_core::rule::Reject;

/// Taken from the input at once; more would only be kept for nothing.
const PIECE: usize = 64 << 10;

/// What stood at the beginning, and was taken.
pub(crate) enum Found {
    /// A record's content.
    Content(Vec<u8>),
    /// A line that is rejected.
    Rejected(Reject),
}

pub(crate) struct Ahead<'a> {
    input: &'a mut dyn BufRead,
    bytes: Vec<u8>,
    /// How many of the bytes are behind us.
    start: usize,
    offset: u64,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, bytes: Vec::new(), start: 0, offset: 0 }
    }

    /// Where in the input we are.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The byte `ahead` of where we are; `None` behind the end.
    pub(crate) fn byte(&mut self, ahead: usize) -> io::Result<Option<u8>> {
        while self.start + ahead >= self.bytes.len() {
            if !self.fetch()? {
                return Ok(None);
            }
        }
        Ok(Some(self.bytes[self.start + ahead]))
    }

    fn fetch(&mut self) -> io::Result<bool> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let piece = loop {
            match self.input.fill_buf() {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let piece = &piece[..piece.len().min(PIECE)];
        let len = piece.len();
        self.bytes.extend_from_slice(piece);
        self.input.consume(len);
        Ok(len > 0)
    }

    /// Goes `len` bytes on; they have been looked at.
    pub(crate) fn go(&mut self, len: usize) {
        self.start += len;
        self.offset += len as u64;
    }

    pub(crate) fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        if self.offset > 0 {
            return Ok(());
        }
        for (at, expected) in [0xEF, 0xBB, 0xBF].into_iter().enumerate() {
            if self.byte(at)? != Some(expected) {
                return Ok(());
            }
        }
        self.go(3);
        Ok(())
    }

    /// Goes behind the next LF, or to the end.
    pub(crate) fn skip_line(&mut self) -> io::Result<()> {
        while let Some(byte) = self.byte(0)? {
            self.go(1);
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }

    /// Takes the first `len` bytes as a record's content, and the LF behind them if there is one.
    pub(crate) fn take(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let ended = self.byte(len)?.is_some();
        let mut content = self.bytes[self.start..self.start + len].to_vec();
        if content.last() == Some(&b'\r') {
            content.pop();
        }
        self.go(len + usize::from(ended));
        Ok(content)
    }

    /// Takes a line.
    pub(crate) fn take_line(&mut self) -> io::Result<Found> {
        for at in 0..=RECORD_BYTES_MAX {
            if matches!(self.byte(at)?, None | Some(b'\n')) {
                return Ok(Found::Content(self.take(at)?));
            }
        }
        self.skip_line()?;
        Ok(Found::Rejected(Reject::Oversized))
    }
}
