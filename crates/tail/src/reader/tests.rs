//! A reader against real files: what it counts, where it stops, what it notices.

use std::collections::BTreeMap;
use std::io::Write;

use logtally_core::series::SeriesKey;
use logtally_core::source::Generation;
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;
use crate::content::Compression;
use logtally_count::testing::{default_reading, reading};

struct Bench {
    file: NamedTempFile,
    reader: Reader,
    scratch: Scratch,
    counts: BTreeMap<String, u64>,
}

impl Bench {
    fn new(content: &[u8]) -> Self {
        let mut file = NamedTempFile::new().expect("temporary file");
        file.write_all(content).expect("written");
        let content = Content::File(file.reopen().expect("opened"));
        let reader = Reader::new(Some(content), default_reading());
        Self { file, reader, scratch: Scratch::new(2), counts: BTreeMap::new() }
    }

    fn reopen(&mut self) {
        let content = Content::File(self.file.reopen().expect("opened"));
        self.reader = Reader::new(Some(content), self.reader.reading.clone());
    }

    fn append(&mut self, content: &[u8]) {
        self.file.write_all(content).expect("appended");
    }

    fn rewrite(&mut self, content: &[u8]) {
        std::fs::write(self.file.path(), content).expect("rewritten");
    }

    fn read(&mut self, end: End) -> Result<ReadSpan, ReadError> {
        let span = self.reader.read_span(&mut self.scratch, end)?;
        for (key, amount) in self.scratch.tally.take(self.reader.input()).increments.iter() {
            let key = SeriesKey::parse(key).expect("our own key");
            let name = key.values().collect::<Vec<_>>().join("|");
            if !name.is_empty() {
                *self.counts.entry(name).or_default() += amount.count;
            }
        }
        Ok(span)
    }

    fn check(&mut self, end: End, to: u64, pending: u64, counts: &[(&str, u64)]) {
        let span = self.read(end).expect("read");
        assert_eq!((span.to, span.pending, span.at_end), (to, pending, true));
        let expected: BTreeMap<_, _> = counts.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
        assert_eq!(self.counts, expected);
    }
}

fn state_at(span: &ReadSpan) -> SourceState {
    SourceState {
        position: span.to,
        tail: span.tail_after,
        note: span.header,
        ..SourceState::start(Generation(1))
    }
}

#[test]
fn a_partial_last_line_waits_for_its_end() {
    let mut bench = Bench::new(b"s1,backup\ns2,rep");
    bench.check(End::Open, 10, 6, &[("s1|backup", 1)]);
    bench.append(b"ort\n");
    bench.check(End::Open, 20, 0, &[("s1|backup", 1), ("s2|report", 1)]);
}

#[test]
fn the_last_line_of_a_finished_file_counts() {
    let mut bench = Bench::new(b"s1,backup\ns2,report");
    bench.check(End::Final, 19, 0, &[("s1|backup", 1), ("s2|report", 1)]);
    bench.append(b"\ns3,x\n");
    let resumed = state_at(&bench.read(End::Open).expect("read"));
    assert_eq!(resumed.position, 25);
}

#[test]
fn growing_after_an_unterminated_end_is_noticed() {
    let mut bench = Bench::new(b"s1,back");
    let end = state_at(&bench.read(End::Final).expect("read"));
    bench.append(b"up,x\n");
    bench.reader.seek(end);
    assert!(bench.read(End::Open).expect("read").resumed_mid_line);
}

#[test]
fn headers_name_the_columns_wherever_they_stand() {
    let mut bench = Bench::new(b"time,job_name,host\n1,backup,s1\n\nhost,job_name\ns2,sync\n");
    bench.check(End::Open, 54, 0, &[("s1|backup", 1), ("s2|sync", 1)]);
}

#[test]
fn a_resume_knows_the_header_in_force() {
    let mut bench = Bench::new(b"\xef\xbb\xbftime,job_name,\"host\"\r\n1,backup,s1\r\n");
    let state = state_at(&bench.read(End::Open).expect("read"));
    assert_eq!(state.note, Some(3));
    bench.append(b"2,backup,s1\r\n");
    bench.reopen();
    bench.reader.seek(state);
    bench.check(End::Open, 51, 0, &[("s1|backup", 2)]);
}

#[test]
fn a_replaced_content_is_noticed_before_it_counts() {
    let mut bench = Bench::new(b"s1,backup\n");
    bench.check(End::Open, 10, 0, &[("s1|backup", 1)]);
    bench.rewrite(b"s9,backup\ns9,backup\n");
    assert!(matches!(bench.read(End::Open), Err(ReadError::Replaced { position: 10 })));
    bench.rewrite(b"s1");
    assert!(matches!(bench.read(End::Open), Err(ReadError::Replaced { position: 10 })));
    assert_eq!(bench.counts.len(), 1);
}

#[test]
fn a_long_line_is_rejected_once_and_reading_goes_on() {
    let mut content = b"s1,backup\n".to_vec();
    content.extend(vec![b'x'; 10 << 20]);
    let mut bench = Bench::new(&content);
    bench.check(End::Open, 10, 10 << 20, &[("s1|backup", 1)]);
    bench.append(b"\ns1,backup\n");
    bench.check(End::Open, (10 << 20) + 21, 0, &[("oversized", 1), ("s1|backup", 2)]);
}

#[test]
fn an_unclosed_quote_to_the_end_costs_its_line() {
    let mut bench = Bench::new(b"s1,a\n\"s2,a\ns3,a\n");
    bench.check(End::Open, 5, 11, &[("s1|a", 1)]);
    bench.check(End::Final, 16, 0, &[("s1|a", 1), ("s3|a", 1), ("unclosed_quote", 1)]);
}

#[test]
fn an_unclosed_quote_is_bounded_by_the_limit() {
    let mut content = b"\"s2,a\n".to_vec();
    for _ in 0..300_000 {
        content.extend_from_slice(b"s3,a\n");
    }
    let mut bench = Bench::new(&content);
    let len = content.len() as u64;
    bench.check(End::Open, len, 0, &[("s3|a", 300_000), ("unclosed_quote", 1)]);
}

#[test]
fn a_source_that_ends_before_its_file_stops_there() {
    let mut bench = Bench::new(b"s1,a\ns2,a\ns3,a\n");
    let end = SourceEnd { position: 10, tail: Tail::of(b"s1,a\ns2,a\n") };
    let state = SourceState { end: Some(end), ..SourceState::start(Generation(1)) };
    bench.reader.seek(state);
    bench.check(End::Final, 10, 0, &[("s1|a", 1), ("s2|a", 1)]);
    bench.rewrite(b"s1,a\nXX,a\ns3,a\n");
    bench.reader.seek(state);
    assert!(matches!(bench.read(End::Final), Err(ReadError::Replaced { position: 10 })));
}

const BY_JOB: &str = "inputs: [{format: {type: csv, header: present}, rules: [{metric: jobs, labels: {job: job_name}}]}]";

#[test]
fn other_rules_count_from_the_next_record_on_by_the_header_in_force() {
    let mut bench = Bench::new(b"job_name,host\nbackup,s1\n");
    bench.check(End::Open, 24, 0, &[("s1|backup", 1)]);
    bench.append(b"backup,s2\n");
    bench.reader.adopt(reading(BY_JOB));
    bench.check(End::Open, 34, 0, &[("backup", 1), ("s1|backup", 1)]);
    bench.append(b"sync,s2\n");
    bench.reader.adopt(default_reading());
    bench.check(End::Open, 42, 0, &[("backup", 1), ("s1|backup", 1), ("s2|sync", 1)]);
}

#[test]
fn where_the_first_record_is_a_header_it_is_one_whatever_it_names() {
    let mut bench = Bench::new(b"\nhost,job\ns1,x\n");
    bench.reader.adopt(reading(BY_JOB));
    bench.check(End::Open, 15, 0, &[("ragged", 1)]);
    let position = 15;
    bench.append(b"job_name\nsync\n");
    bench.check(End::Open, position + 14, 0, &[("ragged", 1), ("sync", 1)]);
}

#[test]
fn a_closed_reader_reads_on_where_it_was() {
    let mut bench = Bench::new(b"s1,a\n");
    bench.check(End::Open, 5, 0, &[("s1|a", 1)]);
    bench.append(b"s1,a\n");
    bench.reader.close();
    assert!(matches!(bench.read(End::Open), Err(ReadError::Io { .. })));
    bench.reader.open(Content::File(bench.file.reopen().expect("opened")));
    bench.check(End::Open, 10, 0, &[("s1|a", 2)]);
}

#[test]
fn a_compressed_file_that_is_cut_off_counts_up_to_there_and_then_is_an_error() {
    let lines = (0..100_000_u64).map(|i| format!("s{},a\n", i * 7_919 % 100_003));
    let text = lines.collect::<Vec<_>>().concat();
    let packed = zstd::encode_all(text.as_bytes(), 1).expect("in memory");
    let mut bench = Bench::new(&packed[..packed.len() / 2]);
    let content = Content::of_file(bench.file.reopen().expect("opened"), Some(Compression::Zstd));
    bench.reader.open(content);
    let mut at = 0;
    let error = loop {
        match bench.read(End::Final) {
            Ok(span) => at = span.to,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ReadError::Io { .. }) && at > 0, "{at} {error}");
    std::fs::write(bench.file.path(), &packed).expect("written");
    let read = std::iter::from_fn(|| bench.read(End::Final).ok()).find(|span| span.at_end);
    assert_eq!(read.map(|span| span.to), Some(text.len() as u64));
    let counted: u64 = bench.counts.values().sum();
    assert_eq!(counted, 100_000);
}

#[test]
fn rejected_records_are_kept_for_a_look_if_asked_for() {
    let mut bench = Bench::new(b"one\ntwo\nthree\ns1,a\n");
    bench.reader.read_span(&mut bench.scratch, End::Open).expect("read");
    let samples = bench.scratch.tally.take_samples();
    let texts: Vec<_> = samples.iter().map(|s| (s.position, s.text.as_slice())).collect();
    assert_eq!(texts, [(4, &b"one"[..]), (8, &b"two"[..])], "two per reason");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// However the file grows, and however often the reader is replaced, the counts are those of one
    /// read of the whole.
    #[test]
    fn growth_and_restarts_do_not_matter(
        pieces in prop::collection::vec("[ab,\r\n\"]{0,12}", 1..8),
        restarts in prop::collection::vec(any::<bool>(), 8),
    ) {
        let whole = pieces.concat();
        let mut at_once = Bench::new(whole.as_bytes());
        let expected_span = at_once.read(End::Final).expect("read");
        let mut bench = Bench::new(b"");
        for (piece, restart) in pieces.iter().zip(restarts) {
            bench.append(piece.as_bytes());
            let state = state_at(&bench.read(End::Open).expect("read"));
            if restart {
                bench.reopen();
                bench.reader.seek(state);
            }
        }
        let span = bench.read(End::Final).expect("read");
        prop_assert_eq!(&bench.counts, &at_once.counts);
        prop_assert_eq!((span.to, span.tail_after), (expected_span.to, expected_span.tail_after));
    }
}
