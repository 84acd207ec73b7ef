//! A reader against real files: what it counts, where it stops, what it notices.

use std::collections::BTreeMap;
use std::io::Write;

use logtally_core::series::SeriesKey;
use logtally_core::source::Generation;
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;

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
        let rule = Arc::new(Rule::default_rule());
        let reader = Reader::new(file.reopen().expect("opened"), Arc::clone(&rule));
        Self { file, reader, scratch: Scratch::new(&rule), counts: BTreeMap::new() }
    }

    fn append(&mut self, content: &[u8]) {
        self.file.write_all(content).expect("appended");
    }

    fn rewrite(&mut self, content: &[u8]) {
        std::fs::write(self.file.path(), content).expect("rewritten");
    }

    fn read(&mut self, end: End) -> Result<ReadSpan, ReadError> {
        let span = self.reader.read_span(&mut self.scratch, end)?;
        for (key, n) in self.scratch.tally.take().1.iter() {
            let key = SeriesKey::parse(key).expect("our own key");
            let name = key.values().collect::<Vec<_>>().join("|");
            if !name.is_empty() {
                *self.counts.entry(name).or_default() += n;
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
        header: span.header,
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
    assert_eq!(state.header, Some(3));
    bench.append(b"2,backup,s1\r\n");
    let rule = Arc::new(Rule::default_rule());
    bench.reader = Reader::new(bench.file.reopen().expect("opened"), rule);
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
        let rule = Arc::new(Rule::default_rule());
        for (piece, restart) in pieces.iter().zip(restarts) {
            bench.append(piece.as_bytes());
            let state = state_at(&bench.read(End::Open).expect("read"));
            if restart {
                let file = bench.file.reopen().expect("opened");
                bench.reader = Reader::new(file, Arc::clone(&rule));
                bench.reader.seek(state);
            }
        }
        let span = bench.read(End::Final).expect("read");
        prop_assert_eq!(&bench.counts, &at_once.counts);
        prop_assert_eq!((span.to, span.tail_after), (expected_span.to, expected_span.tail_after));
    }
}
