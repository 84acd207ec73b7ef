//! The second parser: from bytes to cells, as simply as possible and without a line of the first one.
//! Standard CSV by now; whatever else splits records only has to be another [`Splitter`].

use std::collections::VecDeque;
use std::io::{self, BufRead};

use logtally_core::limits::RECORD_BYTES_MAX;
use logtally_core::rule::Reject;
use logtally_formats::spec::{CsvSpec, FormatSpec, Header, Ragged};

/// The values of the wanted columns; `None` where the record does not have one.
pub(super) type Cells = Vec<Option<Vec<u8>>>;

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// Its values, or why it has none.
    pub cells: Result<Cells, Reject>,
    /// Position just after it.
    pub position: u64,
}

/// Splits bytes into records; headers and blank lines are none.
pub(super) trait Splitter: Iterator<Item = io::Result<Record>> {
    /// The reason for a missing cell.
    fn missing(&self) -> Reject;
}

/// A splitter for a format; `None` if there is none yet. With `whole`, the bytes end with a record even
/// if no line feed does.
pub(super) fn splitter<'a>(
    format: &'a FormatSpec,
    columns: &'a [String],
    bytes: Box<dyn BufRead + 'a>,
    whole: bool,
) -> Option<Box<dyn Splitter + 'a>> {
    match format {
        FormatSpec::Csv(spec) if is_standard(spec) => {
            Some(Box::new(Csv::new(spec, columns, bytes, whole)))
        }
        _ => None,
    }
}

fn is_standard(spec: &CsvSpec) -> bool {
    let quote = matches!(spec.quote, Some(b'"'));
    quote && spec.escape.is_none() && spec.comment.is_none() && spec.ragged == Ragged::Lenient
}

struct Csv<'a> {
    spec: &'a CsvSpec,
    columns: &'a [String],
    bytes: Box<dyn BufRead + 'a>,
    whole: bool,
    /// Lines that were read ahead, with their line feeds.
    lines: VecDeque<Vec<u8>>,
    /// Where each wanted column is, if that is known.
    places: Option<Vec<Option<usize>>>,
    seen_header: bool,
    position: u64,
}

impl<'a> Csv<'a> {
    fn new(
        spec: &'a CsvSpec,
        columns: &'a [String],
        bytes: Box<dyn BufRead + 'a>,
        whole: bool,
    ) -> Self {
        let place = |column: &String| spec.columns.iter().position(|name| name == column);
        let places = (!spec.columns.is_empty()).then(|| columns.iter().map(place).collect());
        let lines = VecDeque::new();
        Self { spec, columns, bytes, whole, lines, places, seen_header: false, position: 0 }
    }

    /// The line after the first `n` that were read ahead; false at the end.
    fn read_line(&mut self) -> io::Result<bool> {
        let mut line = Vec::new();
        self.bytes.read_until(b'\n', &mut line)?;
        if line.is_empty() || (!self.whole && line.last() != Some(&b'\n')) {
            return Ok(false);
        }
        self.lines.push_back(line);
        Ok(true)
    }

    /// The fields of the next record; `None` at the end.
    fn next_fields(&mut self) -> io::Result<Option<Result<Vec<Vec<u8>>, Reject>>> {
        if self.lines.is_empty() && !self.read_line()? {
            return Ok(None);
        }
        let mut record: Vec<u8> = Vec::new();
        let mut taken = 0;
        loop {
            if taken == self.lines.len() && !self.read_line()? {
                // An open quote waits for its end, unless nothing can follow.
                return Ok(self.whole.then(|| self.reject_line(Reject::UnclosedQuote)));
            }
            let line = &self.lines[taken];
            record.extend_from_slice(line);
            taken += 1;
            // Only a quote can close a quote; without this look, long records cost their square.
            if taken > 1 && record.len() <= RECORD_BYTES_MAX && !line.contains(&b'"') {
                continue;
            }
            let body = without_line_end(&record);
            let body = match (self.position, body.strip_prefix(b"\xef\xbb\xbf")) {
                (0, Some(rest)) => rest,
                _ => body,
            };
            match fields(body, self.spec.delimiter) {
                Some(_) if body.len() > RECORD_BYTES_MAX => {
                    self.take_lines(taken);
                    return Ok(Some(Err(Reject::Oversized)));
                }
                Some(fields) => {
                    self.take_lines(taken);
                    return Ok(Some(Ok(fields)));
                }
                None if record.len() > RECORD_BYTES_MAX => {
                    return Ok(Some(self.reject_line(Reject::UnclosedQuote)));
                }
                None => {}
            }
        }
    }

    fn take_lines(&mut self, n: usize) {
        self.position += self.lines.drain(..n).map(|line| line.len() as u64).sum::<u64>();
    }

    /// Only the line with the open quote is lost; the next one begins a record.
    fn reject_line<T>(&mut self, reason: Reject) -> Result<T, Reject> {
        self.take_lines(1);
        Err(reason)
    }

    fn is_header(&mut self, fields: &[Vec<u8>]) -> bool {
        let first = !std::mem::replace(&mut self.seen_header, self.spec.header == Header::Present);
        let place = |column: &String| fields.iter().position(|field| field == column.as_bytes());
        let places: Vec<Option<usize>> = self.columns.iter().map(place).collect();
        let has_all = places.iter().all(Option::is_some) && !places.is_empty();
        let is_header = match self.spec.header {
            Header::Absent => false,
            Header::Auto => has_all,
            Header::Present => has_all || first,
        };
        if is_header {
            self.places = Some(places);
        }
        is_header
    }

    fn cells(&self, fields: &[Vec<u8>]) -> Result<Cells, Reject> {
        let places = self.places.as_ref().ok_or(Reject::NoHeader)?;
        Ok(places.iter().map(|place| place.and_then(|at| fields.get(at)).cloned()).collect())
    }
}

impl Iterator for Csv<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        loop {
            let fields = match self.next_fields() {
                Ok(fields) => fields?,
                Err(error) => return Some(Err(error)),
            };
            let cells = match fields {
                Ok(fields) if fields == [b""] => continue,
                Ok(fields) if self.is_header(&fields) => continue,
                Ok(fields) => self.cells(&fields),
                Err(reason) => Err(reason),
            };
            return Some(Ok(Record { cells, position: self.position }));
        }
    }
}

impl Splitter for Csv<'_> {
    fn missing(&self) -> Reject {
        Reject::Ragged
    }
}

fn without_line_end(record: &[u8]) -> &[u8] {
    let Some(body) = record.strip_suffix(b"\n") else { return record };
    body.strip_suffix(b"\r").unwrap_or(body)
}

/// The fields of a record; `None` if a quote is open at its end.
fn fields(record: &[u8], delimiter: u8) -> Option<Vec<Vec<u8>>> {
    let mut fields = Vec::new();
    let mut rest = record;
    loop {
        let mut field = Vec::new();
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = unquote(quoted, &mut field)?;
        }
        let end = rest.iter().position(|b| *b == delimiter);
        field.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
        fields.push(field);
        match end {
            Some(end) => rest = &rest[end + 1..],
            None => return Some(fields),
        }
    }
}

/// Takes the text up to the closing quote; returns what follows it.
fn unquote<'a>(mut rest: &'a [u8], field: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let quote = rest.iter().position(|b| *b == b'"')?;
        field.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(more) => {
                field.push(b'"');
                rest = more;
            }
            None => return Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, columns: &[&str], whole: bool) -> Vec<String> {
        let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
        let spec = CsvSpec { columns: vec!["a".into(), "b".into()], ..CsvSpec::default() };
        let format = FormatSpec::Csv(spec);
        let bytes = Box::new(text.as_bytes());
        let splitter = splitter(&format, &columns, bytes, whole).expect("standard CSV");
        let show = |record: io::Result<Record>| {
            let Record { cells, position } = record.expect("readable");
            let text = |cell: Option<Vec<u8>>| {
                cell.map_or("-".into(), |c| String::from_utf8_lossy(&c).into_owned())
            };
            match cells {
                Ok(cells) => format!(
                    "{} @{position}",
                    cells.into_iter().map(text).collect::<Vec<_>>().join("|")
                ),
                Err(reason) => format!("{} @{position}", reason.as_str()),
            }
        };
        splitter.map(show).collect()
    }

    #[test]
    fn rows_quotes_headers_and_ends() {
        assert_eq!(split("1,2\r\n\n3\nopen", &["a", "b"], false), ["1|2 @5", "3|- @8"]);
        assert_eq!(split("1,2\nopen", &["b"], true), ["2 @4", "- @8"]);
        let quoted = "\"x,\"\"y\n\",2\nb,a\n1,2\n";
        assert_eq!(split(quoted, &["a", "b"], false), ["x,\"y\n|2 @11", "2|1 @19"]);
    }

    #[test]
    fn an_open_quote_loses_one_line_at_the_end_of_everything() {
        assert_eq!(split("1,2\n\"3,4\n5,6\n", &["a"], false), ["1 @4"], "it may be closed yet");
        assert_eq!(split("\"3,4\n5,6\n", &["a"], true), ["unclosed_quote @5", "5 @9"]);
    }

    #[test]
    fn other_formats_are_for_others() {
        assert!(splitter(&FormatSpec::Json, &[], Box::new(&b""[..]), true).is_none());
    }
}
