//! The fields of one complete record.

use memchr::memchr;

/// A field as it stands in the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field<'a> {
    /// The value itself.
    Plain(&'a [u8]),
    /// The raw text of a field that begins with a quote.
    Quoted(&'a [u8]),
}

impl Field<'_> {
    /// Appends the value to `out`, without quotes and with `""` as `"`.
    pub fn append_to(self, out: &mut Vec<u8>) {
        let raw = match self {
            Self::Plain(value) => return out.extend_from_slice(value),
            Self::Quoted(raw) => raw,
        };
        let mut rest = &raw[1..];
        while let Some(i) = memchr(b'"', rest) {
            out.extend_from_slice(&rest[..i]);
            rest = &rest[i + 1..];
            let Some(after) = rest.strip_prefix(b"\"") else { break };
            out.push(b'"');
            rest = after;
        }
        out.extend_from_slice(rest);
    }
}

/// Goes through the fields of a record's content (terminator excluded, quotes balanced).
pub struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// The fields of `body`.
    pub fn of(body: &'a [u8]) -> Self {
        Self { rest: Some(body) }
    }

    fn split(body: &'a [u8], from: usize) -> (&'a [u8], Option<&'a [u8]>) {
        match memchr(b',', &body[from..]) {
            Some(i) => (&body[..from + i], Some(&body[from + i + 1..])),
            None => (body, None),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let body = self.rest?;
        if body.first() != Some(&b'"') {
            let (value, rest) = Self::split(body, 0);
            self.rest = rest;
            return Some(Field::Plain(value));
        }
        let (raw, rest) = Self::split(body, closing_quote(body));
        self.rest = rest;
        Some(Field::Quoted(raw))
    }
}

/// The index after the quote that closes the field at the beginning of `body`, or the end.
fn closing_quote(body: &[u8]) -> usize {
    let mut at = 1;
    while let Some(i) = memchr(b'"', &body[at..]) {
        at += i + 1;
        if body.get(at) != Some(&b'"') {
            return at;
        }
        at += 1;
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use csv_core::{ReadFieldResult, ReaderBuilder, Terminator};
    use proptest::prelude::*;

    use super::*;
    use crate::csv::{Scan, scan};

    fn ours(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let Scan::Record { body, len, .. } = scan(&text[at..], true) else { break };
            if body > 0 {
                let fields = Fields::of(&text[at..at + body]).map(|field| {
                    let mut value = Vec::new();
                    field.append_to(&mut value);
                    value
                });
                records.push(fields.collect());
            }
            at += len;
        }
        records
    }

    /// The reference: csv-core, reading the text in one piece.
    fn reference(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
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

    #[test]
    fn fields_are_unquoted() {
        let check = |text: &str, expected: &[&str]| {
            let records = ours(text.as_bytes());
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
            if !matches!(last_scan(text.as_bytes()), Scan::Record { .. }) {
                return Ok(());
            }
            prop_assert_eq!(ours(text.as_bytes()), reference(text.as_bytes()), "{:?}", text);
        }

        /// Whatever the cut, a record is the same record.
        #[test]
        fn cuts_do_not_matter(text in "[a,\r\n\"]{1,40}", cut in 0usize..40) {
            let bytes = text.as_bytes();
            let part = &bytes[..cut.min(bytes.len())];
            if !part.is_empty() && scan(part, false) != Scan::Incomplete {
                let whole = scan(bytes, false);
                prop_assert_eq!(scan(part, false), whole);
            }
        }
    }

    fn last_scan(text: &[u8]) -> Scan {
        let mut at = 0;
        loop {
            let found = scan(&text[at..], true);
            match found {
                Scan::Record { len, .. } if at + len < text.len() => at += len,
                other => return other,
            }
        }
    }
}
