//! What a spelling means: the values of all wanted columns, and from them the series that a record
//! with this spelling hits. The same as [`super::Tally::add`] finds for such a record, which tests hold
//! it against.

use logtally_core::rule::Reject;
use logtally_formats::csv::{Dialect, Fields};
use logtally_rules::{Row, RuleSet, check_key};

/// A spelling that was taken apart. Reused from one to the next.
#[derive(Default)]
pub(super) struct Outcome {
    /// The values, back to back.
    text: Vec<u8>,
    /// Where each ends, by slot.
    ends: Vec<usize>,
    candidates: Vec<u32>,
    key: Vec<u8>,
}

struct Values<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl Row for Values<'_> {
    #[inline]
    fn get(&self, slot: usize) -> Option<&[u8]> {
        let from = slot.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[from..*self.ends.get(slot)?])
    }
}

impl Outcome {
    /// Takes a spelling apart. Whether it has a value for each of so many columns.
    pub fn read(&mut self, dialect: Dialect, spelling: &[u8], columns: usize) -> bool {
        self.text.clear();
        self.ends.clear();
        for field in Fields::in_dialect(spelling, dialect).take(columns) {
            field.append_in(dialect, &mut self.text);
            self.ends.push(self.text.len());
        }
        self.ends.len() == columns
    }

    /// Visits the series that it hits, each with its rule.
    pub fn each_hit(
        &mut self,
        rules: &RuleSet,
        mut hit: impl FnMut(usize, &[u8]) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let Self { text, ends, candidates, key } = self;
        let values = Values { text, ends };
        rules.candidates(&values, candidates);
        for index in candidates {
            let rule = &rules.rules()[*index as usize];
            let Some(slots) = rule.plain.as_ref().filter(|_| rule.takes(&values)) else { continue };
            key.clear();
            key.extend_from_slice(rule.id.as_bytes());
            for slot in slots {
                key.push(0);
                key.extend_from_slice(values.get(*slot).ok_or(Reject::Ragged)?);
            }
            hit(*index as usize, key)?;
        }
        Ok(())
    }

    /// Bytes of the keys that it hits; 0 if no rule takes it. An error if it cannot be counted.
    pub fn check(&mut self, rules: &RuleSet) -> Result<usize, Reject> {
        let mut bytes = 0;
        self.each_hit(rules, |rule, key| {
            bytes += key.len();
            let labels = rules.rules()[rule].plain.as_ref().map_or(0, Vec::len);
            check_key(key, labels)
        })?;
        Ok(bytes)
    }
}
