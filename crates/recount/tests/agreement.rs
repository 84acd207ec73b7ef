//! Both readings of every format agree on generated input.
//!
//! Deterministic unless `LOGTALLY_TEST_SEED` says otherwise; a failure names its seed.

use std::io::{BufRead, BufReader};

use logtally_core::limits::RECORD_BYTES_MAX;
use logtally_formats::spec::{CsvSpec, FormatSpec};
use logtally_recount::{Record, Recount, agree};
use proptest::prelude::*;

const INPUTS: u64 = 20_000;

/// What the inputs of a format are made of.
type Pieces = &'static [&'static [u8]];

const CSV: Pieces = &[
    b"a",
    b"b",
    b"ab",
    b",",
    b",",
    b";",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"",
    b"\"\"",
    b"'",
    b"\\",
    b"#",
    b" ",
    b"\t",
    b"\xff",
    b"a,b\n",
    b"b;ab;a\n",
    b"\"a\",\"b\"\n",
    b"1,2,3,4\n",
    b"\n#",
    b"\xef\xbb\xbf",
    b"\n\"",
    b"b\"\"b",
    b"b 1 a\n",
    b"b\ta\n",
];

const JSON: Pieces = &[
    b"{",
    b"}",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"a\":",
    b"\"b\":",
    b"\"a\":{\"b\":",
    b"\"a\"",
    b"\"a.b\":1",
    b"\"\\u0061\":",
    b"\"\\ud83d\\ude00\"",
    b"\"\\ud83d\"",
    b"\"\\udc00\"",
    b"\"\\n\"",
    b"null",
    b"true",
    b"false",
    b"0",
    b"-1.5e+3",
    b"1e999",
    b"01",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\n",
    b"\r\n",
    b"\t",
    b"\xff",
    b"\xc3\xa9",
    b"\"\xc3\xa9\":",
    b"{\"a\":",
    b"{\"a\":[",
    b"1}\n",
    b"}\n{",
    b"\"0\":",
    b"{}",
    b"[]",
    b",\"a\":",
    b",\"b\":{\"a\":1}",
    b"[{\"a\":2}]",
];

const LOGFMT: Pieces = &[
    b"a", b"b", b"ab", b"=", b"=", b"a=", b" b=", b"\"", b"\"", b"=\"", b"\" ", b"\\", b"\\\"",
    b"\\n", b"\\q", b" ", b" ", b"\t", b"\n", b"\r\n", b"\r", b"\xff", b"x y",
];

const LINES: Pieces = &[
    b"a",
    b"aa",
    b"b",
    b"c",
    b" ",
    b" ",
    b"\n",
    b"\r\n",
    b"\r",
    b"[",
    b"{",
    b"%",
    b"\xff",
    b"\xc3\xa9",
    b"10.0.0.1",
    b"-5.5",
    b"word",
    b"\"quo\\\"ted\"",
    b"'q'",
    b"2024-02-29T12:30:00Z",
    b"::1",
    b"h - - [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.0\" 200 5",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // A counter through a good mixer: every seed gives another sequence.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn input(&mut self, pieces: Pieces) -> Vec<u8> {
        let mut input = vec![self.next() as u8];
        for _ in 0..self.below(40) {
            input.extend_from_slice(pieces[self.below(pieces.len())]);
        }
        input
    }
}

fn seed() -> u64 {
    let given = std::env::var("LOGTALLY_TEST_SEED").ok();
    given.map_or(20_260_101, |seed| seed.parse().expect("LOGTALLY_TEST_SEED is a number"))
}

/// Appends a value of JSON, which is broken now and then.
fn json_value(random: &mut Random, depth: usize, out: &mut Vec<u8>) {
    const SCALARS: Pieces = &[
        b"1",
        b"-0.5E+1",
        b"true",
        b"false",
        b"null",
        b"\"\"",
        b"\"x\"",
        b"\"\\u0041\\n\"",
        b"\"\\ud83d\\ude00\"",
        b"\"\\ud83d\"",
        b"01",
        b"\"\t\"",
        b"1e999",
        b" 2 ",
    ];
    const KEYS: Pieces = &[
        b"\"a\"",
        b"\"a\"",
        b"\"b\"",
        b"\"a.b\"",
        b"\"\\u0061\"",
        b"\"0\"",
        b"\"b.a\" ",
        b" \"c\"",
    ];
    let (open, close) = match random.below(if depth == 1 { 1 } else { 12 }) {
        0..3 if depth < 6 => (b'{', b'}'),
        3..5 if depth < 6 => (b'[', b']'),
        _ => return out.extend_from_slice(SCALARS[random.below(SCALARS.len())]),
    };
    out.push(open);
    for i in 0..random.below(5) {
        if i > 0 {
            out.push(b',');
        }
        if open == b'{' {
            out.extend_from_slice(KEYS[random.below(KEYS.len())]);
            out.push(b':');
        }
        json_value(random, depth + 1, out);
    }
    out.push(if random.below(100) == 0 { open } else { close });
}

fn feed(pieces: Pieces, check: fn(&[u8])) {
    let seed = seed();
    println!("LOGTALLY_TEST_SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..INPUTS {
        check(&random.input(pieces));
    }
}

#[test]
fn csv() {
    feed(CSV, agree::check_csv);
}

#[test]
fn json() {
    feed(JSON, agree::check_json);
}

#[test]
fn json_trees() {
    let mut random = Random(seed());
    for _ in 0..INPUTS {
        let mut input = vec![0];
        json_value(&mut random, 1, &mut input);
        agree::check_json(&input);
    }
}

#[test]
fn logfmt() {
    feed(LOGFMT, agree::check_logfmt);
}

#[test]
fn expressions() {
    feed(LINES, agree::check_expression);
}

#[test]
fn lines() {
    feed(LINES, agree::check_lines);
}

/// Input that shrinks, for whoever has to find out why the two differ.
fn inputs(pieces: Pieces) -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(prop::sample::select(pieces), 0..30);
    (any::<u8>(), text).prop_map(|(choice, text)| [&[choice], text.concat().as_slice()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn small_csv(input in inputs(CSV)) {
        agree::check_csv(&input);
    }

    #[test]
    fn small_json(input in inputs(JSON)) {
        agree::check_json(&input);
    }

    #[test]
    fn small_logfmt(input in inputs(LOGFMT)) {
        agree::check_logfmt(&input);
    }

    #[test]
    fn small_lines(input in inputs(LINES)) {
        agree::check_expression(&input);
    }

    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..100)) {
        for check in [
            agree::check_csv,
            agree::check_json,
            agree::check_logfmt,
            agree::check_expression,
            agree::check_lines,
        ] {
            check(&input);
        }
    }
}

/// Around the limit everything depends on single bytes.
#[test]
fn at_the_limit() {
    let escaped = CsvSpec { escape: Some(b'\\'), comment: Some(b'#'), ..CsvSpec::default() };
    let mut random = Random(seed());
    for begin in ["", "\"", "x,\"", "\"a\nb\",", "#"] {
        for missing in 0..6 {
            let mut text = begin.as_bytes().to_vec();
            text.resize(RECORD_BYTES_MAX - missing, b'x');
            for _ in 0..2 {
                let mut text = [text.clone(), random.input(CSV)].concat();
                agree::check_with(&FormatSpec::Csv(escaped.clone()), &["1", "@line"], &text);
                text.push(b'\n');
                agree::check_with(&FormatSpec::Csv(CsvSpec::default()), &["2"], &text);
                agree::check_with(&FormatSpec::Lines, &["@line"], &text);
            }
        }
    }
}

/// The input may come in any pieces, and memory does not grow with it.
#[test]
fn pieces_do_not_matter() {
    let wanted = ["a".to_owned(), "@line".to_owned()];
    let recount = Recount::new(&FormatSpec::Csv(CsvSpec::default()), &wanted).expect("a recount");
    let records = |mut input: &mut dyn BufRead| -> Vec<Record> {
        recount.records(&mut input).map(|record| record.expect("memory can be read")).collect()
    };
    let mut random = Random(seed());
    for _ in 0..500 {
        let text = [&b"a,b\n"[..], &random.input(CSV)].concat();
        let whole = records(&mut text.as_slice());
        let pieces = 1 + random.below(9);
        assert_eq!(records(&mut BufReader::with_capacity(pieces, text.as_slice())), whole);
    }
}

/// As deep as it may be, and one deeper.
#[test]
fn deep_json() {
    for depth in [127, 128, 129, 5_000] {
        for (open, close) in [("{\"a\":", "}"), ("{\"a\":[", "]}")] {
            let levels = depth / open.matches(['{', '[']).count();
            let text = [open.repeat(levels), "1".into(), close.repeat(levels)].concat();
            agree::check_json(&[b"\0", text.as_bytes()].concat());
        }
    }
}
