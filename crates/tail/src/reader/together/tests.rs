//! Several threads count what one thread counts.

use std::collections::BTreeMap;
use std::io::Write;

use logtally_core::limits::SPAN_BYTES_MAX;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tempfile::NamedTempFile;

use super::*;
use crate::content::Content;
use crate::reader::{End, ReadError, ReadSpan, Reader, SpanLimits};
use logtally_count::testing::reading;

/// What a file counts, span by span.
#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    spans: Vec<ReadSpan>,
    series: BTreeMap<Vec<u8>, u64>,
    samples: Vec<(u64, Vec<u8>)>,
    /// Steps that were begun again by one thread.
    given_up: u32,
}

fn count(reading: &Reading, file: &NamedTempFile, helpers: usize, limits: SpanLimits) -> Outcome {
    let content = Content::File(file.reopen().expect("opened"));
    let mut reader = Reader::new(Some(content), reading.clone());
    let scratch = || Scratch::new(100_000).with_limits(limits);
    let mut ours = scratch();
    let mut outcome = Outcome::default();
    loop {
        ours.helpers.resize_with(helpers, scratch);
        let span = reader.read_span(&mut ours, End::Final).expect("readable");
        outcome.given_up += u32::from(reader.steps_alone == super::super::ALONE_STEPS);
        let samples = ours.tally.take_samples();
        outcome.samples.extend(samples.into_iter().map(|s| (s.position, s.text)));
        for (key, amount) in ours.tally.take(&reading.input).increments.iter() {
            *outcome.series.entry(key.to_vec()).or_default() += amount.count;
        }
        let at_end = span.at_end;
        outcome.spans.push(span);
        if at_end {
            outcome.samples.sort();
            return outcome;
        }
    }
}

fn file(text: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text).expect("written");
    file
}

/// Lines enough for many blocks, each one of these.
fn lines(kinds: &[String], bytes: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(7);
    let mut text = Vec::new();
    while text.len() < bytes {
        text.extend_from_slice(kinds.choose(&mut random).expect("some").as_bytes());
    }
    text
}

const WIDE: &str = "inputs: [{format: {type: csv, columns: [t, host, job, note]}, rules: [{metric: m, labels: [host, job]}]}]";

/// Counts alone and with helpers. Returns what was counted, and how often helpers had to give up.
fn both_ways(yaml: &str, text: &[u8]) -> (Outcome, u32) {
    let (reading, file) = (reading(yaml), file(text));
    let limits = SpanLimits { bytes: 20 << 20, increments: 1 << 20 };
    let alone = count(&reading, &file, 0, limits);
    let mut given_up = 0;
    for helpers in [1, 3] {
        let together = count(&reading, &file, helpers, limits);
        given_up += together.given_up;
        let ends = |o: &Outcome| o.spans.last().map(|s| (s.to, s.tail_after, s.header));
        assert_eq!(ends(&together), ends(&alone), "{helpers} helpers");
        assert!(together.spans.windows(2).all(|s| s[0].tail_after == s[1].tail_before));
        // Not `assert_eq`: nobody reads that much.
        assert!(together.series == alone.series, "{helpers} helpers count other series");
        assert!(together.samples == alone.samples, "{helpers} helpers reject other records");
    }
    (alone, given_up)
}

#[test]
fn several_threads_count_the_same() {
    let random = |n: u32| StdRng::seed_from_u64(n.into()).random_range(1..40);
    let plain = |n: u32| format!("{n},server{},job{n},{}\n", n % 50, "x".repeat(random(n)));
    let quoted = |n: u32| {
        let inside = "line\n\"\",".repeat(random(n));
        format!("{n},\"server{}\",job{n},\"{inside}\"\r\n", n % 50)
    };
    let odd = |n: u32| format!("{n},a\"b{},job,\"x\"\"\n\" y \"z\n", n % 9);
    let huge = format!("1,h,j,\"{}\"\n", "text, and\n".repeat(9_000));
    let bad = "ragged\n1,\0,b,c\n".to_owned();
    let cases: [(&str, Vec<String>); 4] = [
        ("plain", (0..500).map(plain).collect()),
        ("quoted", (0..500).map(quoted).chain([bad.clone()]).collect()),
        ("odd", (0..200).flat_map(|n| [plain(n), quoted(n), odd(n)]).collect()),
        ("huge", (0..50).flat_map(|n| [plain(n), odd(n), huge.clone()]).collect()),
    ];
    for (name, kinds) in cases {
        let (alone, given_up) = both_ways(WIDE, &lines(&kinds, 30 << 20));
        assert!(alone.spans.len() > 1 && alone.series.len() > 5, "{name}");
        assert_eq!(given_up, 0, "{name}: nothing is unusual");
    }
}

#[test]
fn a_header_in_the_middle_is_left_to_one_thread() {
    let kinds: Vec<String> = (0..500).map(|n| format!("server{n},job{n}\n")).collect();
    let mut text = b"host,job_name\n".to_vec();
    text.extend(lines(&kinds, 9 << 20));
    text.extend(b"job_name,host\n");
    text.extend(lines(&kinds, 9 << 20));
    let (alone, given_up) = both_ways("", &text);
    assert!(alone.series.len() > 1000 && given_up > 0);
}

#[test]
fn a_span_is_closed_when_it_has_enough() {
    let line = |n: u32| format!("a-server-with-a-name-{n},job\n");
    let text = (0..400_000).map(line).collect::<Vec<_>>().concat();
    let (alone, given_up) = both_ways("", text.as_bytes());
    assert_eq!((alone.series.len(), given_up), (400_002, 0));
    assert!(alone.spans.len() > 5, "{}", alone.spans.len());
}

#[test]
fn a_file_that_changes_under_the_threads_is_noticed() {
    let kinds: Vec<String> = (0..500).map(|n| format!("server{n},job{n}\n")).collect();
    let text = lines(&kinds, 8 << 20);
    let (reading, file) = (reading(""), file(&text));
    let content = Content::File(file.reopen().expect("opened"));
    let mut reader = Reader::new(Some(content), reading);
    let limits = SpanLimits { bytes: 1 << 20, ..SpanLimits::default() };
    assert!(limits.bytes < SPAN_BYTES_MAX);
    let mut scratch = Scratch::new(0).with_limits(limits);
    scratch.helpers.push(Scratch::new(0));
    reader.read_span(&mut scratch, End::Open).expect("read");
    std::fs::write(file.path(), lines(&kinds[3..], 8 << 20)).expect("rewritten");
    scratch.limits = SpanLimits::default();
    let again = reader.read_span(&mut scratch, End::Open);
    assert!(matches!(again, Err(ReadError::Replaced { .. })), "{again:?}");
}

#[test]
fn another_tail_between_two_blocks_is_unusual() {
    let kinds: Vec<String> = (0..500).map(|n| format!("server{n},job{n}\n")).collect();
    let text = lines(&kinds, 8 << 20);
    let (reading, file) = (reading(""), file(&text));
    let at = Cursor { position: 0, ..Cursor::start(&reading.input) };
    let dialect = at.fast_path(&reading.input).expect("its records take the fast path");
    let mut scratch = Scratch::new(0);
    let opened = file.reopen().expect("opened");
    let mut part = Part {
        file: &opened,
        reading: &reading,
        dialect,
        at: &at,
        tail: Tail::empty(),
        blocks: 10,
        increments_max: usize::MAX,
    };
    assert!(part.count(&mut scratch, usize::MAX).is_ok());
    part.tail = Tail(1);
    assert_eq!(part.count(&mut scratch, usize::MAX), Err(Unusual));
}
