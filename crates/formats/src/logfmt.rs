//! `key=value` pairs. Never guesses: what is no pair makes the whole record malformed.
//!
//! - Blanks (space, tab) stand between pairs. A key is anything without blanks, `=` and `"`.
//! - A key alone has the value `true`; `key=` has the empty value.
//! - A value that begins with `"` goes to the next `"` without `\` before it, and then a blank or the
//!   end must follow. In it `\"`, `\\`, `\n`, `\r` and `\t` are one character; any other backslash is
//!   itself.
//! - Any other value goes to the next blank and may have `=` in it, but no `"`.
//! - Of a key that occurs twice, the last one counts.

use logtally_core::rule::Reject;
use memchr::{memchr, memchr2};

use crate::cells::{Cells, Place};

/// The wanted keys.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Vec<u8>>);

impl Keys {
    pub(crate) fn new(wanted: &[String]) -> Self {
        Self(wanted.iter().map(|name| name.as_bytes().to_vec()).collect())
    }

    pub(crate) fn cells(&self, record: &[u8], cells: &mut Cells) -> Result<(), Reject> {
        let mut at = 0;
        loop {
            at += blanks(&record[at..]);
            if at == record.len() {
                return Ok(());
            }
            let key = &record[at..at + key_len(&record[at..])?];
            at += key.len();
            let value = value(record, &mut at)?;
            for (slot, _) in self.0.iter().enumerate().filter(|(_, name)| *name == key) {
                let place = value.place(record, cells);
                cells.put(slot, place);
            }
        }
    }
}

enum Value {
    Alone,
    Verbatim { from: usize, to: usize },
    Escaped { from: usize, to: usize },
}

impl Value {
    fn place(&self, record: &[u8], cells: &mut Cells) -> Place {
        match *self {
            Self::Alone => Place::Text("true"),
            Self::Verbatim { from, to } => Place::Record(from..to),
            Self::Escaped { from, to } => {
                let start = cells.scratch.len();
                unescape(&record[from..to], &mut cells.scratch);
                Place::Scratch(start..cells.scratch.len())
            }
        }
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().position(|b| !matches!(b, b' ' | b'\t')).unwrap_or(text.len())
}

fn word_len(text: &[u8]) -> usize {
    memchr2(b' ', b'\t', text).unwrap_or(text.len())
}

fn key_len(text: &[u8]) -> Result<usize, Reject> {
    let special = |b: &u8| matches!(b, b' ' | b'\t' | b'=' | b'"');
    match text.iter().position(special) {
        Some(0) => Err(Reject::Malformed),
        Some(len) if text[len] == b'"' => Err(Reject::Malformed),
        found => Ok(found.unwrap_or(text.len())),
    }
}

/// The value of the key that ends at `at`; moves `at` behind it.
fn value(record: &[u8], at: &mut usize) -> Result<Value, Reject> {
    if record.get(*at) != Some(&b'=') {
        return Ok(Value::Alone);
    }
    let from = *at + 1;
    if record.get(from) == Some(&b'"') {
        return quoted(record, from + 1, at);
    }
    let to = from + word_len(&record[from..]);
    *at = to;
    match memchr(b'"', &record[from..to]) {
        Some(_) => Err(Reject::Malformed),
        None => Ok(Value::Verbatim { from, to }),
    }
}

fn quoted(record: &[u8], from: usize, at: &mut usize) -> Result<Value, Reject> {
    let (mut to, mut escaped) = (from, false);
    loop {
        let rest = record.get(to..).unwrap_or_default();
        to += memchr2(b'"', b'\\', rest).ok_or(Reject::Malformed)?;
        if record[to] == b'"' {
            break;
        }
        escaped = true;
        to += 2;
    }
    *at = to + 1;
    if !matches!(record.get(*at), None | Some(b' ' | b'\t')) {
        return Err(Reject::Malformed);
    }
    Ok(if escaped { Value::Escaped { from, to } } else { Value::Verbatim { from, to } })
}

fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(i) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..i]);
        let escaped = rest.get(i + 1).copied();
        match escaped {
            Some(byte @ (b'"' | b'\\')) => out.push(byte),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            other => out.extend(std::iter::once(b'\\').chain(other)),
        }
        rest = rest.get(i + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
