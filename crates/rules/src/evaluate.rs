//! Evaluates rules: the series that a record hits, or why it cannot be counted.

use logtally_core::rule::Reject;
use logtally_core::series::Value;

use crate::hits::{Hits, PlainHit};
use crate::matched::{Matched, earlier};
use crate::row::{Origin, Row};
use crate::rule::Rule;
use crate::rule_set::RuleSet;

impl RuleSet {
    /// Finds the series that a record hits. `hits` is empty if no rule matches the record.
    ///
    /// A key of a series that was not met before must be checked by [`Hit::check`](crate::Hit::check)
    /// before it is counted; one that was met before is as good as it was then.
    pub fn evaluate(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        hits: &mut Hits,
    ) -> Result<(), Reject> {
        hits.clear();
        let mut candidates = std::mem::take(&mut hits.candidates);
        self.selector().candidates(row, &mut candidates);
        let mut result = Ok(());
        for index in &candidates {
            let index = *index as usize;
            result = self.rules()[index].evaluate(index, row, origin, hits);
            if result.is_err() {
                break;
            }
        }
        hits.candidates = candidates;
        result
    }

    /// Visits the series that a record hits, where all rules are plain ([`Self::is_plain`]). The same as
    /// [`Self::evaluate`] for such rules, and cheaper; `buffers` are only reused.
    #[inline]
    pub fn plain_hits(
        &self,
        row: &impl Row,
        missing: Reject,
        buffers: &mut Hits,
        mut visit: impl FnMut(PlainHit<'_>) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let Hits { candidates, keys, .. } = buffers;
        self.selector().candidates(row, candidates);
        for index in candidates {
            let rule = &self.rules()[*index as usize];
            let Some(slots) = &rule.plain else { continue };
            if rule.matches(row) {
                keys.clear();
                rule.push_plain_key(slots, row, missing, keys)?;
                visit(PlainHit { rule: *index as usize, key: keys, values: slots.len() })?;
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Adds the series that a record hits by this rule, if any.
    fn evaluate(
        &self,
        index: usize,
        row: &impl Row,
        origin: Origin<'_>,
        hits: &mut Hits,
    ) -> Result<(), Reject> {
        if !self.matches(row) {
            return Ok(());
        }
        let from = hits.keys.len();
        if let Some(slots) = &self.plain {
            self.push_plain_key(slots, row, origin.missing, &mut hits.keys)?;
            hits.push(index, from, slots.len(), Value::None);
            return Ok(());
        }
        hits.keys.extend_from_slice(self.id.as_bytes());
        let value = match self.push_labels(row, origin, hits) {
            Matched::Yes(()) => self.measure.of(row, origin, &mut hits.keys),
            Matched::No => Matched::No,
            // A number that is to be skipped means that the rule does not take the record at all.
            Matched::Rejected(reason) => match self.measure.of(row, origin, &mut hits.keys) {
                Matched::No => Matched::No,
                _ => Matched::Rejected(reason),
            },
        };
        match value {
            Matched::Yes(value) => {
                hits.push(index, from, self.family.labels.len(), value);
                Ok(())
            }
            Matched::No => {
                hits.keys.truncate(from);
                Ok(())
            }
            Matched::Rejected(reason) => Err(reason),
        }
    }

    /// Appends the key of a plain rule, whose labels are the values of these slots.
    #[inline]
    fn push_plain_key(
        &self,
        slots: &[usize],
        row: &impl Row,
        missing: Reject,
        keys: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        keys.extend_from_slice(self.id.as_bytes());
        for slot in slots {
            keys.push(0);
            keys.extend_from_slice(row.get(*slot).ok_or(missing)?);
        }
        Ok(())
    }

    fn push_labels(&self, row: &impl Row, origin: Origin<'_>, hits: &mut Hits) -> Matched<()> {
        let Hits { keys, scratch, .. } = hits;
        if let Some(relabel) = &self.relabel {
            return relabel.push(&self.labels, row, origin, keys, scratch);
        }
        let mut rejected = None;
        for label in &self.labels {
            keys.push(0);
            match label.push(row, origin, keys) {
                Matched::Yes(()) => {}
                Matched::No => return Matched::No,
                Matched::Rejected(reason) => rejected = Some(earlier(rejected, reason)),
            }
        }
        rejected.map_or(Matched::Yes(()), Matched::Rejected)
    }
}
