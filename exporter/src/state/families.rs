//! The families that are known, and which of them can be shown.
//!
//! A family is learned from a partition and never forgotten: its id is a hash of all that it says.

use hashbrown::HashMap;
use logtally_core::decimal::Decimal;
use logtally_core::names::{BUCKET_LABEL, is_label_name, is_metric_name};
use logtally_core::series::{Family, FamilyId, Kind};

use super::ids::FamilyIx;

/// What is known of a family.
pub(crate) enum Knowledge {
    /// Only its id: the description must be read again.
    Unknown,
    /// Only its id, and the description is not in the store.
    Missing,
    /// Its names would make the whole page unreadable.
    Invalid,
    /// Everything.
    Known(Family),
}

/// One family.
pub(crate) struct FamilyEntry {
    /// Its id; `None` for the family of strays.
    pub(crate) id: Option<FamilyId>,
    /// What is known of it.
    pub(crate) knowledge: Knowledge,
    /// How many of its series have a total.
    pub(crate) series: u64,
}

/// All families.
pub(crate) struct Families {
    by_id: HashMap<FamilyId, FamilyIx>,
    all: Vec<FamilyEntry>,
    /// The one that was asked for last: in a load it is nearly always the next one, too.
    last: Option<(FamilyId, FamilyIx)>,
}

impl Default for Families {
    fn default() -> Self {
        let strays = FamilyEntry { id: None, knowledge: Knowledge::Invalid, series: 0 };
        Self { by_id: HashMap::new(), all: vec![strays], last: None }
    }
}

impl Families {
    /// The family with an id, added as unknown if it was never met.
    pub(super) fn of_id(&mut self, id: FamilyId) -> FamilyIx {
        let next = FamilyIx::new(self.all.len() as u32);
        let ix = *self.by_id.entry(id).or_insert(next);
        if ix == next {
            self.all.push(FamilyEntry { id: Some(id), knowledge: Knowledge::Unknown, series: 0 });
        }
        ix
    }

    /// The family of a series key, [`FamilyIx::STRAY`] if it does not begin with an id.
    pub(super) fn of_key(&mut self, key: &[u8]) -> FamilyIx {
        if let Some((id, ix)) = &self.last
            && key.starts_with(id.as_bytes())
        {
            return *ix;
        }
        let Some(id) = FamilyId::of_key(key) else { return FamilyIx::STRAY };
        let ix = self.of_id(id);
        self.last = Some((id, ix));
        ix
    }

    /// Takes in a description. Whether it was news.
    pub(super) fn learn(&mut self, family: &Family) -> bool {
        let ix = self.of_id(family.id());
        let entry = self.entry_mut(ix);
        let news = matches!(entry.knowledge, Knowledge::Unknown | Knowledge::Missing);
        if news {
            entry.knowledge = if is_valid(family) {
                Knowledge::Known(family.clone())
            } else {
                Knowledge::Invalid
            };
        }
        news
    }

    /// One family.
    pub(crate) fn entry(&self, ix: FamilyIx) -> &FamilyEntry {
        &self.all[ix.index()]
    }

    /// One family.
    pub(super) fn entry_mut(&mut self, ix: FamilyIx) -> &mut FamilyEntry {
        &mut self.all[ix.index()]
    }

    /// The description of a family that can be shown.
    pub(crate) fn known(&self, ix: FamilyIx) -> Option<&Family> {
        match &self.entry(ix).knowledge {
            Knowledge::Known(family) => Some(family),
            _ => None,
        }
    }

    /// Counter or gauge, as the id tells.
    pub(crate) fn kind(&self, ix: FamilyIx) -> Option<Kind> {
        self.entry(ix).id.map(|id| id.kind())
    }

    /// All families.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FamilyIx, &FamilyEntry)> {
        (0..).map(FamilyIx::new).zip(&self.all)
    }

    /// Gives up on the descriptions that were not found.
    pub(super) fn give_up(&mut self) {
        for entry in &mut self.all {
            if matches!(entry.knowledge, Knowledge::Unknown) {
                entry.knowledge = Knowledge::Missing;
            }
        }
    }

    /// No series has a total any more.
    pub(super) fn clear_series(&mut self) {
        self.all.iter_mut().for_each(|entry| entry.series = 0);
    }
}

/// Whether a family can stand on a page. One that cannot would make all others unreadable, and a
/// store is no place to rely on.
fn is_valid(family: &Family) -> bool {
    let distinct = |i: usize| !family.labels[..i].contains(&family.labels[i]);
    is_metric_name(&family.name)
        && family.labels.iter().all(|label| is_label_name(label) && !label.starts_with("__"))
        && (0..family.labels.len()).all(distinct)
        && (family.kind != Kind::Histogram || has_buckets(family))
}

/// Whether a family can be shown as a histogram: its bounds ascend, and their label stands last.
fn has_buckets(family: &Family) -> bool {
    let bound = |text: &String| Decimal::parse(text.as_bytes()).ok();
    let bounds: Option<Vec<Decimal>> = family.buckets.iter().map(bound).collect();
    family.labels.last().is_some_and(|label| label == BUCKET_LABEL)
        && !family.labels[..family.labels.len() - 1].iter().any(|label| label == BUCKET_LABEL)
        && bounds.is_some_and(|bounds| bounds.is_sorted_by(|a, b| a < b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, labels: &[&str], expect: bool) {
        let family = Family::new(name, Kind::Gauge, "", labels);
        assert_eq!(is_valid(&family), expect, "{family:?}");
    }

    #[test]
    fn names_that_would_spoil_the_page_are_refused() {
        check("log_lines", &[], true);
        check("job:lines:rate5m", &["job", "_x1"], true);
        check("", &[], false);
        check("1st", &[], false);
        check("log lines", &[], false);
        check("zeilen_größe", &[], false);
        check("log_lines", &["a:b"], false);
        check("log_lines", &["a", "b", "a"], false);
        check("log_lines", &["__name__"], false);
    }

    #[test]
    fn a_histogram_needs_bounds_in_order_and_its_label_last() {
        let check = |labels: &[&str], buckets: &[&str], expected: bool| {
            let family = Family {
                buckets: buckets.iter().map(|text| (*text).to_owned()).collect(),
                ..Family::new("h", Kind::Histogram, "", labels)
            };
            assert_eq!(has_buckets(&family), expected, "{family:?}");
        };
        check(&["a", "le"], &["1", "2"], true);
        check(&["le"], &[], true);
        check(&["le", "a"], &["1"], false);
        check(&[], &["1"], false);
        check(&["le"], &["2", "1"], false);
        check(&["le"], &["x"], false);
    }
}
