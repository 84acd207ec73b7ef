//! Marks against the reference, on every set of instructions that the machine has.

use proptest::prelude::*;

use super::classify::Instructions;
use super::find::Marks;
use crate::csv::{Dialect, Field, Fields, Scan, scan_in};

/// Ends of records, and of the fields of each, as the reference finds them; up to the first record
/// that is not complete or not accepted.
fn reference(dialect: Dialect, text: &[u8]) -> Vec<(usize, Vec<usize>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let Scan::Record { body, len, .. } = scan_in(dialect, &text[at..], false) else { break };
        let mut from = at;
        let ends = Fields::in_dialect(&text[at..at + body], dialect).map(|field| {
            let (Field::Plain(raw) | Field::Quoted(raw)) = field;
            let end = from + raw.len();
            from = end + 1;
            end
        });
        let mut ends: Vec<usize> = ends.collect();
        // The last one ends with the record, and not with a delimiter.
        ends.pop();
        at += len;
        found.push((at - 1, ends));
    }
    found
}

fn marked(marks: &Marks, text: &[u8]) -> Vec<(usize, Vec<usize>)> {
    let mut from = 0;
    let record = |end: &u32| {
        let end = *end as usize;
        let delimiters: Vec<usize> =
            (0..).map_while(|n| marks.delimiters(from).nth_before(n, end)).collect();
        let mut one_by_one = marks.delimiters(from);
        let again = std::iter::from_fn(|| one_by_one.nth_before(0, end));
        assert_eq!(again.collect::<Vec<_>>(), delimiters);
        from = end + 1;
        (end, delimiters)
    };
    let found: Vec<_> = marks.ends(0).iter().map(record).collect();
    assert!(found.iter().all(|(end, _)| text[*end] == b'\n'));
    found
}

fn check(dialect: Dialect, text: &[u8]) {
    let expected = reference(dialect, text);
    for instructions in Instructions::available() {
        let mut marks = Marks::with(instructions);
        marks.find(dialect, text);
        assert_eq!(marked(&marks, text), expected, "{instructions:?} {:?}", text.escape_ascii());
        for (end, _) in &expected {
            let behind = expected.iter().map(|(e, _)| *e as u32).filter(|e| *e > *end as u32);
            assert_eq!(marks.ends(end + 1), behind.collect::<Vec<_>>(), "from {end}");
        }
    }
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let quote = prop_oneof![Just(None), Just(Some(b'"')), Just(Some(b'\''))];
    (prop::sample::select(&b",;\t"[..]), quote).prop_map(|(delimiter, quote)| Dialect {
        delimiter,
        quote,
        escape: None,
        comment: None,
    })
}

#[test]
fn quotes_in_the_middle_of_a_field_are_data() {
    for text in [
        "a\"b,c\nd\",e\n",
        "\"a\"b\"c,\"d\ne\"\n",
        "\"a\"\"\",b\n\"\"\"\n\"\n",
        "a\"\"b,\"c\nd\"\ne\n",
        "\"a\" \"b\",c\n",
        "\"\",\"\"\n\"\"\n",
    ] {
        check(Dialect::STANDARD, text.as_bytes());
        // The same at every place of a block.
        for shift in 50..80 {
            let text = format!("{}\n{text}", "x".repeat(shift));
            check(Dialect::STANDARD, text.as_bytes());
        }
    }
}

#[test]
fn an_open_quote_takes_everything_behind_it() {
    let text = format!("a,b\n\"open\n{}", "c,d\n".repeat(100));
    let mut marks = Marks::default();
    marks.find(Dialect::STANDARD, text.as_bytes());
    assert_eq!(marks.ends(0), [3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    /// Everything that is special, close together.
    #[test]
    fn dense_text_is_marked_as_the_reference_reads_it(
        text in "[ab,;\t\r\n\"']{0,400}",
        dialect in dialects(),
    ) {
        check(dialect, text.as_bytes());
    }

    /// Long fields, so that blocks without quotes lie between those with some.
    #[test]
    fn sparse_text_is_marked_as_the_reference_reads_it(
        parts in prop::collection::vec(("[a-z]{0,90}", "[,\n\"]{1,3}"), 0..40),
        dialect in dialects(),
    ) {
        let text: String = parts.into_iter().flat_map(|(a, b)| [a, b]).collect();
        check(dialect, text.as_bytes());
    }
}
