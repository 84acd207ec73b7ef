//! One pass over a record: checks that it is JSON, and notes the wanted values on the way.

use std::ops::Range;

use logtally_core::limits::JSON_DEPTH_MAX;
use logtally_core::rule::Reject;

use super::paths::{Key, Paths};
use super::strings;
use crate::cells::{Cells, Place};

/// The depth at which a slot has been found; this much if it has not.
const NOT_FOUND: usize = usize::MAX;

/// Finds the wanted values of a record.
pub(crate) fn cells(paths: &Paths, record: &[u8], cells: &mut Cells) -> Result<(), Reject> {
    // Nothing below looks at single bytes above 127, so this is all there is to check.
    std::str::from_utf8(record).map_err(|_| Reject::Malformed)?;
    Scanner::new(paths, record, cells).record().ok_or(Reject::Malformed)
}

struct Scanner<'a> {
    paths: &'a Paths,
    text: &'a [u8],
    at: usize,
    cells: &'a mut Cells,
}

/// A value as it stands in the text.
enum Value {
    Null,
    /// A number, a word, an object or an array: its text.
    Text(Range<usize>),
    /// The content of a string.
    Str {
        content: Range<usize>,
        escaped: bool,
    },
}

impl<'a> Scanner<'a> {
    fn new(paths: &'a Paths, text: &'a [u8], cells: &'a mut Cells) -> Self {
        cells.reset_depths(NOT_FOUND);
        Self { paths, text, at: 0, cells }
    }

    /// The record: one object and nothing else. `None` if it is malformed.
    fn record(&mut self) -> Option<()> {
        self.blanks();
        if self.peek() != Some(b'{') {
            return None;
        }
        self.value(Some(0), 1)?;
        self.blanks();
        (self.at == self.text.len()).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The value that begins here, in which `node` tells what is wanted, if anything is. `depth` is
    /// the one that it would have as an object.
    fn value(&mut self, node: Option<usize>, depth: usize) -> Option<Value> {
        let from = self.at;
        match self.peek()? {
            b'{' => self.object(node, depth)?,
            b'[' => self.array(node, depth)?,
            b'"' => {
                let (content, escaped) = self.string()?;
                return Some(Value::Str { content, escaped });
            }
            b'n' => {
                self.word(b"null")?;
                return Some(Value::Null);
            }
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            _ => self.number()?,
        }
        Some(Value::Text(from..self.at))
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn string(&mut self) -> Option<(Range<usize>, bool)> {
        self.take(b'"')?;
        let from = self.at;
        let (to, escaped) = strings::end(self.text, from)?;
        self.at = to + 1;
        Some((from..to, escaped))
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        // A number begins with 0 only if that is all before the point.
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let len = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        self.at += len;
        (len > 0).then_some(())
    }

    fn object(&mut self, node: Option<usize>, depth: usize) -> Option<()> {
        self.open(depth)?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let (name, escaped) = self.string()?;
            let key = node.and_then(|node| self.key(node, name, escaped));
            self.blanks();
            self.take(b':')?;
            self.blanks();
            self.member(key, depth)?;
            self.blanks();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn array(&mut self, node: Option<usize>, depth: usize) -> Option<()> {
        self.open(depth)?;
        if self.take(b']').is_some() {
            return Some(());
        }
        let mut index = 0;
        loop {
            let key = node.and_then(|node| self.paths.find_index(node, index));
            self.member(key, depth)?;
            self.blanks();
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
            index += 1;
        }
    }

    /// Goes past the bracket of an object or array.
    fn open(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        self.blanks();
        (depth <= JSON_DEPTH_MAX).then_some(())
    }

    fn key(&mut self, node: usize, name: Range<usize>, escaped: bool) -> Option<&'a Key> {
        let raw = &self.text[name];
        if !escaped {
            return self.paths.find(node, raw);
        }
        let from = self.cells.scratch.len();
        strings::unescape(raw, &mut self.cells.scratch);
        let key = self.paths.find(node, &self.cells.scratch[from..]);
        self.cells.scratch.truncate(from);
        key
    }

    /// The value of a key of an object or array at `depth`.
    fn member(&mut self, key: Option<&'a Key>, depth: usize) -> Option<()> {
        let Some(key) = key else { return self.value(None, depth + 1).map(|_| ()) };
        for &slot in &key.below {
            // What was found under the same key before does not count any more.
            if self.cells.depths[slot] > depth {
                self.cells.depths[slot] = NOT_FOUND;
                self.cells.put(slot, Place::Absent);
            }
        }
        let value = self.value((!key.below.is_empty()).then_some(key.child), depth + 1)?;
        // A key that is the whole rest of the name comes before its parts. (All these slots have the
        // same name, so one tells for all.)
        if key.here.first().is_some_and(|slot| self.cells.depths[*slot] >= depth) {
            let place = self.place(value);
            self.cells.put_all(&key.here, &place);
            for &slot in &key.here {
                self.cells.depths[slot] = depth;
            }
        }
        Some(())
    }

    fn place(&mut self, value: Value) -> Place {
        match value {
            Value::Null => Place::Absent,
            Value::Text(range) => Place::Record(range),
            Value::Str { content, escaped: false } => Place::Record(content),
            Value::Str { content, escaped: true } => {
                let from = self.cells.scratch.len();
                strings::unescape(&self.text[content], &mut self.cells.scratch);
                Place::Scratch(from..self.cells.scratch.len())
            }
        }
    }
}
