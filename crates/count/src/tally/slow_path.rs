//! The slow path: counts record by record, whatever the format and the rules.

use logtally_core::limits::RECORD_INCREMENTS_BYTES_MAX;
use logtally_core::rule::Reject;
use logtally_core::series::{Amount, Packer};
use logtally_formats::{Cells, Layout};
use logtally_rules::{Hits, Origin};

use super::accounting::Accounting;
use super::record::Record;
use super::row::{CellRow, FieldRow, Numbers};
use super::samples::{RejectedSample, Samples};
use super::series::{SeriesTable, increment_bytes};
use crate::count_path::CountPath;
use crate::input::Input;

/// What was counted record by record, the accounting of all records, and buffers.
#[derive(Default)]
pub(super) struct SlowPath {
    series: SeriesTable,
    accounting: Accounting,
    samples: Samples,
    hits: Hits,
    /// Of each hit, the row of its series, if that is known.
    rows: Vec<Option<u32>>,
    cells: Cells,
    /// Where the fields of a record end.
    ends: Vec<u32>,
    numbers: Numbers,
}

impl SlowPath {
    /// Keeps so many rejected records per reason.
    pub(super) fn new(samples_per_reason: usize) -> Self {
        Self { samples: Samples::of(samples_per_reason), ..Self::default() }
    }

    /// Counts a record in all rules that match it, or in none.
    pub(super) fn add(
        &mut self,
        input: &Input,
        layout: &Layout,
        path: &[Option<String>],
        record: Record<'_>,
    ) {
        let result = self.evaluate(input, layout, path, record);
        match result.and_then(|()| self.count_hits(input.rules.rules().len())) {
            Ok(()) if self.hits.is_empty() => self.accounting.filter(1),
            Ok(()) => self.accounting.count(1),
            Err(reason) => self.reject(reason, record.body, record.position),
        }
    }

    /// Counts a record that cannot be counted by a rule.
    pub(super) fn reject(&mut self, reason: Reject, body: &[u8], position: u64) {
        let nth = self.accounting.reject(reason);
        self.samples.keep(nth, reason, body, position);
    }

    /// Finds the series that a record hits.
    fn evaluate(
        &mut self,
        input: &Input,
        layout: &Layout,
        path: &[Option<String>],
        record: Record<'_>,
    ) -> Result<(), Reject> {
        let Record { body, quoted, position } = record;
        let origin = Origin { path, position, missing: input.format.missing() };
        self.numbers.begin(input.rules.columns().len());
        let Self { ends, cells, numbers, hits, .. } = self;
        match input.count_path.slow() {
            CountPath::Commas if !quoted && layout.is_known() => {
                find_ends(body, layout, ends);
                let row = FieldRow { record: body, ends, layout, numbers };
                input.rules.evaluate(&row, origin, hits)
            }
            _ => {
                input.format.cells(layout, body, quoted, cells)?;
                let row = CellRow { cells, record: body, numbers };
                input.rules.evaluate(&row, origin, hits)
            }
        }
    }

    /// Counts what the rules have found, in all of them or in none.
    fn count_hits(&mut self, rules: usize) -> Result<(), Reject> {
        self.rows.clear();
        // Of all hits, also of those whose series are known: what becomes of a record must not depend on
        // the records before it.
        let mut bytes = 0;
        for (hit, key) in self.hits.iter() {
            bytes += increment_bytes(key.len(), hit.value);
            let row = self.series.find(key);
            if row.is_none() {
                hit.check(key)?;
            }
            self.rows.push(row);
        }
        if bytes > RECORD_INCREMENTS_BYTES_MAX {
            return Err(Reject::Oversized);
        }
        let used_rules = self.accounting.used_rules(rules);
        for ((hit, key), row) in self.hits.iter().zip(&self.rows) {
            used_rules[hit.rule] = true;
            self.series.add(key, *row, Amount { count: 1, value: hit.value });
        }
        Ok(())
    }

    /// What became of the records.
    pub(super) fn accounting(&self) -> &Accounting {
        &self.accounting
    }

    /// The same, and the series, for whoever counts records in another way.
    pub(super) fn totals(&mut self) -> (&mut Accounting, &mut SeriesTable) {
        (&mut self.accounting, &mut self.series)
    }

    /// About how many bytes the packed increments will have.
    pub(super) fn packed_len(&self) -> usize {
        self.series.packed_len()
    }

    /// Packs the increments, those of the accounting included.
    pub(super) fn pack(&self, packer: &mut Packer) {
        for (key, amount) in self.series.iter() {
            packer.push(key, amount);
        }
        self.accounting.pack(packer);
    }

    /// The rejected records that were kept, which are not kept any more then.
    pub(super) fn take_samples(&mut self) -> Vec<RejectedSample> {
        self.samples.take()
    }

    /// Adds what another one has counted by the same input.
    pub(super) fn absorb(&mut self, other: &mut Self) {
        for (key, amount) in other.series.iter() {
            let row = self.series.find(key);
            self.series.add(key, row, amount);
        }
        self.accounting.absorb(&other.accounting);
        self.samples.absorb(&mut other.samples);
    }

    /// Forgets everything counted so far.
    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.accounting.clear();
        self.samples.clear();
    }

    /// Bytes of the keys that are remembered from span to span.
    #[cfg(test)]
    pub(super) fn remembered_bytes(&self) -> usize {
        self.series.key_bytes()
    }
}

/// Finds the ends of the fields of an unquoted record, up to the last one that is wanted.
fn find_ends(body: &[u8], layout: &Layout, ends: &mut Vec<u32>) {
    let last = layout.indexes().iter().flatten().max().map_or(0, |last| last + 1);
    ends.clear();
    let mut from = 0;
    for _ in 0..last {
        let Some(len) = memchr::memchr(b',', &body[from..]) else {
            ends.push(body.len() as u32);
            return;
        };
        ends.push((from + len) as u32);
        from += len + 1;
    }
}
