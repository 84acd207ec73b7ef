//! The lines of the page: series in their order, equal label sets of several families as one.
//!
//! What a family's time-to-live hides is decided here, by the journal's time, which replicas that
//! took in the same entries agree on. Hidden is not forgotten: totals and floors know nothing of it.

use logtally_core::series::{Family, Kind, Value};

use super::View;
use super::arrangement::{Metric, Rank};
use super::histogram::{Bound, HistogramLine};
use super::table::Slot;

/// The view in the order of the page.
#[derive(Clone, Copy)]
pub struct Arranged<'a> {
    pub(super) view: &'a View,
    pub(super) now_ms: u64,
}

/// One metric of the page, which has at least one line.
#[derive(Clone, Copy)]
pub struct MetricLines<'a> {
    pub(super) view: &'a View,
    pub(super) metric: &'a Metric,
    family: &'a Family,
    now_ms: u64,
    /// Whether a line of it may be hidden.
    may_hide: bool,
}

/// One line of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'a> {
    /// `{name="value",…}`, or nothing for a series without labels.
    pub labels: &'a [u8],
    /// The exact number of records.
    pub total: u64,
    /// What the kind shows instead of the number of records.
    pub value: Value,
    /// When the series began, milliseconds since 1970; 0 if that is not known.
    pub created_ms: u64,
}

/// The labels that make a label set: those of a histogram without the bound of the bucket, which stands
/// last.
pub(super) fn shown_labels(family: &Family) -> &[String] {
    match (family.kind, family.labels.split_last()) {
        (Kind::Histogram, Some((_, labels))) => labels,
        _ => &family.labels,
    }
}

impl<'a> Arranged<'a> {
    /// The metrics, by name.
    pub fn metrics(self) -> impl Iterator<Item = MetricLines<'a>> {
        let metrics = self.view.arrangement.metrics.values();
        metrics.filter_map(move |metric| self.metric(metric)).filter(|metric| metric.has_lines())
    }

    fn metric(self, metric: &'a Metric) -> Option<MetricLines<'a>> {
        let families = &self.view.families;
        let family = families.known(*metric.families.first()?)?;
        let known = metric.families.iter().filter_map(|ix| families.known(*ix));
        let may_hide = known.into_iter().any(|family| family.ttl_s > 0);
        Some(MetricLines { view: self.view, metric, family, now_ms: self.now_ms, may_hide })
    }

    /// Whether a metric of this name is on the page.
    pub fn has(self, name: &str) -> bool {
        self.view.arrangement.metrics.contains_key(name)
    }

    /// Room (bytes) for all labels and values of a page of plain counts.
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

    /// What the rows hold.
    pub fn kind(self) -> Kind {
        self.family.kind
    }

    /// The help text.
    pub fn help(self) -> &'a str {
        &self.family.help
    }

    /// The bounds of a histogram's buckets, ascending, without the infinite one.
    pub fn bounds(self) -> &'a [Bound] {
        &self.metric.bounds
    }

    /// The lines by label values. Equal label sets of several families are one line, with their sum.
    pub fn lines(self) -> impl Iterator<Item = Line<'a>> {
        self.sets().filter_map(move |slots| self.line(slots))
    }

    /// The same for a histogram: one item per label set.
    pub fn histograms(self) -> impl Iterator<Item = HistogramLine<'a>> {
        self.sets().filter_map(move |slots| Some(self.histogram(slots, self.line(slots)?)))
    }

    fn has_lines(self) -> bool {
        !self.may_hide || self.lines().next().is_some()
    }

    /// The slots of each label set.
    fn sets(self) -> impl Iterator<Item = &'a [Slot]> {
        let View { families, table, .. } = self.view;
        let several = self.metric.families.len() > 1 || self.kind() == Kind::Histogram;
        let compare = Rank { families, table }.comparing_sets(&self.metric.families);
        let same = move |a: &Slot, b: &Slot| several && compare(*a, *b).is_eq();
        self.metric.order.chunk_by(same)
    }

    fn line(self, slots: &'a [Slot]) -> Option<Line<'a>> {
        let View { table, totals, created_ms, .. } = self.view;
        if self.may_hide && self.is_hidden(slots) {
            return None;
        }
        let mut line: Option<Line<'a>> = None;
        for slot in slots.iter().filter(|slot| totals.get(**slot) > 0) {
            let line = line.get_or_insert_with(|| Line {
                labels: table.text(*slot),
                total: 0,
                value: Value::None,
                created_ms: 0,
            });
            line.total += totals.get(*slot);
            line.value = self.with_value(line.value, *slot);
            line.created_ms = super::earlier(line.created_ms, created_ms[slot.index()]);
        }
        line
    }

    fn with_value(self, value: Value, slot: Slot) -> Value {
        if matches!(self.kind(), Kind::Counter | Kind::Gauge) {
            return Value::None;
        }
        match self.view.values.get(&slot) {
            Some(other) if value == Value::None => *other,
            Some(other) => value.merge_sticky(*other),
            None => value,
        }
    }

    /// Whether all series among `slots` have a time-to-live, and none of them lives. One without keeps
    /// the line: it may count at this moment, because nothing tells when it did last.
    fn is_hidden(self, slots: &[Slot]) -> bool {
        let View { families, table, totals, touched_ms, .. } = self.view;
        let mut counted = slots.iter().filter(|slot| totals.get(**slot) > 0).peekable();
        let any = counted.peek().is_some();
        any && counted.all(|slot| {
            let ttl_s = families.known(table.family(*slot)).map_or(0, |family| family.ttl_s);
            let touched = touched_ms.get(slot).copied().unwrap_or(0);
            ttl_s > 0 && self.now_ms.saturating_sub(touched) >= ttl_s.saturating_mul(1000)
        })
    }
}
