//! What one span counted: a table from series to increments, closed when it is large enough.
//!
//! The table is keyed by the series key's bytes, so a line of a known series costs one look-up and
//! its values need no second check: they were checked when the series first appeared.

use hashbrown::HashMap;
use logtally_core::rule::{self, Reject, Rule};
use logtally_core::series::{Family, FamilyId, Increments, SeriesKey};
use logtally_core::source::RecordCounts;

use logtally_formats::csv::{Field, Fields};

/// Where a rule's columns are in the records of a source, in label order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns(Vec<usize>);

impl Columns {
    /// Wraps column indexes.
    pub fn new(indexes: Vec<usize>) -> Self {
        Self(indexes)
    }
}

/// Increments of one span, before they are packed. Reused from span to span.
pub struct Tally {
    family: Family,
    family_id: FamilyId,
    accounting: [Family; 3],
    counts: HashMap<Box<[u8]>, u64>,
    bytes: usize,
    counted: u64,
    rejected: [u64; Reject::ALL.len()],
    key: Vec<u8>,
}

impl Tally {
    /// An empty tally for `rule`.
    pub fn new(rule: &Rule) -> Self {
        Self {
            family_id: rule.family.id(),
            family: rule.family.clone(),
            accounting: [rule::records_read(), rule::records_counted(), rule::records_rejected()],
            counts: HashMap::new(),
            bytes: 0,
            counted: 0,
            rejected: [0; Reject::ALL.len()],
            key: Vec::with_capacity(256),
        }
    }

    /// Counts a record, given its content.
    pub fn add(&mut self, body: &[u8], quoted: bool, columns: &Columns) {
        match self.count(body, quoted, columns) {
            Ok(()) => self.counted += 1,
            Err(reason) => self.reject(reason),
        }
    }

    /// Counts a record that could not be counted by a rule.
    pub fn reject(&mut self, reason: Reject) {
        self.rejected[reason as usize] += 1;
    }

    /// About how many bytes the packed increments will have.
    pub fn packed_len(&self) -> usize {
        self.bytes
    }

    /// Records so far.
    pub fn records(&self) -> RecordCounts {
        RecordCounts { counted: self.counted, rejected: self.rejected.iter().sum() }
    }

    /// Rejected records so far, by reason.
    pub fn rejected(&self) -> impl Iterator<Item = (Reject, u64)> {
        Reject::ALL.into_iter().zip(self.rejected)
    }

    /// Packs the increments with their families, accounting included, and empties the tally.
    pub fn take(&mut self) -> (Vec<Family>, Increments, RecordCounts) {
        let records = self.records();
        let accounts = self.accounts(records);
        let own = self.counts.iter().map(|(key, n)| (&key[..], *n));
        let all = own.chain(accounts.iter().map(|(_, key, n)| (key.as_bytes(), *n)));
        let increments = Increments::pack(all);
        let mut families = Vec::new();
        if !self.counts.is_empty() {
            families.push(self.family.clone());
        }
        for (family, _, n) in &accounts {
            if *n > 0 && !families.contains(family) {
                families.push((*family).clone());
            }
        }
        self.clear();
        (families, increments, records)
    }

    /// Forgets everything counted so far.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.bytes = 0;
        self.counted = 0;
        self.rejected = [0; Reject::ALL.len()];
    }

    fn accounts(&self, records: RecordCounts) -> Vec<(&Family, SeriesKey, u64)> {
        let [read, counted, rejected] = &self.accounting;
        let key =
            |family: &Family, values: &[&str]| SeriesKey::new(family.id(), values.iter().copied());
        let mut accounts = vec![
            (read, key(read, &[]), records.read()),
            (counted, key(counted, &[]), records.counted),
        ];
        accounts.extend(
            self.rejected().map(|(reason, n)| (rejected, key(rejected, &[reason.as_str()]), n)),
        );
        accounts
    }

    fn count(&mut self, body: &[u8], quoted: bool, columns: &Columns) -> Result<(), Reject> {
        self.compose(body, quoted, columns)?;
        if let Some(n) = self.counts.get_mut(self.key.as_slice()) {
            *n += 1;
            return Ok(());
        }
        self.check_new(columns.0.len())?;
        self.bytes += self.key.len() + 6;
        self.counts.insert(self.key.as_slice().into(), 1);
        Ok(())
    }

    /// Puts the series key of the record together in `self.key`.
    fn compose(&mut self, body: &[u8], quoted: bool, columns: &Columns) -> Result<(), Reject> {
        self.key.clear();
        self.key.extend_from_slice(self.family_id.as_bytes());
        // The most frequent layout: the columns wanted are the first ones, in order, unquoted.
        if let ([0, 1], false) = (columns.0.as_slice(), quoted) {
            let first = memchr::memchr(b',', body).ok_or(Reject::Ragged)?;
            let rest = &body[first + 1..];
            let second = memchr::memchr(b',', rest).unwrap_or(rest.len());
            self.push_value(&body[..first]);
            self.push_value(&rest[..second]);
            return Ok(());
        }
        for &column in &columns.0 {
            let field = Fields::of(body).nth(column).ok_or(Reject::Ragged)?;
            self.key.push(0);
            field.append_to(&mut self.key);
        }
        Ok(())
    }

    fn push_value(&mut self, value: &[u8]) {
        self.key.push(0);
        Field::Plain(value).append_to(&mut self.key);
    }

    /// Checks the values of a series that is not in the table yet. A value with NUL makes a key with
    /// more separators than values, so it never equals the key of a good record.
    fn check_new(&self, values: usize) -> Result<(), Reject> {
        let text = &self.key[self.family_id.as_bytes().len() + 1..];
        std::str::from_utf8(text).map_err(|_| Reject::InvalidUtf8)?;
        if memchr::memchr_iter(0, text).count() + 1 != values {
            return Err(Reject::Nul);
        }
        text.split(|b| *b == 0).try_for_each(|value| rule::check_value(value).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn tally(lines: &[(&[u8], bool)], columns: &[usize]) -> BTreeMap<String, u64> {
        let mut tally = Tally::new(&Rule::default_rule());
        for (line, quoted) in lines {
            tally.add(line, *quoted, &Columns::new(columns.to_vec()));
        }
        let (_, increments, records) = tally.take();
        assert_eq!(records.read(), lines.len() as u64);
        assert!(tally.take().1.is_empty(), "a taken tally is empty");
        increments
            .iter()
            .map(|(key, n)| {
                let key = SeriesKey::parse(key).expect("checked");
                (key.values().collect::<Vec<_>>().join("|"), n)
            })
            .filter(|(values, _)| !values.is_empty())
            .collect()
    }

    fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
        pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect()
    }

    #[test]
    fn plain_and_quoted_records_meet_in_one_series() {
        let lines: [(&[u8], bool); 3] = [(b"a,b", false), (b"\"a\",b", true), (b"a,b,c", false)];
        assert_eq!(tally(&lines, &[0, 1]), counts(&[("a|b", 3)]));
        assert_eq!(tally(&[(b"x,b,a", false)], &[2, 1]), counts(&[("a|b", 1)]));
    }

    #[test]
    fn what_cannot_be_counted_is_counted_as_rejected() {
        let lines: [(&[u8], bool); 5] = [
            (b"alone", false),
            (b"a\0b,c", false),
            (b"a,\xff", false),
            (b"\"a\"", true),
            (b"ok,\xc3\xa9,\xff\0", false),
        ];
        let expected = counts(&[("invalid_utf8", 1), ("nul", 1), ("ok|\u{e9}", 1), ("ragged", 2)]);
        assert_eq!(tally(&lines, &[0, 1]), expected, "only needed values are checked");
    }

    #[test]
    fn values_split_across_the_separator_are_not_taken_for_utf8() {
        // The two halves of one character in two values: each value alone is invalid.
        let lines: [(&[u8], bool); 1] = [(b"a\xc3,\xa9b", false)];
        assert_eq!(tally(&lines, &[0, 1]), counts(&[("invalid_utf8", 1)]));
    }
}
