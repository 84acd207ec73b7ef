//! The order of the series of one metric.

use std::cmp::Ordering;

use logtally_core::series::{Family, Kind};

use crate::state::{CountState, Families, FamilyIx, SeriesSlot, SeriesTable, canonical};

/// Compares series of one metric.
#[derive(Clone, Copy)]
pub(super) struct Rank<'a> {
    families: &'a Families,
    table: &'a SeriesTable,
}

impl<'a> Rank<'a> {
    /// Compares series of which this is known.
    pub(super) fn new(state: &'a CountState) -> Self {
        Self { families: state.families(), table: state.table() }
    }

    /// The order of the series of `families`: by label values, and for the same label set by family;
    /// the buckets of a histogram together.
    pub(super) fn comparing(
        self,
        families: &[FamilyIx],
    ) -> impl Fn(SeriesSlot, SeriesSlot) -> Ordering + use<'a> {
        let sets = self.comparing_sets(families);
        move |a, b| {
            let id = |slot| self.families.entry(self.table.family(slot)).id;
            let values = |slot| self.table.values(slot);
            sets(a, b).then_with(|| id(a).cmp(&id(b))).then_with(|| values(a).cmp(values(b)))
        }
    }

    /// The order of label sets, without the bounds of buckets. If all families have the same labels,
    /// the keys' bytes tell it.
    pub(super) fn comparing_sets(
        self,
        families: &[FamilyIx],
    ) -> impl Fn(SeriesSlot, SeriesSlot) -> Ordering + use<'a> {
        let labels = |ix: &FamilyIx| self.families.known(*ix).map(|family| &family.labels);
        let alike = families.windows(2).all(|pair| labels(&pair[0]) == labels(&pair[1]));
        let first = families.first().and_then(|ix| self.families.kind(*ix));
        let has_buckets = first == Some(Kind::Histogram);
        move |a, b| {
            if alike && has_buckets {
                self.table.values_without_bucket(a).cmp(self.table.values_without_bucket(b))
            } else if alike {
                self.table.values(a).cmp(self.table.values(b))
            } else {
                self.canonical(a).cmp(&self.canonical(b))
            }
        }
    }

    /// The label set of a slot as bytes that are the same for all slots of the set.
    pub(super) fn set_id(self, slot: SeriesSlot, id: &mut Vec<u8>) {
        id.clear();
        for (name, value) in self.canonical(slot) {
            id.extend([name.as_bytes(), &[0], value, &[0]].iter().copied().flatten());
        }
    }

    fn canonical(self, slot: SeriesSlot) -> Vec<(&'a str, &'a [u8])> {
        let family = self.families.known(self.table.family(slot));
        canonical(family.map_or(&[], Family::labels_without_bucket), self.table.values(slot))
    }
}
