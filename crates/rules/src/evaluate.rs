//! Evaluates rules: the series that a record hits, or why it cannot be counted.

use logtally_core::rule::Reject;
use logtally_core::series::Value;

use crate::hits::Hits;
use crate::matched::Matched;
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
        let from = hits.begin_key(&self.id);
        if let Some(slots) = &self.plain {
            for slot in slots {
                hits.keys.push(0);
                hits.keys.extend_from_slice(row.get(*slot).ok_or(origin.missing)?);
            }
            hits.push(index, from, slots.len(), Value::None);
            return Ok(());
        }
        let value = match self.push_labels(row, origin, hits) {
            Matched::Yes(()) => self.measure.of(row, origin, &mut hits.keys),
            Matched::No => Matched::No,
            Matched::Rejected(reason) => Matched::Rejected(reason),
        };
        match value {
            Matched::Yes(value) => {
                hits.push(index, from, self.family.labels.len(), value);
                Ok(())
            }
            Matched::No => {
                hits.undo_key(from);
                Ok(())
            }
            Matched::Rejected(reason) => Err(reason),
        }
    }

    fn push_labels(&self, row: &impl Row, origin: Origin<'_>, hits: &mut Hits) -> Matched<()> {
        let Hits { keys, scratch, .. } = hits;
        if let Some(relabel) = &self.relabel {
            return relabel.push(&self.labels, row, origin, keys, scratch);
        }
        for label in &self.labels {
            keys.push(0);
            match label.push(row, origin, keys) {
                Matched::Yes(()) => {}
                other => return other,
            }
        }
        Matched::Yes(())
    }
}
