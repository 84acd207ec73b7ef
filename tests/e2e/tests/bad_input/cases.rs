//! Malformed files, and what has to come of each. Expectations are written out by hand.

/// Largest record, terminator excluded.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Longest label value.
const LABEL_BYTES_MAX: usize = 1024;

/// A file and its outcome.
#[derive(Default)]
pub(crate) struct Case {
    /// The content.
    pub bytes: Vec<u8>,
    /// Records per host and job.
    pub counts: Vec<((&'static str, &'static str), u64)>,
    /// Rejected records by reason.
    pub rejected: Vec<(&'static str, u64)>,
    /// Whether something in it is only decided by the end of the file.
    pub decided_by_end: bool,
}

impl Case {
    /// All records of the file.
    pub(crate) fn records(&self) -> u64 {
        let counted: u64 = self.counts.iter().map(|(_, n)| n).sum();
        counted + self.rejected.iter().map(|(_, n)| n).sum::<u64>()
    }
}

type Make = fn() -> Case;

/// All cases that are decided before the end of their file, added up.
pub(crate) fn all_at_once() -> Case {
    let mut sum = Case::default();
    for case in CASES.iter().map(|(_, make)| make()).filter(|case| !case.decided_by_end) {
        case.counts.iter().for_each(|(key, n)| add(&mut sum.counts, *key, *n));
        case.rejected.iter().for_each(|(key, n)| add(&mut sum.rejected, *key, *n));
    }
    sum
}

fn add<K: PartialEq>(sums: &mut Vec<(K, u64)>, key: K, n: u64) {
    match sums.iter_mut().find(|(known, _)| *known == key) {
        Some((_, sum)) => *sum += n,
        None => sums.push((key, n)),
    }
}

/// A text with `a,b` counted `ab` times, further counts, and rejections.
fn case(
    bytes: impl Into<Vec<u8>>,
    ab: u64,
    counts: &[((&'static str, &'static str), u64)],
    rejected: &[(&'static str, u64)],
) -> Case {
    let mut counts = counts.to_vec();
    if ab > 0 {
        counts.push((("a", "b"), ab));
    }
    Case { bytes: bytes.into(), counts, rejected: rejected.to_vec(), decided_by_end: false }
}

fn at_end(case: Case) -> Case {
    Case { decided_by_end: true, ..case }
}

/// `a,b` and a third column, `bytes` long altogether.
fn line_of(bytes: usize) -> String {
    format!("a,b,{}", "x".repeat(bytes - 4))
}

/// Every case by name.
pub(crate) const CASES: &[(&str, Make)] = &[
    ("empty", || case("", 0, &[], &[])),
    ("only a byte-order mark", || case("\u{feff}", 0, &[], &[])),
    ("header only", || case("host,job_name\n", 0, &[], &[])),
    ("blank lines", || case("a,b\n\n\r\na,b\n\n", 2, &[], &[])),
    ("header in another order", || case("x,job_name,host\n1,b,a\n2,b,a\n", 2, &[], &[])),
    ("duplicate header names", || case("host,job_name,host\na,b,z\n", 1, &[], &[])),
    ("no header", || case("host,job\na,b\n", 1, &[(("host", "job"), 1)], &[])),
    ("byte-order mark and CRLF", || case("\u{feff}host,job_name\r\na,b\r\na,b\r\n", 2, &[], &[])),
    ("byte-order mark without header", || case("\u{feff}a,b\n", 1, &[], &[])),
    ("mixed line ends", || case("a,b\r\na,b\na,b\r\n", 3, &[], &[])),
    ("a lone CR is data", || case("a,b\rc\na,b\n", 1, &[(("a", "b\rc"), 1)], &[])),
    ("line feeds in quotes", || case("\"a\",b,\"1\n2\r\n3\"\na,\"b\"\n", 2, &[], &[])),
    ("a quote in mid-field", || case("a\"x,b\na,b\n", 1, &[(("a\"x", "b"), 1)], &[])),
    ("text after a closing quote", || case("\"a\"x,b\na,b\n", 1, &[(("ax", "b"), 1)], &[])),
    ("ragged", || case("a,b\nonly\na,b,c\n", 2, &[], &[("ragged", 1)])),
    ("ragged under a header", || {
        case("x,host,y,job_name\n1,a,2\n1,a,2,b\n", 1, &[], &[("ragged", 1)])
    }),
    ("invalid UTF-8", || case(b"\xff,b\na,\xc3\x28\na,b,\xff\n", 1, &[], &[("invalid_utf8", 2)])),
    ("NUL", || case("a\0,b\na,\0\na,b,\0\n", 1, &[], &[("nul", 2)])),
    ("the longest label and one more", || {
        let (fits, long) = ("h".repeat(LABEL_BYTES_MAX), "h".repeat(LABEL_BYTES_MAX + 1));
        let name: &'static str = fits.clone().leak();
        let text = format!("{fits},b\n{long},b\na,b\n");
        case(text, 1, &[((name, "b"), 1)], &[("label_too_long", 1)])
    }),
    ("the longest record and one more", || {
        let (fits, long) = (line_of(RECORD_BYTES_MAX), line_of(RECORD_BYTES_MAX + 1));
        case(format!("{fits}\n{long}\na,b\n"), 2, &[], &[("oversized", 1)])
    }),
    ("a line of 10 MiB", || {
        let long = line_of(10 << 20);
        case(format!("a,b\n{long}\na,b\n"), 2, &[], &[("oversized", 1)])
    }),
    ("a line of 10 MiB without a comma", || {
        let long = "x".repeat(10 << 20);
        case(format!("a,b\n{long}\r\na,b\n"), 2, &[], &[("oversized", 1)])
    }),
    ("an open quote and more than a record", || {
        let later = "a,b\n".repeat(300_000);
        case(format!("a,b\n\"c,d\n{later}"), 300_001, &[], &[("unclosed_quote", 1)])
    }),
    ("an open quote to the end of the file", || {
        at_end(case("a,b\n\"c,d\na,b\na,b\n", 3, &[], &[("unclosed_quote", 1)]))
    }),
    ("an open quote in the last line", || {
        at_end(case("a,b\na,\"b", 1, &[], &[("unclosed_quote", 1)]))
    }),
    ("no last line feed", || at_end(case("a,b\na,b", 2, &[], &[]))),
    ("no last line feed, ragged", || at_end(case("a,b\nonly", 1, &[], &[("ragged", 1)]))),
    ("a line of 10 MiB at the end", || {
        let long = line_of(10 << 20);
        at_end(case(format!("a,b\n{long}"), 1, &[], &[("oversized", 1)]))
    }),
];
