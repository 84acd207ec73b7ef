//! The series that one record hits, and the check of their keys.

use logtally_core::limits::LABEL_VALUE_BYTES_MAX;
use logtally_core::rule::Reject;
use logtally_core::series::{FAMILY_ID_BYTES, Value};

/// One series that a record hits.
#[derive(Clone, Debug, PartialEq)]
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

/// One series that a record hits, where nothing is kept beside the number of records.
#[derive(Clone, Copy, Debug)]
pub struct PlainHit<'a> {
    /// Index of the rule.
    pub rule: usize,
    /// The key of the series.
    pub key: &'a [u8],
    pub(crate) values: usize,
}

/// The series that one record hits; reused from record to record.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    found: Vec<Hit>,
    pub(crate) keys: Vec<u8>,
    pub(crate) candidates: Vec<u32>,
    pub(crate) scratch: Vec<Vec<u8>>,
}

impl Hits {
    /// The hits, in the order of the rules.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&Hit, &[u8])> {
        self.found.iter().map(|hit| (hit, &self.keys[hit.from..hit.to]))
    }

    /// Whether no rule matches the record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Forgets the hits of the record before.
    pub(crate) fn clear(&mut self) {
        self.found.clear();
        self.keys.clear();
    }

    /// A rule hits the series whose key began at `from` and has so many values.
    pub(crate) fn push(&mut self, rule: usize, from: usize, values: usize, value: Value) {
        self.found.push(Hit { rule, value, values, from, to: self.keys.len() });
    }
}

impl Hit {
    /// Checks the label values in the key of a series that was not met before. A value with NUL makes
    /// a key with more separators than values, so it never equals the key of a good record.
    pub fn check(&self, key: &[u8]) -> Result<(), Reject> {
        check_key(key, self.values)
    }
}

impl PlainHit<'_> {
    /// As [`Hit::check`].
    pub fn check(&self) -> Result<(), Reject> {
        check_key(self.key, self.values)
    }
}

/// Checks the label values in a key, which must have so many of them.
fn check_key(key: &[u8], values: usize) -> Result<(), Reject> {
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
