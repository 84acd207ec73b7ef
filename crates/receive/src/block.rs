//! Counts the records of one message. Pure: what it gives depends on the message and the rules alone.

use std::cell::RefCell;

use logtally_core::limits::DELTA_BYTES_MAX;
use logtally_core::rule::Reject;
use memchr::memchr;

use crate::error::PushError;
use crate::message::Rejection;
use logtally_count::reading::Reading;
use logtally_count::records::{BYTE_ORDER_MARK, Cursor};
use logtally_count::tally::{Counted, Tally};

/// Records have positions in their source, for those rules that keep the latest value: so many belong
/// to one message, more than it can have bytes.
const POSITIONS_PER_MESSAGE: u64 = 1 << 22;

thread_local! {
    /// Reused from message to message: first touch of memory is expensive. It keeps the first rejected
    /// record of each reason, for its offset.
    static TALLY: RefCell<Tally> = RefCell::new(Tally::new(1));
}

/// Counts the records of the message with this number (whatever orders the messages of a sender).
pub(crate) fn count_block(
    reading: &Reading,
    number: u64,
    records: &[u8],
) -> Result<(Counted, Vec<Rejection>), PushError> {
    TALLY.with_borrow_mut(|tally| {
        tally.clear();
        let base = number.wrapping_mul(POSITIONS_PER_MESSAGE);
        add_records(reading, base, records, tally);
        let rejections = rejections(tally, base);
        let counted = tally.take(&reading.input);
        match counted.increments.len() {
            bytes if bytes > DELTA_BYTES_MAX => Err(PushError::TooManySeries { bytes }),
            _ => Ok((counted, rejections)),
        }
    })
}

fn add_records(reading: &Reading, base: u64, records: &[u8], tally: &mut Tally) {
    let mut cursor = Cursor { position: base, ..Cursor::start(&reading.input) };
    let mark = if records.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    cursor.position += mark as u64;
    let mut rest = &records[mark..];
    loop {
        let (used, open_line) = cursor.consume(reading, rest, true, tally);
        let Some(line) = open_line else { return };
        let from = used + line.from.min(rest.len() - used);
        let end = memchr(b'\n', &rest[from..]).map_or(rest.len(), |at| from + at + 1);
        cursor.position += (end - used) as u64;
        tally.reject(line.reason, &rest[used..end], cursor.position);
        rest = &rest[end..];
    }
}

fn rejections(tally: &mut Tally, base: u64) -> Vec<Rejection> {
    let first = tally.take_samples();
    let first = |reason: Reject| {
        first.iter().find(|sample| sample.reason == reason).map_or(0, |s| s.position - base)
    };
    let rejected = tally.rejected().filter(|(_, records)| *records > 0);
    rejected
        .map(|(reason, records)| Rejection {
            reason: reason.as_str(),
            records,
            first: first(reason),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use logtally_core::limits::RECORD_BYTES_MAX;

    use super::*;
    use logtally_count::testing::{default_reading, reading};

    fn check(yaml: &str, records: &[u8], counted: u64, rejected: &[(&str, u64, u64)]) {
        let reading = if yaml.is_empty() { default_reading() } else { reading(yaml) };
        let (block, rejections) = count_block(&reading, 7, records).expect("counted");
        let got: Vec<_> = rejections.iter().map(|r| (r.reason, r.records, r.first)).collect();
        assert_eq!(got, rejected);
        assert_eq!(block.records.counted, counted);
        assert_eq!(block.records.rejected, rejected.iter().map(|r| r.1).sum::<u64>());
    }

    #[test]
    fn every_record_counts_or_is_rejected() {
        check("", b"a,b\nc,d\n", 2, &[]);
        check("", b"a,b\nc,d", 2, &[]);
        check("", b"\xef\xbb\xbfhost,job_name\na,b\r\n\n", 1, &[]);
        check("", b"a,b\nx\nc,d\ny\n", 2, &[("ragged", 2, 6)]);
        check("", b"", 0, &[]);
        check(
            "inputs: [{push: true, format: json}]",
            b"{\"host\":1,\"job_name\":2}\n{\n",
            1,
            &[("malformed", 1, 26)],
        );
    }

    #[test]
    fn the_header_of_a_message_is_its_own() {
        check("", b"job_name,host\nx,y\n", 1, &[]);
        check("", b"a\n", 0, &[("ragged", 1, 2)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_one_rejection() {
        let mut records = b"a,b\n".to_vec();
        records.extend(std::iter::repeat_n(b'x', RECORD_BYTES_MAX + 10));
        let open = records.clone();
        let end = open.len() as u64;
        check("", &open, 1, &[("oversized", 1, end)]);
        records.extend(b"\nc,d\n");
        check("", &records, 2, &[("oversized", 1, end + 1)]);
    }

    #[test]
    fn too_many_series_are_refused_and_leave_nothing_behind() {
        let line = |n: u32| format!("host-with-a-long-name-{n},job\n");
        let records: String = (0..100_000).map(line).collect();
        let refused = count_block(&default_reading(), 1, records.as_bytes());
        let error = refused.map(|_| "counted").expect_err("too many");
        assert!(matches!(error, PushError::TooManySeries { .. }), "{error}");
        check("", b"a,b\n", 1, &[]);
    }
}
