//! What a record means: the series that it hits, or why it cannot be counted.

use logtally_core::decimal::Decimal;
use logtally_core::limits::LABEL_VALUE_BYTES_MAX;
use logtally_core::rule::Reject;
use logtally_core::series::{FAMILY_ID_BYTES, Value};

use crate::compile::{Rule, RuleSet};

/// A record's cells, by the slots of [`RuleSet::columns`].
pub trait Row {
    /// The cell; `None` if the record does not have it.
    fn get(&self, slot: usize) -> Option<&[u8]>;

    /// The cell as a decimal; `None` if it is none. Whoever has many conditions on one column may
    /// remember it for the record.
    fn number(&self, slot: usize) -> Option<Decimal> {
        Decimal::parse(self.get(slot)?.trim_ascii()).ok()
    }
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Values of the path's placeholders, by the slots of [`RuleSet::placeholders`].
    pub path: &'a [Option<String>],
    /// Position just after the record in its source.
    pub position: u64,
    /// The reason for a missing cell, as the format calls it.
    pub missing: Reject,
}

/// One series that a record hits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Index of the rule.
    pub rule: usize,
    /// What is kept beside the number of records.
    pub value: Value,
    /// Values in the key: labels, and the bucket of a histogram.
    values: usize,
    from: usize,
    to: usize,
}

/// The series that one record hits; reused from record to record.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    found: Vec<Hit>,
    keys: Vec<u8>,
    pub(crate) candidates: Vec<u32>,
    pub(crate) scratch: Vec<Vec<u8>>,
}

impl Hits {
    /// The hits, in the order of the rules.
    pub fn iter(&self) -> impl Iterator<Item = (Hit, &[u8])> {
        self.found.iter().map(|hit| (*hit, &self.keys[hit.from..hit.to]))
    }

    /// Whether no rule takes the record.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Number of hits.
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

/// Whether a rule takes a record, and what it takes.
pub(crate) enum Taken<T> {
    Yes(T),
    No,
    Rejected(Reject),
}

impl<T> Taken<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Taken<U> {
        match self {
            Self::Yes(taken) => Taken::Yes(change(taken)),
            Self::No => Taken::No,
            Self::Rejected(reason) => Taken::Rejected(reason),
        }
    }
}

impl RuleSet {
    /// Finds the series that a record hits. `hits` is empty if no rule takes the record.
    ///
    /// A key of a series that was not met before must be checked by [`Hit::check`] before it is
    /// counted; one that was met before is as good as it was then.
    pub fn evaluate(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        hits: &mut Hits,
    ) -> Result<(), Reject> {
        hits.found.clear();
        hits.keys.clear();
        let mut candidates = std::mem::take(&mut hits.candidates);
        self.selector().candidates(row, &mut candidates);
        let result = candidates
            .iter()
            .try_for_each(|rule| self.evaluate_rule(*rule as usize, row, origin, hits));
        hits.candidates = candidates;
        result
    }

    fn evaluate_rule(
        &self,
        index: usize,
        row: &impl Row,
        origin: Origin<'_>,
        hits: &mut Hits,
    ) -> Result<(), Reject> {
        let rule = &self.rules()[index];
        match rule.take(row, origin, &mut hits.keys, &mut hits.scratch) {
            Taken::Yes(taken) => {
                let to = hits.keys.len();
                let TakenRow { from, values, value } = taken;
                hits.found.push(Hit { rule: index, value, values, from, to });
                Ok(())
            }
            Taken::No => Ok(()),
            Taken::Rejected(reason) => Err(reason),
        }
    }
}

/// What a rule makes of a record; its key is at the end of the keys.
pub(crate) struct TakenRow {
    from: usize,
    values: usize,
    value: Value,
}

impl Rule {
    fn take(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        keys: &mut Vec<u8>,
        scratch: &mut Vec<Vec<u8>>,
    ) -> Taken<TakenRow> {
        if !self.takes(row) {
            return Taken::No;
        }
        let from = keys.len();
        let undo = |keys: &mut Vec<u8>, taken: Taken<TakenRow>| {
            keys.truncate(from);
            taken
        };
        keys.extend_from_slice(self.id.as_bytes());
        match self.push_labels(row, origin, keys, scratch) {
            Taken::Yes(()) => {}
            Taken::No => return undo(keys, Taken::No),
            Taken::Rejected(reason) => return undo(keys, Taken::Rejected(reason)),
        }
        let values = self.family.labels.len();
        match self.measure.of(row, origin, keys) {
            Taken::Yes(value) => Taken::Yes(TakenRow { from, values, value }),
            Taken::No => undo(keys, Taken::No),
            Taken::Rejected(reason) => undo(keys, Taken::Rejected(reason)),
        }
    }

    fn push_labels(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        keys: &mut Vec<u8>,
        scratch: &mut Vec<Vec<u8>>,
    ) -> Taken<()> {
        if let Some(relabel) = &self.relabel {
            return relabel.push(&self.labels, row, origin, keys, scratch);
        }
        for label in &self.labels {
            keys.push(0);
            match label.push(row, origin, keys) {
                Taken::Yes(()) => {}
                other => return other,
            }
        }
        Taken::Yes(())
    }
}

impl Hit {
    /// Checks the label values in the key of a series that was not met before. A value with NUL makes
    /// a key with more separators than values, so it never equals the key of a good record.
    pub fn check(&self, key: &[u8]) -> Result<(), Reject> {
        check_key(key, self.values)
    }
}

/// Checks the label values in a key, which must have so many of them.
pub fn check_key(key: &[u8], values: usize) -> Result<(), Reject> {
    let Some([0, text @ ..]) = key.get(FAMILY_ID_BYTES..) else { return Ok(()) };
    std::str::from_utf8(text).map_err(|_| Reject::InvalidUtf8)?;
    if memchr::memchr_iter(0, text).count() + 1 != values {
        return Err(Reject::Nul);
    }
    // All that is left to be wrong with a value.
    let is_long = |value: &[u8]| value.len() > LABEL_VALUE_BYTES_MAX;
    if text.len() > LABEL_VALUE_BYTES_MAX && text.split(|b| *b == 0).any(is_long) {
        return Err(Reject::LabelTooLong);
    }
    Ok(())
}
