//! The special bytes of a dialect, checked once.

use memchr::{memchr, memchr2};

use crate::error::FormatError;
use crate::spec::CsvSpec;

/// Which bytes have a meaning. Never two meanings for one byte, and never a line end among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

impl Dialect {
    /// Commas and double quotes, as in RFC 4180.
    pub const STANDARD: Self =
        Self { delimiter: b',', quote: Some(b'"'), escape: None, comment: None };

    /// The byte between two fields.
    pub fn delimiter(self) -> u8 {
        self.delimiter
    }

    /// The byte around a quoted field, if there can be one.
    pub fn quote(self) -> Option<u8> {
        self.quote
    }

    pub(crate) fn new(spec: &CsvSpec) -> Result<Self, FormatError> {
        let &CsvSpec { delimiter, quote, escape, comment, .. } = spec;
        let mut taken: Vec<(&'static str, u8)> = Vec::new();
        let named = [("quote", quote), ("escape", escape), ("comment", comment)];
        for (field, byte) in std::iter::once(("delimiter", Some(delimiter))).chain(named) {
            let Some(byte) = byte else { continue };
            if byte == b'\n' || byte == b'\r' {
                return Err(FormatError::LineEnd { field });
            }
            if let Some((other, _)) = taken.iter().find(|(_, used)| *used == byte) {
                return Err(FormatError::SameByte { field, other, byte: byte.into() });
            }
            taken.push((field, byte));
        }
        if escape.is_some() && quote.is_none() {
            return Err(FormatError::EscapeWithoutQuote);
        }
        Ok(Self { delimiter, quote, escape, comment })
    }

    /// The same dialect for a record that has no quote: looking for one can be left out.
    pub(crate) fn unquoted(self) -> Self {
        Self { quote: None, ..self }
    }

    /// Where the next byte with a meaning inside a quoted field stands.
    pub(super) fn find_special(self, quote: u8, text: &[u8]) -> Option<usize> {
        match self.escape {
            None => memchr(quote, text),
            Some(escape) => memchr2(quote, escape, text),
        }
    }

    /// The index after the quote that closes a quoted field whose content begins at `at`.
    pub(super) fn after_quoted(self, quote: u8, text: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let found = at + self.find_special(quote, text.get(at..)?)?;
            at = found + 1;
            if text[found] == quote && text.get(at) != Some(&quote) {
                return Some(at);
            }
            // The second of two quotes, or whatever was escaped.
            at += 1;
        }
    }
}
