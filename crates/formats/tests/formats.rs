//! What each format says about hand-written records.

use std::collections::BTreeMap;

use logtally_core::rule::Reject;
use logtally_formats::csv::Dialect;
use logtally_formats::spec::{CsvSpec, FormatSpec, Header, Ragged};
use logtally_formats::{Cells, Format, FormatError, Layout, Scan};

type Found = Result<Vec<Option<String>>, Reject>;

fn names(wanted: &[&str]) -> Vec<String> {
    wanted.iter().map(|name| (*name).to_owned()).collect()
}

fn compile(spec: &FormatSpec, wanted: &[&str]) -> Format {
    Format::compile(spec, &names(wanted)).expect("a usable specification")
}

fn error(spec: &FormatSpec, wanted: &[&str]) -> FormatError {
    Format::compile(spec, &names(wanted)).expect_err("an unusable specification")
}

fn texts(cells: &Cells, record: &[u8], slots: usize) -> Vec<Option<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (0..slots).map(|slot| cells.get(record, slot).map(text)).collect()
}

/// One record in a format that needs no header.
fn one(spec: &FormatSpec, wanted: &[&str], record: &[u8]) -> Found {
    let format = compile(spec, wanted);
    let mut cells = Cells::new();
    format.cells(&format.start(), record, true, &mut cells)?;
    Ok(texts(&cells, record, wanted.len()))
}

/// All records of a text.
fn all(spec: &FormatSpec, wanted: &[&str], text: &[u8]) -> Vec<Found> {
    let format = compile(spec, wanted);
    let (mut layout, mut cells, mut found) = (format.start(), Cells::new(), Vec::new());
    let (mut at, mut in_force) = (0, false);
    while at < text.len() {
        let (body, len, quoted) = match format.scan(&text[at..], true) {
            Scan::Record { body, len, quoted } => (body, len, quoted),
            Scan::Rejected { reason, len } => {
                found.push(Err(reason));
                at += len;
                continue;
            }
            other => panic!("{other:?}"),
        };
        let record = &text[at..at + body];
        at += len;
        if body == 0 {
        } else if let Some(new) = format.header(record, !in_force) {
            (layout, in_force) = (new, true);
        } else {
            let result = format.cells(&layout, record, quoted, &mut cells);
            found.push(result.map(|()| texts(&cells, record, wanted.len())));
        }
    }
    found
}

/// Every value is there. A result, so that expectations read alike.
#[allow(clippy::unnecessary_wraps)]
fn some(values: &[&str]) -> Found {
    Ok(values.iter().map(|value| Some((*value).to_owned())).collect())
}

fn csv(change: impl FnOnce(&mut CsvSpec)) -> FormatSpec {
    let mut spec = CsvSpec::default();
    change(&mut spec);
    FormatSpec::Csv(spec)
}

#[test]
fn headers_move_the_columns() {
    let text = b"a,b\nx,host,job\n1,h,j\njob,host\nj,h\n";
    let found = all(&csv(|_| {}), &["host", "job"], text);
    assert_eq!(found, [Err(Reject::NoHeader), some(&["h", "j"]), some(&["h", "j"])]);

    let given = csv(|s| s.columns = names(&["host", "job"]));
    assert_eq!(all(&given, &["host", "job"], b"h,j\n"), [some(&["h", "j"])]);
    assert_eq!(compile(&given, &["host"]).lenient_csv(), Some(Dialect::STANDARD));
}

#[test]
fn the_first_row_may_be_a_header_by_decree() {
    let spec = csv(|s| s.header = Header::Present);
    let found = all(&spec, &["host", "job"], b"\n\"host\",x\nh,j\nhost,job\nh,j\n");
    assert_eq!(found, [Ok(vec![Some("h".into()), None]), some(&["h", "j"])]);
}

#[test]
fn no_row_is_a_header_if_there_is_none() {
    let spec = csv(|s| {
        s.header = Header::Absent;
        s.columns = names(&["host"]);
    });
    assert_eq!(all(&spec, &["2", "host", "@line"], b"host,j\n"), [some(&["j", "host", "host,j"])]);
    assert_eq!(compile(&spec, &["host"]).marker(), b"");
    let e = error(&spec, &["job"]);
    assert_eq!((e.field(), e.column()), ("columns", Some("job")));
    assert!(e.to_string().contains("host"), "{e}");
}

#[test]
fn numbers_are_columns_only_without_a_name() {
    let found = all(&csv(|_| {}), &["1", "x"], b"2,x,1\na,b,c\n");
    assert_eq!(found, [some(&["c", "b"])]);
    let found = all(&csv(|_| {}), &["1", "3"], b"1,3\na,b,c\n");
    assert_eq!(found, [Ok(vec![Some("1".into()), None]), some(&["a", "c"])]);
}

#[test]
fn strict_rows_have_the_width_of_their_header() {
    let spec = csv(|s| s.ragged = Ragged::Strict);
    let found = all(&spec, &["a"], b"a,b\n1\n1,2\n1,2,3\n\"1,2\",\"3,4\"\n");
    let ragged = || Err(Reject::Ragged);
    assert_eq!(found, [ragged(), some(&["1"]), ragged(), some(&["1,2"])]);
    assert_eq!(compile(&spec, &["a"]).lenient_csv(), None);
}

#[test]
fn dialects_have_other_bytes() {
    let spec = csv(|s| {
        s.delimiter = b';';
        s.quote = Some(b'\'');
        s.escape = Some(b'\\');
        s.comment = Some(b'#');
    });
    let text = b"a;b\n# it's a comment\n'x\\';''\n';y,\"z\"\n";
    assert_eq!(all(&spec, &["a", "b"], text), [some(&["x';'\n", "y,\"z\""])]);
    let spec = csv(|s| s.quote = None);
    assert_eq!(all(&spec, &["a", "b"], b"a,b\n\"x,y\"\n"), [some(&["\"x", "y\""])]);
}

#[test]
fn a_header_spells_the_longest_name() {
    let format = compile(&csv(|_| {}), &["a", "ho\"sts"]);
    assert_eq!(format.marker(), b"sts");
    let indexes = |layout: Option<Layout>| layout.map(|l| l.indexes().to_vec());
    let header = format.header(b"a,\"ho\"\"sts\"", true);
    assert_eq!(indexes(header), Some(vec![Some(0), Some(1)]));
    assert_eq!(compile(&csv(|_| {}), &["host"]).header(b"\"ho\"st", true), None);
}

#[test]
fn special_bytes_must_differ() {
    assert_eq!(error(&csv(|s| s.delimiter = b'\n'), &[]).field(), "delimiter");
    assert_eq!(error(&csv(|s| s.comment = Some(b',')), &[]).field(), "comment");
    let spec = csv(|s| (s.quote, s.escape) = (None, Some(b'\\')));
    assert_eq!(error(&spec, &[]).field(), "escape");
}

#[test]
fn json_values_have_paths() {
    let check = |wanted: &str, text: &str, expected: Option<&str>| {
        let found = one(&FormatSpec::Json, &[wanted], text.as_bytes());
        assert_eq!(found, Ok(vec![expected.map(str::to_owned)]), "{wanted} in {text}");
    };
    check("a", r#"{"a":"x"}"#, Some("x"));
    check("a", r#" { "a" : -1.50e+3 } "#, Some("-1.50e+3"));
    check("a", r#"{"a":true,"b":[{}]}"#, Some("true"));
    check("a", r#"{"a":null}"#, None);
    check("a", r#"{"a":{"b": [1, 2]}}"#, Some(r#"{"b": [1, 2]}"#));
    check("a.b", r#"{"a":{"b":1}}"#, Some("1"));
    check("a.1.b", r#"{"a":[0,{"b":1}]}"#, Some("1"));
    check("a.01", r#"{"a":[0,1]}"#, None);
    check("a.b", r#"{"a":{"b":1},"a.b":2}"#, Some("2"));
    check("a.b", r#"{"a.b":2,"a":{"b":1}}"#, Some("2"));
    check("a.b.c", r#"{"a":{"b.c":2,"b":{"c":3}}}"#, Some("2"));
    check("a.b", r#"{"a":{"b":1},"a":{}}"#, None);
    check("a.b", r#"{"a":{"b":1},"a":5}"#, None);
    check("a.b", r#"{"a.b":null,"a":{"b":1}}"#, None);
    check("a", r#"{"a":1,"a":2}"#, Some("2"));
    check("a", r#"{"\u0061":"\ud83d\ude00\n\/"}"#, Some("😀\n/"));
}

#[test]
fn broken_json_is_malformed() {
    let texts = [
        "",
        "1",
        "[]",
        "{",
        "{}}",
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":tru}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud800\u0041"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\x"}"#,
        "{\"a\":\"\t\"}",
        "{a:1}",
        r#"{"a" 1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":-}"#,
        r#"{"a":"b}"#,
    ];
    for text in texts {
        let found = one(&FormatSpec::Json, &["b"], text.as_bytes());
        assert_eq!(found, Err(Reject::Malformed), "{text}");
    }
    assert_eq!(one(&FormatSpec::Json, &["a"], b"{\"b\":\"\xff\"}"), Err(Reject::Malformed));
    let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n - 1), "]".repeat(n - 1));
    assert!(one(&FormatSpec::Json, &["b"], nested(128).as_bytes()).is_ok());
    assert_eq!(one(&FormatSpec::Json, &["b"], nested(129).as_bytes()), Err(Reject::Malformed));
}

#[test]
fn logfmt_has_pairs() {
    let wanted = ["a", "b"];
    let check = |text: &str, expected: Found| {
        assert_eq!(one(&FormatSpec::Logfmt, &wanted, text.as_bytes()), expected, "{text}");
    };
    check("a=1 b=2", some(&["1", "2"]));
    check("  b  a=\t", some(&["", "true"]));
    check("a=1 a=2 b=x=y", some(&["2", "x=y"]));
    check(r#"a="x \"y\" \\ \n \q" b="""#, some(&["x \"y\" \\ \n \\q", ""]));
    for text in ["=x", "a=1 =x", "a=\"x", "a=\"x\"y", "a=x\"y", "\"a\"=1", "a=\"x\\"] {
        check(text, Err(Reject::Malformed));
    }
}

#[test]
fn expressions_have_groups() {
    let spec = FormatSpec::Regex { pattern: r"^(?<ip>\S+) (?:(?<n>\d+)|-)$".into() };
    assert_eq!(one(&spec, &["n", "ip", "@line"], b"h 5"), some(&["5", "h", "h 5"]));
    assert_eq!(one(&spec, &["n", "ip"], b"h -"), Ok(vec![None, Some("h".into())]));
    assert_eq!(one(&spec, &["ip"], b"h"), Err(Reject::NoMatch));
    let e = error(&spec, &["host"]);
    assert_eq!((e.field(), e.column()), ("pattern", Some("host")));
    assert!(e.to_string().contains("ip, n, @line"), "{e}");
    assert_eq!(error(&FormatSpec::Regex { pattern: "(".into() }, &[]).field(), "pattern");
}

fn grok(pattern: &str, definitions: &[(&str, &str)]) -> FormatSpec {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let definitions: BTreeMap<String, String> = definitions.iter().map(own).collect();
    FormatSpec::Grok { pattern: pattern.into(), definitions }
}

#[test]
fn grok_reads_access_logs() {
    let line = br#"203.0.113.7 - bob [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326 "http://x.example/" "Mozilla/4.08 [en]""#;
    let wanted = ["clientip", "verb", "request", "response", "auth", "timestamp", "agent"];
    let expected = [
        "203.0.113.7",
        "GET",
        "/a?b=c",
        "200",
        "bob",
        "10/Oct/2000:13:55:36 -0700",
        "\"Mozilla/4.08 [en]\"",
    ];
    assert_eq!(one(&grok("%{COMBINEDAPACHELOG}", &[]), &wanted, line), some(&expected));
}

#[test]
fn grok_names_values() {
    let spec = grok(
        r"^%{HOST2:web.host} (?<n>%{INT})-(?:%{INT:x:int}|%{WORD:x})[%{]$",
        &[("HOST2", "[a-z]+")],
    );
    assert_eq!(one(&spec, &["web.host", "n", "x"], b"ab 5-z%"), some(&["ab", "5", "z"]));
    assert!(error(&spec, &["HOST2"]).to_string().contains("web.host, n, x"));
}

#[test]
fn grok_says_what_is_wrong() {
    let check = |spec: &FormatSpec, field: &str, part: &str| {
        let e = error(spec, &[]);
        assert_eq!(e.field(), field, "{e}");
        assert!(e.to_string().contains(part), "{e}");
    };
    check(&grok("%{NUMER:n}", &[]), "pattern", "use NUMBER");
    check(&grok("%{A}", &[("A", "%{BX}")]), "definitions", "BX");
    check(&grok("%{A}", &[("A", "%{B}"), ("B", "%{A}")]), "definitions", "without end");
    check(&grok("%{A}", &[("A", "%{A}%{A}")]), "definitions", "without end");
    check(&grok("%{SYSLOGPAMSESSION}", &[]), "pattern", "look-around");
    check(&grok("%{INT", &[]), "pattern", "%{NAME:value}");
    check(&grok("%{INT:}", &[]), "pattern", "%{NAME:value}");
    check(&grok("(?=a)", &[]), "pattern", "look");
}

/// All standard patterns can be used, but for one that says why not.
#[test]
fn standard_patterns_compile() {
    let compiles = |name: &&&str| {
        Format::compile(&grok(&format!("%{{{name}}}"), &[]), &[])
            .inspect_err(|e| assert!(matches!(e, FormatError::LookAround { .. }), "{e}"))
            .is_ok()
    };
    let patterns = logtally_formats::standard_patterns();
    let refused: Vec<_> = patterns.keys().filter(|name| !compiles(name)).collect();
    assert_eq!(refused, [&"SYSLOGPAMSESSION"]);
}

#[test]
fn formats_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Format>();
    shared::<Layout>();
    shared::<Cells>();
}

/// The same cells serve formats in turn, and values that were there before are not there again.
#[test]
fn cells_are_used_again() {
    let mut cells = Cells::new();
    let json = compile(&FormatSpec::Json, &["a", "b"]);
    for (record, expected) in [
        (&br#"{"a":"\n","b":1}"#[..], [Some("\n"), Some("1")]),
        (br#"{"b":"\t"}"#, [None, Some("\t")]),
    ] {
        for pattern in ["(?<a>1)?", "(?<x>(?<a>.))"] {
            let regex = compile(&FormatSpec::Regex { pattern: pattern.into() }, &["a"]);
            assert_eq!(regex.cells(&regex.start(), record, false, &mut cells), Ok(()));
        }
        assert_eq!(json.cells(&json.start(), record, false, &mut cells), Ok(()));
        assert_eq!(texts(&cells, record, 2), expected.map(|v| v.map(str::to_owned)));
    }
}

#[test]
fn lines_are_lines() {
    let found = all(&FormatSpec::Lines, &["@line"], b"a \"b\r\n\r\n\nc");
    assert_eq!(found, [some(&["a \"b"]), some(&["c"])]);
    assert_eq!(error(&FormatSpec::Lines, &["x"]).field(), "format");
    assert_eq!(error(&FormatSpec::Json, &[""]).column(), Some(""));
}
