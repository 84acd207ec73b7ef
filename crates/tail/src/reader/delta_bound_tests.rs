//! What a span counts always fits one delta, however many series its records make.

use std::fmt::Write as _;
use std::io::Write as _;

use logtally_core::limits::{
    DELTA_BYTES_MAX, DELTA_BYTES_TARGET, RECORD_BYTES_MAX, RECORD_INCREMENTS_BYTES_MAX,
};
use logtally_core::rule::Reject;
use logtally_count::reading::Reading;
use logtally_count::testing::{on_slow_path, reading};
use tempfile::NamedTempFile;

use super::*;

/// Rules that each count by the same column.
fn rules(how_many: usize) -> String {
    let mut yaml = String::from(
        "inputs: [{format: {type: csv, header: absent, columns: [visitor, page]}, rules: [",
    );
    for i in 0..how_many {
        write!(yaml, "{{metric: visits_{i}_total, labels: [visitor]}},").expect("in memory");
    }
    yaml + "]}]"
}

fn visitors(how_many: usize) -> String {
    let lines: Vec<String> = (0..how_many).map(|i| format!("visitor{i:09},p\n")).collect();
    lines.concat()
}

/// The length of the increments of each span, the records counted, and those too large for a delta.
fn read_all(reading: &Reading, text: &str, helpers: usize) -> (Vec<usize>, u64, u64) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    let mut reader =
        Reader::new(Some(Content::File(file.reopen().expect("opened"))), reading.clone());
    let mut scratch = Scratch::new(0);
    scratch.helpers.resize_with(helpers, || Scratch::new(0));
    let (mut lens, mut counted, mut oversized) = (Vec::new(), 0, 0);
    loop {
        let span = reader.read_span(&mut scratch, End::Final).expect("readable");
        let is_oversized = |(reason, _): &(Reject, u64)| *reason == Reject::Oversized;
        oversized += scratch.tally.rejected().filter(is_oversized).map(|(_, n)| n).sum::<u64>();
        let content = scratch.tally.take(&reading.input);
        lens.push(content.increments.len());
        counted += content.records.counted;
        if span.at_end {
            assert_eq!(span.to, text.len() as u64);
            return (lens, counted, oversized);
        }
    }
}

fn check(reading: &Reading, text: &str, helpers: usize) {
    let (lens, counted, oversized) = read_all(reading, text, helpers);
    assert_eq!((counted, oversized), (text.lines().count() as u64, 0));
    let largest = lens.iter().max().copied().unwrap_or_default();
    assert!(largest <= DELTA_BYTES_TARGET + RECORD_INCREMENTS_BYTES_MAX, "{largest} bytes");
    assert!(largest > DELTA_BYTES_TARGET / 2, "{largest} bytes: a commit is worth its price");
}

#[test]
fn many_rules_over_a_column_that_is_always_different_fit_delta_after_delta() {
    let text = visitors(20_000);
    check(&reading(&rules(20)), &text, 0);
    check(&on_slow_path(reading(&rules(20))), &text, 0);
}

#[test]
fn a_large_buffer_behind_a_long_record_does_not_make_larger_deltas() {
    let long = format!("one,{}\n", "p".repeat(300_000));
    let text = long + &visitors(60_000);
    check(&reading(&rules(3)), &text, 0);
}

#[test]
fn threads_that_help_stay_within_the_bound_together() {
    let text = visitors(200_000);
    for helpers in [1, 15] {
        check(&reading(&rules(2)), &text, helpers);
    }
}

#[test]
fn a_record_that_alone_adds_too_much_is_rejected_and_told() {
    let yaml = rules(RECORD_BYTES_MAX / 1000);
    let long = format!("{},p\n", "v".repeat(1_000));
    let text = format!("a,p\n{long}b,p\n{long}");
    for reading in [reading(&yaml), on_slow_path(reading(&yaml))] {
        let (lens, counted, oversized) = read_all(&reading, &text, 0);
        assert_eq!((counted, oversized), (2, 2));
        assert!(lens.iter().all(|len| *len <= DELTA_BYTES_MAX), "{lens:?}");
    }
}
