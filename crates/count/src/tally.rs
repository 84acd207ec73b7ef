//! What one span counted: a table from series to amounts, closed when it is large enough.
//!
//! The table is keyed by the series key's bytes, so a record of a known series costs one look-up per
//! rule and its values need no second check: they were checked when the series first appeared.

mod outcome;

mod spellings;

mod sweep;

mod table;

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use logtally_core::decimal::Decimal;
use logtally_core::delta::SeriesLimit;
use logtally_core::limits::TALLY_KEPT_BYTES_MAX;
use logtally_core::rule::{self, Reject};
use logtally_core::series::{Amount, Family, Increments, Packer, SeriesKey};
use logtally_core::source::RecordCounts;
use logtally_formats::csv::{Dialect, Marks};
use logtally_formats::{Cells, Layout};
use logtally_rules::{Hits, Origin, Row, check_key};

use self::outcome::Outcome;
use self::spellings::Spellings;
use self::sweep::Batch;
pub(crate) use self::sweep::Piece;
use self::table::Table;
use crate::plan::Input;

/// Bytes of the usual increments of the accounting.
const ACCOUNTS_BYTES: usize = 48;

/// A record in its source.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its content, without the terminator.
    pub body: &'a [u8],
    /// Whether it has a quote, so that its fields need unquoting.
    pub quoted: bool,
    /// Position just after it.
    pub position: u64,
}

/// What a span counted.
#[derive(Debug)]
pub struct Counted {
    /// The families of the increments.
    pub families: Vec<Arc<Family>>,
    /// How many series they may have.
    pub limits: Vec<SeriesLimit>,
    /// The increments, those of the accounting included.
    pub increments: Increments,
    /// The records.
    pub records: RecordCounts,
}

/// A record that was rejected, kept for a person to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Why.
    pub reason: Reject,
    /// Position just after the record.
    pub position: u64,
    /// The beginning of its content.
    pub text: Vec<u8>,
}

/// Bytes of a spelling's increments beside their keys, as far as they are usual.
const SPELLING_OVERHEAD_BYTES: usize = 3;

/// Bytes of a rejected record that are kept.
const SAMPLE_BYTES_MAX: usize = 512;

/// Increments of one span, before they are packed. Reused from span to span.
#[derive(Default)]
pub struct Tally {
    table: Table,
    /// What sweeps counted, by the input that the spellings are of.
    spellings: Spellings,
    spelled_for: Option<u64>,
    /// Whether every spelling is a series.
    is_spelled_out: bool,
    /// Look-ups of spellings since the table was emptied: found, and not found.
    hit: u64,
    missed: u64,
    outcome: Outcome,
    batch: Batch,
    pub(crate) marks: Marks,
    cells: Cells,
    numbers: Numbers,
    hits: Hits,
    found: Vec<Option<u32>>,
    key: Vec<u8>,
    ends: Vec<u32>,
    candidates: Vec<u32>,
    found_plain: Vec<PlainHit>,
    /// By rule: whether it counted anything.
    used: Vec<bool>,
    counted: u64,
    filtered: u64,
    rejected: [u64; Reject::ALL.len()],
    samples: Vec<Sample>,
    samples_per_reason: usize,
}

/// A series that a record hits, by its key's place.
struct PlainHit {
    rule: usize,
    from: usize,
    to: usize,
    known: Option<u32>,
}

/// A series of the accounting.
struct Account {
    family: Arc<Family>,
    key: SeriesKey,
}

/// All of them, made once.
struct Accounts {
    read: Account,
    counted: Account,
    filtered: Account,
    /// By reason.
    rejected: [Account; Reject::ALL.len()],
}

static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(|| {
    let account = |family: Family, values: &[&str]| {
        let key = SeriesKey::new(family.id(), values.iter().copied());
        Account { family: family.into(), key }
    };
    Accounts {
        read: account(rule::records_read(), &[]),
        counted: account(rule::records_counted(), &[]),
        filtered: account(rule::records_filtered(), &[]),
        rejected: Reject::ALL.map(|reason| account(rule::records_rejected(), &[reason.as_str()])),
    }
});

/// An unquoted record of standard CSV as the rules see it: fields as they stand there.
struct PlainRow<'a> {
    record: &'a [u8],
    /// Where each field ends, up to the last one that a rule wants.
    ends: &'a [u32],
    layout: &'a Layout,
    numbers: &'a Numbers,
}

impl Row for PlainRow<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        let column = self.layout.indexes()[slot]?;
        let end = *self.ends.get(column)? as usize;
        let from = column.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        Some(&self.record[from..end])
    }

    fn number(&self, slot: usize) -> Option<Decimal> {
        self.numbers.get(slot, || Decimal::parse(self.get(slot)?.trim_ascii()).ok())
    }
}

/// A record's cells as the rules see them.
struct CellRow<'a> {
    cells: &'a Cells,
    record: &'a [u8],
    numbers: &'a Numbers,
}

impl Row for CellRow<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.cells.get(self.record, slot)
    }

    fn number(&self, slot: usize) -> Option<Decimal> {
        self.numbers.get(slot, || Decimal::parse(self.get(slot)?.trim_ascii()).ok())
    }
}

/// The numbers of one record, each read once however many rules ask for it.
#[derive(Default)]
struct Numbers {
    record: u64,
    by_slot: Vec<Cell<(u64, Option<Decimal>)>>,
}

impl Numbers {
    /// Forgets those of the record before.
    fn begin(&mut self, slots: usize) {
        self.record += 1;
        self.by_slot.resize(slots.max(self.by_slot.len()), Cell::default());
    }

    fn get(&self, slot: usize, read: impl FnOnce() -> Option<Decimal>) -> Option<Decimal> {
        let (record, number) = self.by_slot[slot].get();
        if record == self.record {
            return number;
        }
        let number = read();
        self.by_slot[slot].set((self.record, number));
        number
    }
}

impl Tally {
    /// An empty tally that keeps some rejected records per reason.
    pub fn new(samples_per_reason: usize) -> Self {
        Self { samples_per_reason, ..Self::default() }
    }

    /// Marks the complete records of a text. Returns where the last one ends, without its terminator;
    /// `None` if there is none.
    pub fn mark_complete(&mut self, dialect: Dialect, text: &[u8]) -> Option<usize> {
        self.marks.find(dialect, text);
        let last = *self.marks.ends(0).last()? as usize;
        self.marks.truncate(last + 1);
        Some(last)
    }

    /// Counts a record.
    pub fn add(
        &mut self,
        input: &Input,
        layout: &Layout,
        path: &[Option<String>],
        record: Record<'_>,
    ) {
        match self.count(input, layout, path, record) {
            Ok(true) => self.counted += 1,
            Ok(false) => self.filtered += 1,
            Err(reason) => self.reject(reason, record.body, record.position),
        }
    }

    /// Counts a record that cannot be counted by a rule.
    pub fn reject(&mut self, reason: Reject, body: &[u8], position: u64) {
        self.rejected[reason as usize] += 1;
        if self.rejected[reason as usize] <= self.samples_per_reason as u64 {
            let text = body[..body.len().min(SAMPLE_BYTES_MAX)].to_vec();
            self.samples.push(Sample { reason, position, text });
        }
    }

    /// About how many bytes the packed increments will have.
    pub fn packed_len(&self) -> usize {
        let spelled = self.spellings.counted() * SPELLING_OVERHEAD_BYTES;
        self.table.bytes + self.spellings.bytes() + spelled
    }

    /// Records so far.
    pub fn records(&self) -> RecordCounts {
        let rejected = self.rejected.iter().sum();
        RecordCounts { counted: self.counted, filtered: self.filtered, rejected }
    }

    /// Rejected records so far, by reason.
    pub fn rejected(&self) -> impl Iterator<Item = (Reject, u64)> {
        Reject::ALL.into_iter().zip(self.rejected)
    }

    /// The rejected records that were kept, which are not kept any more then.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }

    /// Packs the increments with their families, accounting included, and empties the tally.
    pub fn take(&mut self, input: &Input) -> Counted {
        let mut packer = Packer::of_about(self.packed_len() + ACCOUNTS_BYTES);
        self.pack_spelled(input, &mut packer);
        let records = self.records();
        let accounts = self.accounts(records);
        let own = self.table.iter();
        let all = own.chain(accounts.iter().map(|(a, n)| (a.key.as_bytes(), Amount::from(*n))));
        all.for_each(|(key, amount)| packer.push(key, amount));
        let increments = packer.finish();
        let (mut families, mut limits) = (Vec::new(), Vec::new());
        for (rule, _) in input.rules.rules().iter().zip(&self.used).filter(|(_, used)| **used) {
            if !families.contains(&rule.family) {
                families.push(Arc::clone(&rule.family));
            }
            limits.extend(rule.limit);
        }
        for (account, _) in accounts {
            if !families.contains(&account.family) {
                families.push(Arc::clone(&account.family));
            }
        }
        self.clear();
        Counted { families, limits, increments, records }
    }

    /// Packs what sweeps counted, or, if there is more than one rule, adds it to the table: spellings
    /// that differ may hit the same series.
    fn pack_spelled(&mut self, input: &Input, packer: &mut Packer) {
        let (Some(dialect), true) = (input.sweeps, self.spellings.counted() > 0) else { return };
        assert_eq!(self.spelled_for, Some(input.serial), "counted and packed by one input");
        let Self { spellings, outcome, table, used, counted, filtered, .. } = self;
        let rules = &input.rules;
        used.resize(rules.rules().len(), false);
        let is_only = rules.rules().len() == 1;
        spellings.each(|text, len, weight, count| {
            let count = u64::from(count);
            if !weight.is_counted() {
                *filtered += count;
                return;
            }
            *counted += count;
            let is_whole = outcome.read(dialect, &text[..len], rules.columns().len());
            let hits = outcome.each_hit(rules, |rule, key| {
                used[rule] = true;
                let amount = Amount::records(count);
                if is_only {
                    packer.push(key, amount);
                } else {
                    table.add(key, table.find(key), amount);
                }
                Ok(())
            });
            assert!(is_whole && hits.is_ok(), "it was counted when it was met first");
        });
    }

    /// Forgets the spellings if they are those of another input.
    fn spell_for(&mut self, input: &Input) {
        if self.spelled_for.replace(input.serial) != Some(input.serial) {
            self.forget_spellings();
            let rules = input.rules.rules();
            self.is_spelled_out = matches!(rules, [rule] if rule.is_unconditional());
        }
    }

    fn forget_spellings(&mut self) {
        self.spellings.forget(TALLY_KEPT_BYTES_MAX);
        (self.hit, self.missed) = (0, 0);
    }

    /// Adds what another tally has counted by the same input, and clears it.
    pub fn absorb(&mut self, other: &mut Self) {
        for (key, amount) in other.table.iter() {
            let known = self.table.find(key);
            self.table.add(key, known, amount);
        }
        if other.spellings.counted() > 0 {
            if self.spelled_for != other.spelled_for {
                self.forget_spellings();
                self.spelled_for = other.spelled_for;
                self.is_spelled_out = other.is_spelled_out;
            }
            self.spellings.absorb(&other.spellings);
        }
        self.used.resize(self.used.len().max(other.used.len()), false);
        self.used.iter_mut().zip(&other.used).for_each(|(used, others)| *used |= others);
        self.counted += other.counted;
        self.filtered += other.filtered;
        self.rejected.iter_mut().zip(other.rejected).for_each(|(n, others)| *n += others);
        let room = self.samples_per_reason * Reject::ALL.len();
        self.samples.extend(other.samples.drain(..).take(room.saturating_sub(self.samples.len())));
        other.clear();
    }

    /// Forgets everything counted so far.
    pub fn clear(&mut self) {
        self.spellings.clear();
        if self.spellings.arena_bytes() > TALLY_KEPT_BYTES_MAX || !self.is_worth_while() {
            self.forget_spellings();
        }
        self.table.clear();
        self.used.clear();
        self.counted = 0;
        self.filtered = 0;
        self.rejected = [0; Reject::ALL.len()];
        self.samples.clear();
    }

    /// The series of the accounting, and what is added to each.
    fn accounts(&self, records: RecordCounts) -> Vec<(&'static Account, u64)> {
        let Accounts { read, counted, filtered, rejected } = &*ACCOUNTS;
        let all =
            [(read, records.read()), (counted, records.counted), (filtered, records.filtered)];
        all.into_iter().chain(rejected.iter().zip(self.rejected)).filter(|(_, n)| *n > 0).collect()
    }

    /// Counts a record in all rules that take it, or in none. Whether a rule took it.
    fn count(
        &mut self,
        input: &Input,
        layout: &Layout,
        path: &[Option<String>],
        record: Record<'_>,
    ) -> Result<bool, Reject> {
        let Record { body, quoted, position } = record;
        let by_commas = input.is_standard_csv && !quoted && layout.is_known();
        let origin = Origin { path, position, missing: input.format.missing() };
        self.numbers.begin(input.rules.columns().len());
        if by_commas {
            self.find_ends(body, layout);
            if input.is_plain {
                return self.count_plain(input, layout, body);
            }
            let Self { ends, numbers, hits, .. } = self;
            let row = PlainRow { record: body, ends, layout, numbers };
            input.rules.evaluate(&row, origin, hits)?;
        } else {
            input.format.cells(layout, body, quoted, &mut self.cells)?;
            let Self { cells, numbers, hits, .. } = self;
            let row = CellRow { cells, record: body, numbers };
            input.rules.evaluate(&row, origin, hits)?;
        }
        self.count_hits(input)
    }

    /// Counts what the rules have found, in all of them or in none. Whether there is anything.
    fn count_hits(&mut self, input: &Input) -> Result<bool, Reject> {
        self.found.clear();
        for (hit, key) in self.hits.iter() {
            let known = self.table.find(key);
            if known.is_none() {
                hit.check(key)?;
            }
            self.found.push(known);
        }
        self.used.resize(input.rules.rules().len(), false);
        for ((hit, key), known) in self.hits.iter().zip(&self.found) {
            self.used[hit.rule] = true;
            self.table.add(key, *known, Amount { count: 1, value: hit.value });
        }
        Ok(!self.hits.is_empty())
    }
}

impl Tally {
    /// Finds the ends of the fields of an unquoted record, up to the last one that is wanted.
    fn find_ends(&mut self, body: &[u8], layout: &Layout) {
        let last = layout.indexes().iter().flatten().max().map_or(0, |last| last + 1);
        self.ends.clear();
        let mut from = 0;
        for _ in 0..last {
            let Some(len) = memchr::memchr(b',', &body[from..]) else {
                self.ends.push(body.len() as u32);
                return;
            };
            self.ends.push((from + len) as u32);
            from += len + 1;
        }
    }

    /// Rules that count an unquoted record of standard CSV by columns as they stand there.
    fn count_plain(&mut self, input: &Input, layout: &Layout, body: &[u8]) -> Result<bool, Reject> {
        let Self { ends, numbers, candidates, key, found_plain, table, .. } = self;
        let row = PlainRow { record: body, ends, layout, numbers };
        let rules = input.rules.rules();
        input.rules.candidates(&row, candidates);
        key.clear();
        found_plain.clear();
        for index in candidates {
            let rule = &rules[*index as usize];
            let Some(slots) = rule.plain.as_ref().filter(|_| rule.takes(&row)) else { continue };
            let from = key.len();
            key.extend_from_slice(rule.id.as_bytes());
            for slot in slots {
                key.push(0);
                key.extend_from_slice(row.get(*slot).ok_or(Reject::Ragged)?);
            }
            let known = table.find(&key[from..]);
            if known.is_none() {
                check_key(&key[from..], slots.len())?;
            }
            found_plain.push(PlainHit { rule: *index as usize, from, to: key.len(), known });
        }
        self.used.resize(rules.len(), false);
        for hit in &self.found_plain {
            self.used[hit.rule] = true;
            self.table.add(&self.key[hit.from..hit.to], hit.known, Amount::records(1));
        }
        Ok(!self.found_plain.is_empty())
    }
}

#[cfg(test)]
mod tests;
