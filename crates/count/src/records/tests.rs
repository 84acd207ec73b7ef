//! The fast path counts what the slow path counts.

use std::collections::BTreeMap;

use logtally_core::series::SeriesKey;
use logtally_core::source::RecordCounts;
use proptest::prelude::*;

use super::*;
use crate::testing::{on_slow_path, reading};

/// Everything that is to be the same.
#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    series: BTreeMap<String, u64>,
    samples: Vec<(Reject, u64, Vec<u8>)>,
    at: Option<Cursor>,
}

/// Counts a text that comes in pieces, cut anywhere, as a reader does.
fn count(reading: &Reading, text: &[u8], cuts: &[usize], last: bool) -> Outcome {
    let mut tally = Tally::new(1000);
    let mut cursor = Cursor::start(&reading.input);
    let mut outcome = Outcome::default();
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(text.len());
    for (i, end) in ends.iter().enumerate() {
        let from = (cursor.position as usize).min(*end);
        let is_last = last && i + 1 == ends.len();
        let (_, open) = cursor.consume(reading, &text[from..*end], is_last, &mut tally);
        assert!(open.is_none(), "no line is that long");
        if i % 2 == 0 {
            outcome.take(reading, &mut tally);
        }
    }
    outcome.take(reading, &mut tally);
    outcome.samples.sort();
    outcome.at = Some(cursor);
    outcome
}

impl Outcome {
    fn take(&mut self, reading: &Reading, tally: &mut Tally) {
        let samples = tally.take_samples();
        self.samples.extend(samples.into_iter().map(|s| (s.reason, s.position, s.text)));
        for (key, amount) in tally.take(&reading.input).increments.iter() {
            let key = SeriesKey::parse(key).expect("checked");
            let name = key.family().as_str().to_owned();
            let name = key.values().fold(name, |name, value| name + "|" + value);
            *self.series.entry(name).or_default() += amount.count;
        }
    }
}

const CONFIGURATIONS: [&str; 16] = [
    "",
    "inputs: [{format: {type: csv, columns: [t, a, b, c]}, rules: [{metric: m, labels: [a, b]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b, c, d]}, rules: [{metric: m, labels: [d, b]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [b, a]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [b]}]}]",
    "inputs: [{format: {type: csv, header: present}, rules: [{metric: m, labels: [a]}]}]",
    "inputs: [{format: {type: csv, delimiter: ';', quote: \"'\", columns: [a, b]}, rules: [{metric: m, labels: [a, b]}]}]",
    "inputs: [{format: {type: csv, header: absent, columns: [a, b]}, rules: [{metric: m, labels: [a, b]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b, c]}, rules: [{metric: m, labels: [a], when: {b: a}}, {metric: n, labels: [b, a]}]}]",
    "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [b], when: {a: b}}]}]",
    "inputs: [{format: {type: csv, columns: [a, b, c]}, rules: [{metric: m, labels: [a]}, {metric: n, labels: [a], when: {c: {matches: '^a'}}}, {metric: o, labels: [a], when: 'b == \"a\"'}]}]",
    "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [a]}, {metric: m, labels: [a]}]}]",
    // Columns by number: behind the named ones, one column twice, in a row that a header describes.
    "inputs: [{format: {type: csv, header: present}, rules: [{metric: m, labels: {x: '2'}}]}]",
    "inputs: [{format: {type: csv, header: present}, rules: [{metric: m, labels: {x: '2', y: '3'}}]}]",
    "inputs: [{format: {type: csv, header: present}, rules: [{metric: m, labels: {x: '1'}, when: {'1': {not: nothing}}}]}]",
    "inputs: [{format: {type: csv, header: present}, rules: [{metric: m, labels: {x: '2'}}]}]",
];

/// What the fast path and the slow path count.
fn both_paths(yaml: &str, text: &[u8], cuts: &[usize], last: bool) -> (Outcome, Outcome) {
    let reading = reading(yaml);
    assert!(reading.input.has_fast_path(), "{yaml}");
    let fast = count(&reading, text, cuts, last);
    (fast, count(&on_slow_path(reading), text, cuts, last))
}

fn check(yaml: &str, text: &[u8]) {
    let (fast, slow) = both_paths(yaml, text, &[], true);
    assert_eq!(fast, slow, "{yaml} {:?}", text.escape_ascii());
}

#[test]
fn a_header_in_the_middle_of_known_records_is_one() {
    let lines = |line: &str| format!("{line}\n").repeat(50);
    for header in ["host,job_name", "job_name,host", "x,job_name,host", "\"host\",job_name"] {
        let text = lines("a,b") + &lines("c,d") + header + "\n" + &lines("a,b") + &lines("c,d,e");
        check("", text.as_bytes());
    }
    // Neither is data that looks like one from afar.
    check("", (lines("job_name,b") + &lines("my_job_name,host") + &lines("a,b")).as_bytes());
}

#[test]
fn columns_by_number_and_blank_lines_count_the_same() {
    let rows = "title of the table\nleft,middle,right\n\n\r\nleft,middle\n\nleft\n".repeat(5);
    let text = rows + "quite some words in one long line without a single delimiter in it\n";
    for yaml in CONFIGURATIONS {
        check(yaml, text.as_bytes());
    }
}

#[test]
fn what_one_input_knows_means_nothing_to_another() {
    let data = "a,b\nhost,job_name\nhost,job_name\na,b\n".repeat(40);
    let with = reading("");
    let without =
        reading("inputs: [{format: {type: csv, header: absent, columns: [host, job_name]}}]");
    let mut tally = Tally::new(0);
    for (reading, counted) in [(&without, 160), (&with, 80), (&without, 160)] {
        let mut cursor = Cursor::start(&reading.input);
        cursor.consume(reading, data.as_bytes(), true, &mut tally);
        assert_eq!(tally.take(&reading.input).records.counted, counted);
    }
}

#[test]
fn values_of_any_length_are_told_apart() {
    let mut text = String::new();
    for len in 1..200 {
        for end in ["x", "y"] {
            text += &format!("{}{end},b\n", "a".repeat(len)).repeat(3);
        }
    }
    check("", text.as_bytes());
    let huge = "h".repeat(5000) + ",b\n";
    check("", (huge.clone() + &text + &huge).as_bytes());
}

#[test]
fn raw_keys_that_never_come_again_are_given_up() {
    let line = |n: u32| format!("host-{n},job-{}\n", n % 7);
    let text = (0..200_000).map(line).collect::<Vec<_>>().concat();
    let reading = reading(
        "inputs: [{format: {type: csv, columns: [a, b]}, rules: [{metric: m, labels: [b], when: {a: {matches: '[02468]$'}}}]}]",
    );
    let (mut tally, mut cursor) = (Tally::new(0), Cursor::start(&reading.input));
    for part in text.as_bytes().chunk_by(|a, _| *a != b'\n').collect::<Vec<_>>().chunks(4_000) {
        cursor.consume(&reading, &part.concat(), true, &mut tally);
    }
    assert!(!tally.looks_up_raw_keys());
    let counted = tally.take(&reading.input);
    let RecordCounts { counted: n, filtered, .. } = counted.records;
    assert_eq!((n, filtered), (100_000, 100_000));
    let own = counted.increments.iter().filter(|(key, _)| key.contains(&0));
    assert_eq!(own.map(|(_, amount)| amount.count).sum::<u64>(), 100_000);
    assert!(tally.looks_up_raw_keys(), "the next span tries again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]
    /// Few values, so that most records were met before.
    #[test]
    fn both_paths_count_the_same(
        lines in prop::collection::vec(
            prop_oneof![
                8 => "[ab]{1,2}[,;][ab]{0,2}([,;][ab]?){0,3}\r?\n",
                2 => "[ab,;\"'\r\n\0]{0,12}\n",
                1 => "(x,)?(host,job_name|job_name,host|a,b|b,a,c)(,z)?\n",
                1 => "\"a\"\"\n,b\",a,\"b\"\n|\u{e9},a\n",
                1 => Just("\u{fffd}\n".to_owned()),
                1 => "\r?\n",
            ],
            0..120,
        ),
        invalid in any::<bool>(),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        last in any::<bool>(),
        which in 0..CONFIGURATIONS.len(),
    ) {
        let mut text = lines.concat().into_bytes();
        if invalid && let Some(byte) = text.iter_mut().find(|byte| **byte == 0xef) {
            *byte = 0xff;
        }
        let (fast, slow) = both_paths(CONFIGURATIONS[which], &text, &cuts, last);
        prop_assert_eq!(fast, slow);
    }
}
