//! The order of the page: metrics by name, their series by label values, in pieces.
//!
//! The order depends on the state only, never on the way to it: replicas that learned of a family or
//! a series at different times must show the same bytes. So it has only series with a total, and
//! only families that have such; it is built anew for a metric whenever those change.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use logtally_core::names::HistogramSuffix;
use logtally_core::series::Kind;

use super::bounds::common_bounds;
use super::metric::Metric;
use super::pieces::{Cut, Pieces};
use crate::state::{
    CountState, DirtySet, Families, FamilyIx, Knowledge, LayoutChanges, SeriesSlot,
};

/// All metrics, by name.
pub(super) struct Arrangement {
    metrics: BTreeMap<String, Metric>,
    pieces: Pieces,
    cut: Cut,
}

/// What is not shown, so that the rest can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LeftOut {
    /// Families whose description is nowhere in the store.
    pub(crate) unknown: u64,
    /// Families whose names cannot stand on a page.
    pub(crate) invalid: u64,
    /// Families with the name of another one of a different kind, and histograms with a sample that has
    /// the name of another metric.
    pub(crate) conflicting: u64,
    /// Series that do not fit to their family.
    pub(crate) strays: u64,
}

impl Arrangement {
    /// Nothing yet.
    pub(super) fn new(cut: Cut) -> Self {
        Self { metrics: BTreeMap::new(), pieces: Pieces::default(), cut }
    }

    /// Where it is cut.
    pub(super) fn cut(&self) -> Cut {
        self.cut
    }

    /// The metrics, by name.
    pub(super) fn metrics(&self) -> &BTreeMap<String, Metric> {
        &self.metrics
    }

    /// The pieces of the page.
    pub(super) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Brings the order up to date with what has changed since the last time. What is not shown.
    pub(super) fn update(&mut self, state: &CountState, changes: LayoutChanges) -> LeftOut {
        let (shown, left_out) = choose(state.families());
        let is_stale = self.take_over(state.families(), shown);
        self.mark_rewritten(changes.rewritten);
        match changes.membership {
            // A series that came, went and came again is listed each time, and has one place.
            DirtySet::These(mut slots) if !is_stale => {
                slots.sort_unstable();
                slots.dedup();
                self.place(state, slots.into_iter());
            }
            _ => self.place(state, state.table().slots()),
        }
        left_out
    }

    /// Makes the pieces of some series, if they have one, be written anew.
    fn mark_rewritten(&mut self, series: DirtySet) {
        match series {
            DirtySet::These(slots) => {
                for slot in slots {
                    if let Some(place) = self.pieces.place(slot) {
                        self.pieces.mark_dirty(place.piece);
                    }
                }
            }
            DirtySet::Any => {
                for metric in self.metrics.values() {
                    metric.pieces.iter().for_each(|piece| self.pieces.mark_dirty(*piece));
                }
            }
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

    /// Puts those of `slots` in their places that have a total, and takes out the others. Each must
    /// occur once.
    fn place(&mut self, state: &CountState, slots: impl Iterator<Item = SeriesSlot>) {
        let mut metrics: Vec<_> =
            self.metrics.values_mut().map(|metric| (metric, Vec::new())).collect();
        let mut of_family = HashMap::new();
        for (target, (metric, _)) in metrics.iter().enumerate() {
            of_family.extend(metric.families.iter().map(|ix| (*ix, target)));
        }
        for slot in slots {
            let target = of_family.get(&state.table().family(slot));
            match (self.pieces.place(slot), target.filter(|_| state.total(slot) > 0)) {
                (None, Some(target)) => metrics[*target].1.push(slot),
                (Some(place), None) => self.pieces.mark_dirty(place.piece),
                _ => {}
            }
        }
        let is_dirty = self.pieces.take_dirty();
        for (metric, slots) in metrics {
            if is_dirty || !slots.is_empty() {
                metric.merge(state, &mut self.pieces, self.cut, slots);
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
    let taken = |suffix: &HistogramSuffix| shown.contains_key(suffix.of(name).as_str());
    kind == Some(Kind::Histogram) && HistogramSuffix::ALL.iter().any(taken)
}
