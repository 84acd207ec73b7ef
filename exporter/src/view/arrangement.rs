//! The order of the page: metrics by name, their series by label values, in pieces.
//!
//! The order depends on the state only, never on the way to it: replicas that learned of a family or
//! a series at different times must show the same bytes. So it has only series with a total, and
//! only families that have such; it is built anew for a metric whenever those change.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use logtally_core::series::Kind;

use super::families::{Families, FamilyIx, Knowledge};
use super::histogram::{SUFFIXES, common_bounds};
use super::labels::{canonical, without_last};
use super::lines::shown_labels;
use super::metric::Metric;
use super::pieces::{Cut, Pieces};
use super::table::{Slot, Table};
use super::totals::Totals;
use super::touched::Touched;

/// All metrics, by name.
pub(super) struct Arrangement {
    pub(super) metrics: BTreeMap<String, Metric>,
    pub(super) pieces: Pieces,
    pub(super) cut: Cut,
}

/// What is not shown, so that the rest can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// Families whose description is nowhere in the store.
    pub unknown: u64,
    /// Families whose names cannot stand on a page.
    pub invalid: u64,
    /// Families with the name of another one of a different kind, and histograms with a sample that has
    /// the name of another metric.
    pub conflicting: u64,
    /// Series that do not fit to their family.
    pub strays: u64,
}

impl Arrangement {
    /// Nothing yet.
    pub(super) fn new(cut: Cut) -> Self {
        Self { metrics: BTreeMap::new(), pieces: Pieces::default(), cut }
    }

    /// Brings the order up to date. `turned` are the series that came or went since the last time.
    pub(super) fn update(&mut self, rank: Rank<'_>, totals: &Totals, turned: Touched) -> LeftOut {
        let (shown, left_out) = choose(rank.families);
        let is_stale = self.take_over(rank.families, shown);
        match turned {
            Touched::These(slots) if !is_stale => self.place(rank, totals, slots.into_iter()),
            _ => self.place(rank, totals, rank.table.slots()),
        }
        left_out
    }

    /// Makes the piece of a series, if it has one, be written anew.
    pub(super) fn touch(&mut self, slot: Slot) {
        if let Some(place) = self.pieces.place(slot) {
            self.pieces.touch(place.piece);
        }
    }

    /// Makes the metrics those that are shown. Whether there is one among them that has to be built.
    fn take_over(&mut self, families: &Families, shown: BTreeMap<&str, Vec<FamilyIx>>) -> bool {
        let pieces = &mut self.pieces;
        self.metrics.retain(|name, metric| {
            let stays = shown.get(name.as_str()) == Some(&metric.families);
            if !stays {
                metric.clear(pieces);
            }
            stays
        });
        let before = self.metrics.len();
        for (name, chosen) in shown {
            if !self.metrics.contains_key(name) {
                let bounds = common_bounds(chosen.iter().filter_map(|ix| families.known(*ix)));
                self.metrics.insert(name.to_owned(), Metric::new(families, chosen, bounds));
            }
        }
        self.metrics.len() > before
    }

    /// Puts those of `slots` in their places that have a total, and takes out the others.
    fn place(&mut self, rank: Rank<'_>, totals: &Totals, slots: impl Iterator<Item = Slot>) {
        let mut metrics: Vec<_> =
            self.metrics.values_mut().map(|metric| (metric, Vec::new())).collect();
        let mut of_family = HashMap::new();
        for (target, (metric, _)) in metrics.iter().enumerate() {
            of_family.extend(metric.families.iter().map(|ix| (*ix, target)));
        }
        for slot in slots {
            let target = of_family.get(&rank.table.family(slot)).filter(|_| totals.get(slot) > 0);
            match (self.pieces.place(slot), target) {
                (None, Some(target)) => metrics[*target].1.push(slot),
                (Some(place), None) => self.pieces.touch(place.piece),
                _ => {}
            }
        }
        let is_touched = self.pieces.take_touched();
        for (metric, slots) in metrics {
            if is_touched || !slots.is_empty() {
                metric.merge(rank, totals, &mut self.pieces, self.cut, slots);
            }
        }
    }
}

/// The families to show by metric name, sorted by id, and what is left out.
fn choose(families: &Families) -> (BTreeMap<&str, Vec<FamilyIx>>, LeftOut) {
    let mut shown: BTreeMap<&str, Vec<FamilyIx>> = BTreeMap::new();
    let mut left_out = LeftOut::default();
    for (ix, entry) in families.iter().filter(|(_, entry)| entry.series > 0) {
        match &entry.knowledge {
            _ if ix == FamilyIx::STRAY => left_out.strays = entry.series,
            Knowledge::Unknown | Knowledge::Missing => left_out.unknown += 1,
            Knowledge::Invalid => left_out.invalid += 1,
            Knowledge::Known(family) => shown.entry(&family.name).or_default().push(ix),
        }
    }
    for chosen in shown.values_mut() {
        chosen.sort_unstable_by_key(|ix| families.entry(*ix).id);
        let before = chosen.len();
        let kind = families.kind(chosen[0]);
        chosen.retain(|ix| families.kind(*ix) == kind);
        left_out.conflicting += (before - chosen.len()) as u64;
    }
    let clashing: Vec<&str> =
        shown.keys().copied().filter(|name| clashes(name, &shown, families)).collect();
    for name in clashing {
        left_out.conflicting += shown.remove(name).map_or(0, |chosen| chosen.len() as u64);
    }
    (shown, left_out)
}

/// Whether a histogram's samples would have the name of another metric, which was there for its own
/// sake.
fn clashes(name: &str, shown: &BTreeMap<&str, Vec<FamilyIx>>, families: &Families) -> bool {
    let kind = shown.get(name).and_then(|chosen| families.kind(*chosen.first()?));
    let taken = |suffix: &&str| shown.contains_key(format!("{name}{suffix}").as_str());
    kind == Some(Kind::Histogram) && SUFFIXES.iter().any(taken)
}

/// Compares series of one metric.
#[derive(Clone, Copy)]
pub(super) struct Rank<'a> {
    pub(super) families: &'a Families,
    pub(super) table: &'a Table,
}

impl<'a> Rank<'a> {
    /// The order of the series of `families`: by label values, and for the same label set by family;
    /// the buckets of a histogram together.
    pub(super) fn comparing(
        self,
        families: &[FamilyIx],
    ) -> impl Fn(Slot, Slot) -> Ordering + use<'a> {
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
    ) -> impl Fn(Slot, Slot) -> Ordering + use<'a> {
        let labels = |ix: &FamilyIx| self.families.known(*ix).map(|family| &family.labels);
        let alike = families.windows(2).all(|pair| labels(&pair[0]) == labels(&pair[1]));
        let first = families.first().and_then(|ix| self.families.kind(*ix));
        let has_buckets = first == Some(Kind::Histogram);
        move |a, b| {
            if alike && has_buckets {
                without_last(self.table.values(a)).cmp(without_last(self.table.values(b)))
            } else if alike {
                self.table.values(a).cmp(self.table.values(b))
            } else {
                self.canonical(a).cmp(&self.canonical(b))
            }
        }
    }

    /// The label set of a slot as bytes that are the same for all slots of the set.
    pub(super) fn set_id(self, slot: Slot, id: &mut Vec<u8>) {
        id.clear();
        for (name, value) in self.canonical(slot) {
            id.extend([name.as_bytes(), &[0], value, &[0]].iter().copied().flatten());
        }
    }

    fn canonical(self, slot: Slot) -> Vec<(&'a str, &'a [u8])> {
        let family = self.families.known(self.table.family(slot));
        canonical(family.map_or(&[], shown_labels), self.table.values(slot))
    }
}
