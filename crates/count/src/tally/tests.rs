//! What records count on the slow path, however their values are found.

use std::collections::BTreeMap;
use std::sync::Arc;

use logtally_core::limits::TALLY_KEPT_BYTES_MAX;
use logtally_core::series::SeriesKey;
use logtally_formats::Scan;
use proptest::prelude::*;

use super::*;
use crate::count_path::CountPath;
use crate::testing::{default_reading, reading};

/// What some text counts, by values of the series.
fn tally(input: &Input, text: &[u8]) -> BTreeMap<String, u64> {
    let (mut tally, layout) = (Tally::new(0), input.format.start());
    let mut at = 0;
    while at < text.len() {
        let Scan::Record { body, len, quoted } = input.format.scan(&text[at..], true) else {
            break;
        };
        let record = Record { body: &text[at..at + body], quoted, position: (at + len) as u64 };
        if body > 0 {
            tally.add(input, &layout, &[], record);
        }
        at += len;
    }
    let counted = tally.take(input);
    assert!(tally.take(input).increments.is_empty(), "a taken tally is empty");
    let named = counted.increments.iter().map(|(key, amount)| {
        let key = SeriesKey::parse(key).expect("checked");
        (key.values().collect::<Vec<_>>().join("|"), amount.count)
    });
    named.filter(|(values, _)| !values.is_empty()).collect()
}

fn check(text: &[u8], expected: &[(&str, u64)]) {
    let expected = expected.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    assert_eq!(tally(&default_reading().input, text), expected, "{}", text.escape_ascii());
}

#[test]
fn plain_and_quoted_records_meet_in_one_series() {
    check(b"a,b\n\"a\",b\na,b,c\n", &[("a|b", 3)]);
}

#[test]
fn what_cannot_be_counted_is_counted_as_rejected() {
    let text = b"alone\na\0b,c\na,\xff\n\"a\"\nok,\xc3\xa9,\xff\0\n";
    let expected = [("invalid_utf8", 1), ("nul", 1), ("ok|\u{e9}", 1), ("ragged", 2)];
    check(text, &expected);
    // The two halves of one character in two values: each value alone is invalid.
    check(b"a\xc3,\xa9b\n", &[("invalid_utf8", 1)]);
}

const CONFIGURATIONS: [&str; 5] = [
    "",
    "inputs: [{format: {type: csv, columns: [a, b, c, d]}, rules: [{metric: m, labels: [d, b]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b, c]}, rules: [{metric: m, labels: {x: c, y: a, z: c}}]}]",
    "inputs: [{format: {type: csv, columns: [a, b, c]}, rules: [{metric: m, labels: [c], when: {a: b}}, {metric: n, labels: [b, a]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [b]}, {metric: n, labels: {x: {column: a, upper: true}}}]}]",
];

proptest! {
    /// Records that are split at their commas count the same as by the cells that all formats find.
    #[test]
    fn commas_count_the_same_as_cells(
        text in prop::collection::vec("[ab,\0\n]{0,6}|\u{e9},|,\n", 0..20),
        which in 0..CONFIGURATIONS.len(),
    ) {
        let text = text.concat().into_bytes();
        let mut input = reading(CONFIGURATIONS[which]).input;
        prop_assert_eq!(input.count_path.slow(), CountPath::Commas);
        let by_commas = tally(&input, &text);
        let input_by_cells = Arc::get_mut(&mut input).expect("nobody else has it");
        input_by_cells.count_path = CountPath::Cells;
        prop_assert_eq!(by_commas, tally(&input, &text));
    }
}

#[test]
fn what_is_remembered_between_two_spans_is_no_count() {
    let input = &default_reading().input;
    let mut tally = Tally::new(0);
    let series = 2 * TALLY_KEPT_BYTES_MAX as u64 / 32;
    let spans = [(0..3, 3), (1..2, 1), (0..series, series), (0..3, 3), (2..5, 3)];
    for (span, expected) in spans {
        for n in span {
            let body = format!("host-of-some-length-{n},job");
            let record = Record { body: body.as_bytes(), quoted: false, position: 0 };
            tally.add(input, &input.format.start(), &[], record);
        }
        let counted = tally.take(input);
        assert_eq!(counted.records.counted, expected);
        let own = counted.increments.iter().filter(|(key, _)| key.contains(&0));
        assert_eq!(
            own.map(|(_, amount)| amount.count).collect::<Vec<_>>(),
            vec![1; expected as usize]
        );
        assert!(
            tally.slow.remembered_bytes() <= TALLY_KEPT_BYTES_MAX,
            "it forgets what is too much"
        );
    }
}
