//! Walks over the records of a piece of text and counts each. What a file and a pushed message have in
//! common: a place, the header in force, and complete records from there on.
//!
//! Never reads and never waits: what is not complete is left for the next piece.

use std::sync::Arc;

use logtally_core::rule::Reject;
use logtally_formats::{Layout, Scan};

use crate::plan::Input;
use crate::reader::Reading;
use crate::tally::{Record, Tally};

/// A place in a source, as far as its records are concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Just after the last record.
    pub position: u64,
    /// Offset of the header in force.
    pub header: Option<u64>,
    /// Where the columns are.
    pub layout: Layout,
}

/// A rejected line without an LF before `from`, counted from the line's beginning.
pub(crate) struct OpenLine {
    pub(crate) reason: Reject,
    pub(crate) from: usize,
}

pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Cursor {
    /// The beginning of a source.
    pub fn start(input: &Input) -> Self {
        Self { position: 0, header: None, layout: input.format.start() }
    }

    /// Counts the complete records at the beginning of `data` and moves over them. With `last`,
    /// nothing follows, so that an unterminated last record is one. Returns their length, and the
    /// rejected line after them if its end is not in `data`.
    pub(crate) fn consume(
        &mut self,
        reading: &Reading,
        data: &[u8],
        last: bool,
        tally: &mut Tally,
    ) -> (usize, Option<OpenLine>) {
        let start = self.position;
        let mut used = 0;
        if start == 0 && data.starts_with(BYTE_ORDER_MARK) {
            used = BYTE_ORDER_MARK.len();
        }
        let (input, path) = (Arc::as_ref(&reading.input), &*reading.path);
        let mut marker = input.next_marker(data, used);
        let mut open_line = None;
        while used < data.len() {
            let len = match input.format.scan(&data[used..], last) {
                Scan::Record { body, len, quoted } => {
                    let record = &data[used..used + body];
                    let offset = start + used as u64;
                    let is_first = input.first_is_header && self.header.is_none();
                    let may_be_header = body > 0 && (marker < used + body || is_first);
                    if may_be_header && self.take_header(input, record, offset) {
                    } else if body > 0 {
                        let position = offset + len as u64;
                        let record = Record { body: record, quoted, position };
                        tally.add(input, &self.layout, path, record);
                    }
                    len
                }
                Scan::Rejected { reason, len } => {
                    let position = start + (used + len) as u64;
                    tally.reject(reason, &data[used..used + len], position);
                    len
                }
                Scan::RejectedOpen { reason, from } => {
                    open_line = Some(OpenLine { reason, from });
                    break;
                }
                Scan::Incomplete => break,
            };
            used += len;
            if marker < used {
                marker = input.next_marker(data, used);
            }
        }
        self.position = start + used as u64;
        (used, open_line)
    }

    /// If the record is a header, its columns are in force from here on.
    fn take_header(&mut self, input: &Input, record: &[u8], offset: u64) -> bool {
        let is_first = self.header.is_none();
        let Some(layout) = input.format.header(record, is_first) else { return false };
        self.layout = layout;
        self.header = Some(offset);
        true
    }
}
