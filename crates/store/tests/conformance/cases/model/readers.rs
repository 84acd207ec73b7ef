//! Readers that remember where they are and may be wrong about it.

use std::collections::HashMap;
use std::ops::Range;

use logtally_core::delta::Delta;
use logtally_core::series::SeriesKey;
use logtally_core::source::{RecordCounts, Tail};

use crate::words::{Sums, counter, delta, gauge};

/// The sources of a history.
pub(super) const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What a generation of a source says at a position: one record, counted in two series.
fn record(name: &str, generation: u64, position: u64) -> [SeriesKey; 2] {
    let host = (generation ^ position.wrapping_mul(7)) % 3;
    [gauge(&format!("{name}-{host}")), counter(&host.to_string())]
}

/// The sums over a span.
pub(super) fn content(name: &str, generation: u64, span: Range<u64>) -> Sums {
    let mut sums = Sums::new();
    for key in span.flat_map(|position| record(name, generation, position)) {
        *sums.entry(key).or_default() += 1;
    }
    sums
}

/// A reader: its idea of each source's generation and position.
#[derive(Default)]
pub(super) struct Reader {
    at: HashMap<String, (u64, u64)>,
}

impl Reader {
    /// Where the reader believes to be.
    pub(super) fn at(&self, name: &str) -> Option<(u64, u64)> {
        self.at.get(name).copied()
    }

    /// The reader learns what is stored, and goes there.
    pub(super) fn hear(&mut self, name: &str, stored: Option<(u64, u64)>) {
        match stored {
            Some(stored) => self.at.insert(name.to_owned(), stored),
            None => self.at.remove(name),
        };
    }

    /// The next span, if the reader has opened the source.
    pub(super) fn read(&mut self, name: &str, length: u64, wrong_tail: bool) -> Option<Delta> {
        let (generation, position) = self.at.get_mut(name)?;
        let span = *position..*position + length;
        *position = span.end;
        let pairs: Vec<_> = content(name, *generation, span.clone()).into_iter().collect();
        let mut delta = delta(name, *generation, span, &pairs);
        delta.records = RecordCounts { counted: length, filtered: 0, rejected: 0 };
        if wrong_tail {
            delta.tail_before = Tail(0xbad);
        }
        Some(delta)
    }
}
