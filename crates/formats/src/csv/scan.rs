//! Where the next record ends.

use logtally_core::limits::RECORD_BYTES_MAX;
use logtally_core::rule::Reject;
use memchr::{memchr, memchr2};

use super::dialect::Dialect;

/// What stands at the beginning of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// A complete record: its content is `..body`, and the next one begins at `len`.
    Record {
        /// Length without the terminator.
        body: usize,
        /// Length with the terminator.
        len: usize,
        /// Whether the content has a quote, so that its fields need unquoting.
        quoted: bool,
    },
    /// A physical line that is rejected; the next record begins at `len`.
    Rejected {
        /// Why.
        reason: Reject,
        /// Length with the terminator.
        len: usize,
    },
    /// A line that is rejected and whose end is not in the buffer: everything up to and including
    /// the first LF at or after `from` belongs to it.
    RejectedOpen {
        /// Why.
        reason: Reject,
        /// Where to look for the LF.
        from: usize,
    },
    /// The record's end is not in the buffer, and the buffer is not yet above the limit.
    Incomplete,
}

/// Scans the record at the beginning of `buffer`, which is not empty. `last` tells that nothing will ever
/// follow the buffer. Linear in the record's length. A comment is a record without content: its whole
/// physical line.
pub(crate) fn scan_in(dialect: Dialect, buffer: &[u8], last: bool) -> Scan {
    if dialect.comment.is_some() && buffer.first().copied() == dialect.comment {
        return match scan_line(buffer, last) {
            Scan::Record { len, .. } => Scan::Record { body: 0, len, quoted: false },
            other => other,
        };
    }
    let Some(quote) = dialect.quote else { return scan_line(buffer, last) };
    match memchr2(b'\n', quote, buffer) {
        Some(end) if buffer[end] == b'\n' => ended(buffer, end, false),
        Some(_) => scan_quoted(dialect, quote, buffer, last),
        None => no_end(buffer, last, false),
    }
}

/// Scans the line at the beginning of `buffer`: what a record is where nothing can be quoted. The
/// limit, the line end and `last` mean what they mean in [`scan_in`].
pub(crate) fn scan_line(buffer: &[u8], last: bool) -> Scan {
    match memchr(b'\n', buffer) {
        Some(end) => ended(buffer, end, false),
        None => no_end(buffer, last, false),
    }
}

fn ended(buffer: &[u8], end: usize, quoted: bool) -> Scan {
    if end > RECORD_BYTES_MAX {
        return Scan::Rejected { reason: Reject::Oversized, len: end + 1 };
    }
    let body = if end > 0 && buffer[end - 1] == b'\r' { end - 1 } else { end };
    Scan::Record { body, len: end + 1, quoted }
}

/// No LF ends the record within the buffer, and no quote is open at its end.
fn no_end(buffer: &[u8], last: bool, quoted: bool) -> Scan {
    if buffer.len() > RECORD_BYTES_MAX {
        return reject_from(buffer, Reject::Oversized, RECORD_BYTES_MAX, last);
    }
    if !last {
        return Scan::Incomplete;
    }
    let body = buffer.strip_suffix(b"\r").unwrap_or(buffer).len();
    Scan::Record { body, len: buffer.len(), quoted }
}

/// Rejects everything up to the first LF at or after `from`.
fn reject_from(buffer: &[u8], reason: Reject, from: usize, last: bool) -> Scan {
    match memchr(b'\n', &buffer[from..]) {
        Some(at) => Scan::Rejected { reason, len: from + at + 1 },
        None if last => Scan::Rejected { reason, len: buffer.len() },
        None => Scan::RejectedOpen { reason, from: buffer.len() },
    }
}

/// The record has a quote somewhere: go through its fields.
fn scan_quoted(dialect: Dialect, quote: u8, buffer: &[u8], last: bool) -> Scan {
    // The decision must not depend on how much more is at hand than the limit needs.
    let window = &buffer[..buffer.len().min(RECORD_BYTES_MAX + 1)];
    let mut at = 0;
    loop {
        if window.get(at) == Some(&quote) {
            match dialect.after_quoted(quote, window, at + 1) {
                Some(next) => at = next,
                None if window.len() > RECORD_BYTES_MAX || last => {
                    return reject_from(buffer, Reject::UnclosedQuote, 0, last);
                }
                None => return Scan::Incomplete,
            }
        }
        // Now outside quotes: the rest of the field is plain.
        match memchr2(dialect.delimiter, b'\n', &window[at..]) {
            Some(i) if window[at + i] == dialect.delimiter => at += i + 1,
            Some(i) => return ended(buffer, at + i, true),
            None => return no_end(buffer, last, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(buffer: &[u8], last: bool) -> Scan {
        scan_in(Dialect::STANDARD, buffer, last)
    }

    fn record(body: usize, len: usize, quoted: bool) -> Scan {
        Scan::Record { body, len, quoted }
    }

    #[test]
    fn records_end_where_rfc_4180_says() {
        let check = |text: &str, expected: Scan| {
            assert_eq!(scan(text.as_bytes(), false), expected, "{text:?}");
        };
        check("a,b\nc", record(3, 4, false));
        check("a,b\r\nc", record(3, 5, false));
        check("\nx", record(0, 1, false));
        check("\r\nx", record(0, 2, false));
        check("a\rb\n", record(3, 4, false));
        check("\"a\nb\",c\nd", record(7, 8, true));
        check("\"a\"\"\n\",c\nd", record(8, 9, true));
        check("a\"b\nc\"", record(3, 4, true));
        check("\"a\"x\ny", record(4, 5, true));
        check("a,b", Scan::Incomplete);
        check("\"a\n", Scan::Incomplete);
        check("\"a\"", Scan::Incomplete);
    }

    #[test]
    fn the_end_of_the_file_ends_the_last_record() {
        assert_eq!(scan(b"a,b", true), record(3, 3, false));
        assert_eq!(scan(b"a,b\r", true), record(3, 4, false));
        assert_eq!(scan(b"\"a\",b", true), record(5, 5, true));
        let unclosed = Scan::Rejected { reason: Reject::UnclosedQuote, len: 5 };
        assert_eq!(scan(b"\"a,b\nc,d\n", true), unclosed, "that line alone");
    }

    #[test]
    fn the_limit_is_exact() {
        let mut line = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(scan(&line, false), Scan::Incomplete);
        line.push(b'\n');
        assert_eq!(scan(&line, false), record(RECORD_BYTES_MAX, RECORD_BYTES_MAX + 1, false));
        line[RECORD_BYTES_MAX] = b'x';
        let from = line.len();
        assert_eq!(scan(&line, false), Scan::RejectedOpen { reason: Reject::Oversized, from });
        line.push(b'\n');
        let len = line.len();
        assert_eq!(scan(&line, false), Scan::Rejected { reason: Reject::Oversized, len });
    }

    #[test]
    fn an_unclosed_quote_costs_one_line() {
        let mut text = b"\"open,\nnext,line\n".to_vec();
        text.resize(RECORD_BYTES_MAX + 1, b'x');
        let expected = Scan::Rejected { reason: Reject::UnclosedQuote, len: 7 };
        assert_eq!(scan(&text, false), expected);
        assert_eq!(scan(&text[..RECORD_BYTES_MAX], false), Scan::Incomplete);
        // A closing quote beyond the limit does not change the decision, however much is at hand.
        text.extend_from_slice(b"\"\nmore\n");
        assert_eq!(scan(&text, false), expected);
    }
}
