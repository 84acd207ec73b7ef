//! The fields of one complete record.

use std::ops::Range;

use memchr::memchr;

use super::dialect::Dialect;

/// A field as it stands in the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field<'a> {
    /// The value itself.
    Plain(&'a [u8]),
    /// The raw text of a field that begins with a quote.
    Quoted(&'a [u8]),
}

impl Field<'_> {
    /// Appends the value to `out`, without quotes and with `""` as `"`, in the dialect that the field was
    /// found in.
    pub fn append_in(self, dialect: Dialect, out: &mut Vec<u8>) {
        let (raw, quote) = match (self, dialect.quote) {
            (Self::Quoted(raw), Some(quote)) => (raw, quote),
            (Self::Plain(value) | Self::Quoted(value), _) => return out.extend_from_slice(value),
        };
        let mut rest = raw.get(1..).unwrap_or_default();
        while let Some(i) = dialect.find_special(quote, rest) {
            out.extend_from_slice(&rest[..i]);
            let escaped = rest[i] != quote;
            rest = &rest[i + 1..];
            match rest.split_first() {
                Some((&byte, after)) if escaped || byte == quote => {
                    out.push(byte);
                    rest = after;
                }
                _ => break,
            }
        }
        out.extend_from_slice(rest);
    }

    /// Where the value stands within the field's text, if it stands there as it is.
    pub(crate) fn verbatim(self, dialect: Dialect) -> Option<Range<usize>> {
        match (self, dialect.quote) {
            (Self::Quoted(raw), Some(quote)) => {
                let inner = raw.get(1..)?;
                let end = dialect.find_special(quote, inner)?;
                (end + 1 == inner.len() && inner[end] == quote).then_some(1..raw.len() - 1)
            }
            (Self::Plain(value) | Self::Quoted(value), _) => Some(0..value.len()),
        }
    }

    /// Whether the value is `name`.
    pub(crate) fn is(self, dialect: Dialect, name: &[u8]) -> bool {
        let (Self::Plain(raw) | Self::Quoted(raw)) = self;
        // Unquoting only ever shortens.
        if raw.len() < name.len() {
            return false;
        }
        if let Some(range) = self.verbatim(dialect) {
            return &raw[range] == name;
        }
        let mut value = Vec::new();
        self.append_in(dialect, &mut value);
        value == name
    }
}

/// Goes through the fields of a record's content (terminator excluded, quotes balanced).
pub struct Fields<'a> {
    body: &'a [u8],
    /// Where the next field begins; one past the end after the last one.
    at: usize,
    dialect: Dialect,
}

impl<'a> Fields<'a> {
    /// The fields of `body`.
    pub fn in_dialect(body: &'a [u8], dialect: Dialect) -> Self {
        Self { body, at: 0, dialect }
    }

    /// Where the next field begins.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The text up to the first delimiter at or after `from`.
    fn until_delimiter(&mut self, from: usize) -> &'a [u8] {
        let end = match memchr(self.dialect.delimiter, &self.body[from..]) {
            Some(i) => from + i,
            None => self.body.len(),
        };
        let text = &self.body[self.at..end];
        self.at = end + 1;
        text
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let body = self.body.get(self.at..)?;
        match (body.first(), self.dialect.quote) {
            (Some(first), Some(quote)) if *first == quote => {
                let closed = self.dialect.after_quoted(quote, self.body, self.at + 1);
                Some(Field::Quoted(self.until_delimiter(closed.unwrap_or(self.body.len()))))
            }
            _ => Some(Field::Plain(self.until_delimiter(self.at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use csv_core::{ReadFieldResult, ReaderBuilder, Terminator};
    use proptest::prelude::*;

    use super::*;
    use crate::csv::{Scan, scan_in};

    fn ours(text: &[u8], dialect: Dialect) -> Vec<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let Scan::Record { body, len, .. } = scan_in(dialect, &text[at..], true) else { break };
            if body > 0 {
                let fields = Fields::in_dialect(&text[at..at + body], dialect).map(|field| {
                    let mut value = Vec::new();
                    field.append_in(dialect, &mut value);
                    value
                });
                records.push(fields.collect());
            }
            at += len;
        }
        records
    }

    /// The reference: csv-core, reading the text in one piece.
    fn reference(text: &[u8], dialect: Dialect) -> Vec<Vec<Vec<u8>>> {
        let mut reader = ReaderBuilder::new()
            .terminator(Terminator::Any(b'\n'))
            .delimiter(dialect.delimiter)
            .quoting(dialect.quote.is_some())
            .quote(dialect.quote.unwrap_or(b'"'))
            .escape(dialect.escape)
            .comment(dialect.comment)
            .build();
        let (mut records, mut record) = (Vec::new(), Vec::new());
        let mut input = text;
        let mut out = vec![0; text.len() + 16];
        let mut written = 0;
        loop {
            let (result, read, wrote) = reader.read_field(input, &mut out[written..]);
            input = &input[read..];
            written += wrote;
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    record.push(out[..written].to_vec());
                    written = 0;
                    if record_end {
                        records.push(std::mem::take(&mut record));
                    }
                }
                ReadFieldResult::End => return records,
            }
        }
    }

    fn dialects() -> impl Strategy<Value = Dialect> {
        let quote = prop_oneof![Just(None), Just(Some(b'"')), Just(Some(b'\''))];
        let escape = prop_oneof![Just(None), Just(Some(b'\\'))];
        let comment = prop_oneof![Just(None), Just(Some(b'#')), Just(Some(b'a'))];
        let delimiter = prop::sample::select(&b",;\t"[..]);
        (delimiter, quote, escape, comment).prop_map(|(delimiter, quote, escape, comment)| {
            Dialect { delimiter, quote, escape: quote.and(escape), comment }
        })
    }

    #[test]
    fn fields_are_unquoted() {
        let check = |text: &str, expected: &[&str]| {
            let records = ours(text.as_bytes(), Dialect::STANDARD);
            let fields: Vec<_> =
                records[0].iter().map(|f| String::from_utf8_lossy(f).into_owned()).collect();
            assert_eq!(fields, expected, "{text:?}");
        };
        check("a,b\n", &["a", "b"]);
        check("a,\n", &["a", ""]);
        check(",\n", &["", ""]);
        check("\"a,\"\"b\"\"\",c\r\n", &["a,\"b\"", "c"]);
        check("\"\",x\n", &["", "x"]);
        check("a\"b,c\n", &["a\"b", "c"]);
        check("\"ab\"c,d\n", &["abc", "d"]);
        check("\"ab\"c\"d,e\n", &["abc\"d", "e"]);
        check("\"line\nbreak\",e\n", &["line\nbreak", "e"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        /// Field by field the same as csv-core, on text without CR (which csv-core leaves to its
        /// caller under this terminator) and with balanced quotes (which we bound and it does not).
        #[test]
        fn agrees_with_the_reference(text in "[ab,\n\"]{0,40}\n") {
            let (text, dialect) = (text.as_bytes(), Dialect::STANDARD);
            if matches!(last_scan(text, dialect), Scan::Record { .. }) {
                prop_assert_eq!(ours(text, dialect), reference(text, dialect));
            }
        }

        /// The same in any dialect.
        #[test]
        fn dialects_agree_with_the_reference(
            text in "[ab,;\t\n\"'\\\\#]{0,40}\n",
            dialect in dialects(),
        ) {
            let text = text.as_bytes();
            if matches!(last_scan(text, dialect), Scan::Record { .. }) {
                prop_assert_eq!(ours(text, dialect), reference(text, dialect));
            }
        }

        /// Whatever the cut, a record is the same record.
        #[test]
        fn cuts_do_not_matter(text in "[a,;\t\r\n\"'\\\\#]{1,40}", dialect in dialects()) {
            let bytes = text.as_bytes();
            let whole = scan_in(dialect, bytes, false);
            for cut in 1..bytes.len() {
                let part = scan_in(dialect, &bytes[..cut], false);
                prop_assert!(part == Scan::Incomplete || part == whole, "{part:?} at {cut}");
            }
        }
    }

    fn last_scan(text: &[u8], dialect: Dialect) -> Scan {
        let mut at = 0;
        loop {
            let found = scan_in(dialect, &text[at..], true);
            match found {
                Scan::Record { len, .. } if at + len < text.len() => at += len,
                other => return other,
            }
        }
    }
}
