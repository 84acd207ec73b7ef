//! One rule, compiled.

use std::sync::Arc;

use logtally_core::delta::SeriesLimit;
use logtally_core::series::{Family, FamilyId};

use crate::condition::Condition;
use crate::label::Label;
use crate::measure::Measure;
use crate::relabel::Relabeller;
use crate::row::Row;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The metric family that it feeds.
    pub family: Arc<Family>,
    /// How many series the family may have, if the rule says so.
    pub limit: Option<SeriesLimit>,
    /// For a rule that counts files from their beginning: its name as a part of source names. Another
    /// rule has another name, so that a changed rule counts from the beginning again.
    pub backfill: Option<String>,
    pub(crate) id: FamilyId,
    /// For a rule that counts records, each label of which is an unmodified column value: the slots of
    /// the labels, in order.
    pub(crate) plain: Option<Vec<usize>>,
    pub(crate) condition: Option<Condition>,
    pub(crate) labels: Vec<Label>,
    pub(crate) measure: Measure,
    pub(crate) relabel: Option<Relabeller>,
}

impl Rule {
    /// Whether a record fulfils the rule's condition.
    pub(crate) fn matches(&self, row: &impl Row) -> bool {
        match &self.condition {
            Some(condition) => condition.holds(row),
            None => true,
        }
    }

    /// Whether the rule matches every record that it can count.
    pub fn is_unconditional(&self) -> bool {
        self.condition.is_none()
    }
}
