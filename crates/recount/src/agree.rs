//! Whether both readings of a format agree on an input, for fuzzing and for ordinary tests.
//!
//! Each `check_…` takes arbitrary bytes: the first few choose a specification, the others are the
//! input. They panic where the readings differ, and never do anything else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use logtally_formats::spec::{CsvSpec, FormatSpec, Header, Ragged};
use logtally_formats::{Cells, Format, Scan};

use crate::reading::Recount;
use crate::record::Record;

/// Bytes of a record at which every cut is tried.
const CUTS_MAX: usize = 64;

/// A format with what is wanted from it, compiled once for all inputs.
struct Case {
    spec: FormatSpec,
    wanted: Vec<String>,
    format: Format,
    recount: Recount,
}

impl Case {
    fn new(spec: FormatSpec, wanted: &[&str]) -> Self {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let format = Format::compile(&spec, &wanted)
            .unwrap_or_else(|e| panic!("{spec:?} with {wanted:?}: {e}"));
        let recount = Recount::new(&spec, &wanted).unwrap_or_else(|e| panic!("{spec:?}: {e}"));
        Self { spec, wanted, format, recount }
    }
}

/// CSV in several dialects.
pub fn check_csv(data: &[u8]) {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(csv_cases);
    check(&CASES, data);
}

/// JSON.
pub fn check_json(data: &[u8]) {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let wanted = ["a", "b", "a.b", "a.0", "a.a.b", "b.a", "0", "@line", "a.b.0.a", "é"];
        vec![Case::new(FormatSpec::Json, &wanted), Case::new(FormatSpec::Json, &[])]
    });
    check(&CASES, data);
}

/// logfmt.
pub fn check_logfmt(data: &[u8]) {
    static CASES: LazyLock<Vec<Case>> =
        LazyLock::new(|| vec![Case::new(FormatSpec::Logfmt, &["a", "b", "@line", "ab"])]);
    check(&CASES, data);
}

/// Regular expressions and grok.
pub fn check_expression(data: &[u8]) {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(expression_cases);
    check(&CASES, data);
}

/// Plain lines.
pub fn check_lines(data: &[u8]) {
    static CASES: LazyLock<Vec<Case>> =
        LazyLock::new(|| vec![Case::new(FormatSpec::Lines, &["@line"])]);
    check(&CASES, data);
}

fn check(cases: &[Case], data: &[u8]) {
    if let Some((choice, text)) = data.split_first() {
        agree(&cases[usize::from(*choice) % cases.len()], text);
    }
}

/// Panics unless both readings of `text` are the same.
pub fn check_with(spec: &FormatSpec, wanted: &[&str], text: &[u8]) {
    agree(&Case::new(spec.clone(), wanted), text);
}

fn agree(case: &Case, text: &[u8]) {
    let mut input = text;
    let expected: Vec<Record> = case
        .recount
        .records(&mut input)
        .map(|record| record.unwrap_or_else(|e| panic!("{e}")))
        .collect();
    let found = read(case, text);
    let differs = (0..found.len().max(expected.len())).find(|i| found.get(*i) != expected.get(*i));
    if let Some(i) = differs {
        panic!(
            "record {i} differs: counted {:?}, recounted {:?}, in {:?} with {:?}: {:?}",
            found.get(i),
            expected.get(i),
            case.spec,
            case.wanted,
            String::from_utf8_lossy(&text[..text.len().min(4096)]),
        );
    }
}

/// The records as the counting code finds them.
fn read(case: &Case, text: &[u8]) -> Vec<Record> {
    let mut reader = Reader { case, cells: Cells::new(), layout: case.format.start(), any: false };
    let mut at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut records = Vec::new();
    while at < text.len() {
        let rest = &text[at..];
        let scan = case.format.scan(rest, true);
        check_cuts(case, rest, scan);
        let offset = at as u64;
        match scan {
            Scan::Record { body, len, quoted } => {
                at += len;
                records.extend(reader.record([offset, at as u64], &rest[..body], quoted));
            }
            Scan::Rejected { reason, len } => {
                at += len;
                records.push(Record { offset, end: at as u64, values: Err(reason) });
            }
            Scan::RejectedOpen { .. } | Scan::Incomplete => panic!("no end at the end: {scan:?}"),
        }
    }
    records
}

/// Whatever the cut, the beginning of a record is either too little, or enough to say the same.
fn check_cuts(case: &Case, rest: &[u8], whole: Scan) {
    for cut in 1..=rest.len().min(CUTS_MAX) {
        let part = case.format.scan(&rest[..cut], false);
        assert!(part == Scan::Incomplete || part == whole, "{part:?} at {cut}, {whole:?}");
    }
}

struct Reader<'a> {
    case: &'a Case,
    cells: Cells,
    layout: logtally_formats::Layout,
    /// Whether a header is in force.
    any: bool,
}

impl Reader<'_> {
    fn record(&mut self, place: [u64; 2], record: &[u8], quoted: bool) -> Option<Record> {
        if record.is_empty() {
            return None;
        }
        let format = &self.case.format;
        if let Some(layout) = format.header(record, !self.any) {
            let part = format.marker();
            let marked = !part.is_empty() && record.windows(part.len()).any(|w| w == part);
            assert!(marked || format.has_header_first() && !self.any, "an unmarked header");
            (self.layout, self.any) = (layout, true);
            return None;
        }
        let values = format.cells(&self.layout, record, quoted, &mut self.cells).map(|()| {
            let slots = 0..self.case.wanted.len();
            slots.map(|slot| self.cells.get(record, slot).map(<[u8]>::to_vec)).collect()
        });
        let [offset, end] = place;
        Some(Record { offset, end, values })
    }
}

/// Delimiter, quote, escape, comment.
type Dialect = (u8, Option<u8>, Option<u8>, Option<u8>);

fn csv_cases() -> Vec<Case> {
    let dialects: [Dialect; 6] = [
        (b',', Some(b'"'), None, None),
        (b';', Some(b'\''), None, Some(b'#')),
        (b',', Some(b'"'), Some(b'\\'), None),
        (b'\t', None, None, Some(b'#')),
        (b' ', Some(b'"'), Some(b'\\'), Some(b'a')),
        (0xFF, Some(b'a'), None, None),
    ];
    let wanted: [&[&str]; 5] =
        [&["a", "b"], &["b", "@line", "1"], &["2", "3"], &["b\"b", "a"], &["ab"]];
    let mut cases = Vec::new();
    for (delimiter, quote, escape, comment) in dialects {
        let base = CsvSpec { delimiter, quote, escape, comment, ..CsvSpec::default() };
        for header in [Header::Auto, Header::Present, Header::Absent] {
            for (i, wanted) in wanted.iter().enumerate() {
                let mut spec = CsvSpec { header, ..base.clone() };
                if i % 2 == 1 {
                    spec.ragged = Ragged::Strict;
                }
                if header == Header::Absent || i > 2 {
                    spec.columns = ["b\"b", "b", "a", "ab"].map(str::to_owned).to_vec();
                }
                cases.push(Case::new(FormatSpec::Csv(spec), wanted));
            }
        }
    }
    cases
}

fn expression_cases() -> Vec<Case> {
    let regex = |pattern: &str, wanted: &[&str]| {
        Case::new(FormatSpec::Regex { pattern: pattern.to_owned() }, wanted)
    };
    let grok = |pattern: &str, wanted: &[&str]| {
        let own = [("AB", "%{AS:as}b|(?<as>c+)[%{]?"), ("AS", "a+")];
        let own = own.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let definitions = BTreeMap::from(own);
        Case::new(FormatSpec::Grok { pattern: pattern.to_owned(), definitions }, wanted)
    };
    vec![
        regex(r"(?<a>a+)(?<b>b)?", &["b", "a", "@line"]),
        regex(r"^(?<a>\S*) (?<b>.*)$", &["a", "b"]),
        regex(r"(?-u)(?<a>[^ab])b", &["a"]),
        regex("", &["@line"]),
        grok("%{AB}", &["as", "@line"]),
        grok("%{AS:x}(?:b%{WORD:x})?", &["x"]),
        grok(
            r"^%{IP:ip} %{NUMBER:n:int}(?> %{GREEDYDATA:rest.of[it]})?",
            &["ip", "n", "rest.of[it]"],
        ),
        grok("%{WORD:w} %{QUOTEDSTRING:q}|%{TIMESTAMP_ISO8601:t}", &["w", "q", "t"]),
        grok("%{COMMONAPACHELOG}", &["clientip", "verb", "response", "rawrequest"]),
    ]
}
