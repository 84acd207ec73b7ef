//! The order of the page: metrics by name, their series by label values.
//!
//! The order depends on the state only, never on the way to it: replicas that learned of a family or
//! a series at different times must show the same bytes. So it knows only families that have series
//! with a total, and it is built anew for a metric whenever those change.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use logtally_core::series::Kind;

use super::families::{Families, FamilyIx, Knowledge};
use super::histogram::{Bound, SUFFIXES, common_bounds};
use super::labels::{canonical, without_last};
use super::lines::shown_labels;
use super::table::{Slot, Table};

/// All metrics, by name.
#[derive(Default)]
pub(super) struct Arrangement {
    pub(super) metrics: BTreeMap<String, Metric>,
}

/// The series of one metric, in the order of the page. Series without a total are among them and
/// are passed over.
#[derive(Default)]
pub(super) struct Metric {
    /// The families shown, by id; the first one gives help and type.
    pub(super) families: Vec<FamilyIx>,
    pub(super) order: Vec<Slot>,
    /// The bounds shown of a histogram.
    pub(super) bounds: Vec<Bound>,
    /// Whether the order must be built anew.
    is_stale: bool,
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
    /// Brings the order up to date. `fresh` are the slots added since the last time.
    pub(super) fn update(&mut self, families: &Families, table: &Table, fresh: &[Slot]) -> LeftOut {
        let (shown, left_out) = choose(families);
        self.metrics.retain(|name, _| shown.contains_key(name.as_str()));
        for (name, chosen) in shown {
            let metric = self.metrics.entry(name.to_owned()).or_default();
            if metric.families != chosen {
                let bounds = common_bounds(chosen.iter().filter_map(|ix| families.known(*ix)));
                *metric = Metric { families: chosen, order: Vec::new(), bounds, is_stale: true };
            }
        }
        let rank = Rank { families, table };
        self.insert(rank, fresh.iter().copied(), false);
        if self.metrics.values().any(|metric| metric.is_stale) {
            self.insert(rank, table.slots(), true);
        }
        left_out
    }

    /// Puts slots in their places, in the metrics that are stale or in those that are not.
    fn insert(&mut self, rank: Rank<'_>, slots: impl Iterator<Item = Slot>, stale: bool) {
        let metrics = self.metrics.values_mut().filter(|metric| metric.is_stale == stale);
        let mut metrics: Vec<_> = metrics.map(|metric| (metric, Vec::new())).collect();
        let mut of_family = HashMap::new();
        for (target, (metric, _)) in metrics.iter().enumerate() {
            of_family.extend(metric.families.iter().map(|ix| (*ix, target)));
        }
        for slot in slots {
            if let Some(target) = of_family.get(&rank.table.family(slot)) {
                metrics[*target].1.push(slot);
            }
        }
        for (metric, slots) in metrics {
            metric.merge(rank, slots);
            metric.is_stale = false;
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

impl Metric {
    /// Merges new slots into the order. A few slots cost a few comparisons, not one per series.
    fn merge(&mut self, rank: Rank<'_>, mut slots: Vec<Slot>) {
        let compare = rank.comparing(&self.families);
        slots.sort_by(|a, b| compare(*a, *b));
        let mut end = self.order.len();
        let mut gap = slots.len();
        self.order.resize(end + gap, Slot::default());
        for slot in slots.into_iter().rev() {
            let place = self.order[..end].partition_point(|s| compare(*s, slot).is_lt());
            self.order.copy_within(place..end, place + gap);
            gap -= 1;
            self.order[place + gap] = slot;
            end = place;
        }
    }
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
    fn comparing(self, families: &[FamilyIx]) -> impl Fn(Slot, Slot) -> Ordering + use<'a> {
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

    fn canonical(self, slot: Slot) -> Vec<(&'a str, &'a [u8])> {
        let family = self.families.known(self.table.family(slot));
        canonical(family.map_or(&[], shown_labels), self.table.values(slot))
    }
}
