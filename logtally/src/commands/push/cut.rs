//! Where a file is cut into messages: between records, never inside of one. Never reads anything.

use anyhow::bail;
use logtally_core::limits::PUSH_BYTES_MAX;
use logtally_formats::spec::{CsvSpec, FormatSpec};
use logtally_formats::{Format, Scan};

/// The columns of the default rule: a first line with both is taken for a header.
const DEFAULT_COLUMNS: [&str; 2] = ["host", "job_name"];

/// How records end, and what stands before them in every message but the first.
pub(crate) struct Cutter {
    format: Format,
    header: Option<Vec<u8>>,
}

/// What is known of the records.
pub(crate) struct Hints<'a> {
    /// As given on the command line.
    pub(crate) format: &'a str,
    /// The extension of the file.
    pub(crate) extension: &'a str,
    /// Whether the first line is a header; unknown without a value.
    pub(crate) header: Option<bool>,
}

impl Cutter {
    /// A cutter for records that begin with `beginning`, which has the first line if there is one.
    pub(crate) fn new(hints: &Hints<'_>, beginning: &[u8]) -> anyhow::Result<Self> {
        let kinds: &[&str] = match (hints.format, hints.extension) {
            ("csv", _) | ("", "csv") => &["csv"],
            ("tsv", _) | ("", "tsv") => &["tsv"],
            ("", _) => &["csv", "tsv"],
            _ => &[],
        };
        let found = kinds.iter().find(|kind| has_default_header(kind, beginning)).copied();
        let kind = match (found, kinds) {
            // A file with such a header is CSV or TSV, whatever its name is.
            (Some(kind), _) => Some(kind),
            (None, [kind]) => Some(*kind),
            (None, _) => None,
        };
        let format = compile(kind, &[])?;
        let with_header = hints.header.unwrap_or(found.is_some());
        let header = if with_header { Some(first_record(&format, beginning)?) } else { None };
        Ok(Self { format, header })
    }

    /// The header line that stands before all messages but the first.
    pub(crate) fn header(&self) -> &[u8] {
        self.header.as_deref().unwrap_or_default()
    }

    /// How many bytes of a buffer make a message: whole records, up to `target` bytes, or one record
    /// that is larger. `last` tells that nothing follows. None if more bytes are needed.
    pub(crate) fn cut(&self, buffer: &[u8], target: usize, last: bool) -> Option<usize> {
        let mut end = 0;
        while end < buffer.len() {
            let Some(len) = self.record(&buffer[end..], last) else { break };
            if end > 0 && end + len > target {
                break;
            }
            end += len;
        }
        // Without the record that follows it is not known whether that fits, too.
        let is_sure = last || end >= target || buffer.len() > target;
        (end > 0 && is_sure).then_some(end)
    }

    fn record(&self, buffer: &[u8], last: bool) -> Option<usize> {
        match self.format.scan(buffer, last) {
            Scan::Record { len, .. } | Scan::Rejected { len, .. } => Some(len),
            Scan::RejectedOpen { from, .. } => {
                let rest = buffer.get(from..).unwrap_or_default();
                let found = rest.iter().position(|byte| *byte == b'\n').map(|at| from + at + 1);
                found.or(last.then_some(buffer.len()))
            }
            Scan::Incomplete => last.then_some(buffer.len()),
        }
    }

    /// The largest part of a file in one message.
    pub(crate) fn part_max(&self) -> usize {
        PUSH_BYTES_MAX - self.header().len()
    }
}

fn has_default_header(kind: &str, beginning: &[u8]) -> bool {
    let Ok(format) = compile(Some(kind), &DEFAULT_COLUMNS) else { return false };
    if beginning.is_empty() {
        return false;
    }
    match format.scan(beginning, true) {
        Scan::Record { body, .. } => format.header(&beginning[..body], true).is_some(),
        _ => false,
    }
}

/// The format by which records are told apart: lines, unless it is CSV.
fn compile(kind: Option<&str>, wanted: &[&str]) -> anyhow::Result<Format> {
    let spec = match kind {
        None => FormatSpec::Lines,
        Some("tsv") => FormatSpec::Csv(CsvSpec { delimiter: b'\t', ..CsvSpec::default() }),
        Some(_) => FormatSpec::Csv(CsvSpec::default()),
    };
    let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    Ok(Format::compile(&spec, &wanted)?)
}

fn first_record(format: &Format, beginning: &[u8]) -> anyhow::Result<Vec<u8>> {
    if !beginning.is_empty()
        && let Scan::Record { len, .. } = format.scan(beginning, false)
    {
        return Ok(beginning[..len].to_vec());
    }
    bail!("--header yes: there is no whole first line that could be a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cutter(format: &str, extension: &str, header: Option<bool>, beginning: &[u8]) -> Cutter {
        let hints = Hints { format, extension, header };
        Cutter::new(&hints, beginning).expect("a cutter")
    }

    fn all(cutter: &Cutter, mut text: &[u8], target: usize) -> Vec<String> {
        let mut parts = Vec::new();
        while let Some(len) = cutter.cut(text, target, true) {
            parts.push(String::from_utf8_lossy(&text[..len]).into_owned());
            text = &text[len..];
        }
        assert!(text.is_empty());
        parts
    }

    #[test]
    fn lines_are_whole() {
        let lines = cutter("lines", "", None, b"");
        assert_eq!(all(&lines, b"a\nbb\nccccccc\nd", 5), ["a\nbb\n", "ccccccc\n", "d"]);
        assert_eq!(lines.cut(b"a\nb", 5, false), None, "b may go on");
        assert_eq!(lines.cut(b"a\nbbbbb", 5, false), Some(2));
        assert_eq!(lines.cut(b"aaaaaaaaaa", 5, false), None);
    }

    #[test]
    fn quoted_line_ends_are_no_ends_of_records_in_csv_only() {
        let text = b"a,\"x\ny\"\nb,2\n";
        assert_eq!(all(&cutter("csv", "", None, b""), text, 4), ["a,\"x\ny\"\n", "b,2\n"]);
        assert_eq!(all(&cutter("", "csv", None, b""), text, 4), ["a,\"x\ny\"\n", "b,2\n"]);
        let json = b"{\"a\":\"5\\\" disk\"}\n{}\n";
        assert_eq!(all(&cutter("json", "csv", None, b""), json, 4).len(), 2);
        assert_eq!(all(&cutter("", "log", None, json), json, 4).len(), 2);
    }

    #[test]
    fn a_header_is_known_by_the_columns_of_the_default_rule() {
        let header = b"time,host,job_name\n1,a,b\n";
        assert_eq!(cutter("", "log", None, header).header(), b"time,host,job_name\n");
        assert_eq!(cutter("csv", "", None, header).header(), b"time,host,job_name\n");
        assert_eq!(cutter("", "", None, b"host\tjob_name\n").header(), b"host\tjob_name\n");
        assert_eq!(cutter("csv", "", Some(false), header).header(), b"");
        assert_eq!(cutter("json", "", None, header).header(), b"");
        assert_eq!(cutter("csv", "", None, b"a,b\n").header(), b"");
        assert_eq!(cutter("csv", "", Some(true), b"a,b\n1,2\n").header(), b"a,b\n");
        let hints = Hints { format: "csv", extension: "", header: Some(true) };
        assert!(Cutter::new(&hints, b"").is_err());
    }
}
