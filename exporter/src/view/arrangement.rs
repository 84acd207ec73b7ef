//! The order of the page: metrics by name, their series by label values.
//!
//! The order depends on the state only, never on the way to it: replicas that learned of a family or
//! a series at different times must show the same bytes. So it knows only families that have series
//! with a total, and it is built anew for a metric whenever those change.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use logtally_core::series::{Family, Kind};

use super::View;
use super::families::{Families, FamilyIx, Knowledge};
use super::labels::canonical;
use super::table::{Slot, Table};

/// All metrics, by name.
#[derive(Default)]
pub(super) struct Arrangement {
    metrics: BTreeMap<String, Metric>,
}

/// The series of one metric, in the order of the page. Series without a total are among them and
/// are passed over.
#[derive(Default)]
pub(super) struct Metric {
    /// The families shown, by id; the first one gives help and type.
    families: Vec<FamilyIx>,
    order: Vec<Slot>,
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
    /// Families with the name of another one of a different kind.
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
                *metric = Metric { families: chosen, order: Vec::new(), is_stale: true };
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
    (shown, left_out)
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
    families: &'a Families,
    table: &'a Table,
}

impl<'a> Rank<'a> {
    /// The order of the series of `families`: by label values, and for the same label set by family.
    fn comparing(self, families: &[FamilyIx]) -> impl Fn(Slot, Slot) -> Ordering + use<'a> {
        let sets = self.comparing_sets(families);
        move |a, b| {
            let id = |slot| self.families.entry(self.table.family(slot)).id;
            sets(a, b).then_with(|| id(a).cmp(&id(b)))
        }
    }

    /// The order of label sets. If all families have the same labels, the keys' bytes tell it.
    fn comparing_sets(self, families: &[FamilyIx]) -> impl Fn(Slot, Slot) -> Ordering + use<'a> {
        let labels = |ix: &FamilyIx| self.families.known(*ix).map(|family| &family.labels);
        let alike = families.windows(2).all(|pair| labels(&pair[0]) == labels(&pair[1]));
        move |a, b| {
            if alike {
                self.table.values(a).cmp(self.table.values(b))
            } else {
                self.canonical(a).cmp(&self.canonical(b))
            }
        }
    }

    fn canonical(self, slot: Slot) -> Vec<(&'a str, &'a [u8])> {
        let family = self.families.known(self.table.family(slot));
        canonical(family.map_or(&[], |family| &family.labels), self.table.values(slot))
    }
}

/// The view in the order of the page.
#[derive(Clone, Copy)]
pub struct Arranged<'a> {
    pub(super) view: &'a View,
}

/// One metric of the page, which has at least one line.
#[derive(Clone, Copy)]
pub struct MetricLines<'a> {
    view: &'a View,
    metric: &'a Metric,
    family: &'a Family,
}

/// One line of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// `{name="value",…}`, or nothing for a series without labels.
    pub labels: &'a [u8],
    /// The exact total.
    pub total: u64,
    /// When the series began, milliseconds since 1970; 0 if that is not known.
    pub created_ms: u64,
}

impl<'a> Arranged<'a> {
    /// The metrics, by name.
    pub fn metrics(self) -> impl Iterator<Item = MetricLines<'a>> {
        self.view.arrangement.metrics.values().filter_map(move |metric| {
            let family = self.view.families.known(*metric.families.first()?)?;
            Some(MetricLines { view: self.view, metric, family })
        })
    }

    /// Whether a metric of this name is on the page.
    pub fn has(self, name: &str) -> bool {
        self.view.arrangement.metrics.contains_key(name)
    }

    /// Room (bytes) for all labels and values of the page.
    pub fn bytes_max(self) -> usize {
        const VALUE_MAX: usize = "18446744073709551615 \n".len();
        let series = |metric: MetricLines<'a>| {
            metric.metric.order.len() * (metric.family.name.len() + VALUE_MAX)
        };
        self.view.table.text_bytes() + self.metrics().map(series).sum::<usize>()
    }
}

impl<'a> MetricLines<'a> {
    /// The name in the text format.
    pub fn name(self) -> &'a str {
        &self.family.name
    }

    /// Counter or gauge.
    pub fn kind(self) -> Kind {
        self.family.kind
    }

    /// The help text.
    pub fn help(self) -> &'a str {
        &self.family.help
    }

    /// The lines by label values. Equal label sets of several families are one line, with their sum.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        let View { families, table, .. } = self.view;
        let several = self.metric.families.len() > 1;
        let compare = Rank { families, table }.comparing_sets(&self.metric.families);
        let same = move |a: &Slot, b: &Slot| several && compare(*a, *b).is_eq();
        self.metric.order.chunk_by(same).filter_map(move |slots| self.line(slots))
    }

    fn line(self, slots: &'a [Slot]) -> Option<Line<'a>> {
        let View { table, totals, created_ms, .. } = self.view;
        let mut line: Option<Line<'a>> = None;
        for slot in slots.iter().filter(|slot| totals.get(**slot) > 0) {
            let line = line.get_or_insert_with(|| Line {
                labels: table.text(*slot),
                total: 0,
                created_ms: 0,
            });
            line.total += totals.get(*slot);
            line.created_ms = super::earlier(line.created_ms, created_ms[slot.index()]);
        }
        line
    }
}
