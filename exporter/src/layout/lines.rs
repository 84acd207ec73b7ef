//! The lines of the page: series in their order, equal label sets of several families as one.
//!
//! What a family's time-to-live hides is told by the journal's time, which replicas that took in the
//! same entries agree on. Hidden is not forgotten: totals and high-water marks know nothing of it.

use logtally_core::decimal::Decimal;
use logtally_core::series::{Family, Kind, NEVER_HIDES, Value, hides_at, is_hidden};

use super::arrangement::Arrangement;
use super::bounds::Bound;
use super::metric::Metric;
use super::pieces::{PieceId, Pieces};
use super::rank::Rank;
use crate::state::{CountState, FamilyIx, SeriesSlot, earlier, push_text};

/// What is known of the counts, in the order of the page.
#[derive(Clone, Copy)]
pub struct Arranged<'a> {
    state: &'a CountState,
    arrangement: &'a Arrangement,
    now_ms: u64,
}

/// One metric of the page.
#[derive(Clone, Copy)]
pub(crate) struct MetricLines<'a> {
    state: &'a CountState,
    metric: &'a Metric,
    family: &'a Family,
    now_ms: u64,
    /// Whether a line of it may be hidden.
    may_hide: bool,
}

/// One line of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// A series that has the labels of the line.
    pub(crate) slot: SeriesSlot,
    /// The exact number of records.
    pub(crate) total: u64,
    /// What the kind shows instead of the number of records.
    pub(crate) value: Value,
    /// When the series began, milliseconds since 1970; 0 if that is not known.
    pub(crate) created_ms: u64,
}

/// One label set of a histogram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HistogramLine {
    /// A series that has the labels of the line.
    pub(crate) slot: SeriesSlot,
    /// Values up to each bound, in their order, and up to infinity.
    pub(crate) buckets: Vec<u64>,
    /// The sum of all values.
    pub(crate) sum: Decimal,
    /// When the series began, milliseconds since 1970; 0 if that is not known.
    pub(crate) created_ms: u64,
}

impl<'a> Arranged<'a> {
    /// An arrangement that is up to date with the state.
    pub(super) fn new(state: &'a CountState, arrangement: &'a Arrangement) -> Self {
        Self { state, arrangement, now_ms: state.now_ms() }
    }

    /// The metrics, by name. One whose lines are all hidden is among them.
    pub(crate) fn metrics(self) -> impl Iterator<Item = MetricLines<'a>> {
        let metrics = self.arrangement.metrics().values();
        metrics.filter_map(move |metric| self.metric(metric))
    }

    fn metric(self, metric: &'a Metric) -> Option<MetricLines<'a>> {
        let families = self.state.families();
        let family = families.known(*metric.families.first()?)?;
        let known = metric.families.iter().filter_map(|ix| families.known(*ix));
        let may_hide = known.into_iter().any(|family| family.ttl_s > 0);
        Some(MetricLines { state: self.state, metric, family, now_ms: self.now_ms, may_hide })
    }

    /// Whether a metric of this name is on the page.
    pub(crate) fn has(self, name: &str) -> bool {
        self.arrangement.metrics().contains_key(name)
    }

    /// The pieces of the page.
    pub(crate) fn pieces(self) -> &'a Pieces {
        self.arrangement.pieces()
    }

    /// The time of everything that is shown.
    pub(crate) fn now_ms(self) -> u64 {
        self.now_ms
    }
}

impl<'a> MetricLines<'a> {
    /// The name in the text format.
    pub(crate) fn name(self) -> &'a str {
        &self.family.name
    }

    /// What the rows hold.
    pub(crate) fn kind(self) -> Kind {
        self.family.kind
    }

    /// The help text.
    pub(crate) fn help(self) -> &'a str {
        &self.family.help
    }

    /// The bounds of a histogram's buckets, ascending, without the infinite one.
    pub(crate) fn bounds(self) -> &'a [Bound] {
        &self.metric.bounds
    }

    /// Whether several series can make one label set.
    pub(crate) fn has_sets(self) -> bool {
        self.metric.has_sets
    }

    /// The pieces, in their order.
    pub(crate) fn pieces(self) -> &'a [PieceId] {
        &self.metric.pieces
    }

    /// The families, and the labels of each.
    pub(crate) fn labels(self) -> impl Iterator<Item = (FamilyIx, &'a [String])> {
        let labels = move |ix| {
            self.state.families().known(ix).map_or(&[][..], Family::labels_without_bucket)
        };
        self.metric.families.iter().map(move |ix| (*ix, labels(*ix)))
    }

    /// The family of a series, and its label values.
    pub(crate) fn labelled(self, slot: SeriesSlot) -> (FamilyIx, &'a [u8]) {
        (self.state.table().family(slot), self.state.table().values(slot))
    }

    /// Appends the labels of a series: `{name="value",…}`, or nothing.
    pub(crate) fn push_labels(self, out: &mut Vec<u8>, slot: SeriesSlot) {
        let (family, values) = self.labelled(slot);
        let names =
            self.state.families().known(family).map_or(&[][..], Family::labels_without_bucket);
        push_text(out, names, values);
    }

    /// The series of a piece by label set. Equal label sets of several families are one line.
    pub(crate) fn sets(self, slots: &'a [SeriesSlot]) -> impl Iterator<Item = &'a [SeriesSlot]> {
        let compare = Rank::new(self.state).comparing_sets(&self.metric.families);
        slots.chunk_by(move |a, b| self.has_sets() && compare(*a, *b).is_eq())
    }

    /// The sum of the series of a label set.
    pub(crate) fn line(self, slots: &[SeriesSlot]) -> Line {
        let mut line = self.line_of(slots[0]);
        for slot in &slots[1..] {
            let other = self.line_of(*slot);
            line.total += other.total;
            line.value = match (line.value, other.value) {
                (Value::None, value) | (value, Value::None) => value,
                (one, other) => one.merge_sticky(other),
            };
            line.created_ms = earlier(line.created_ms, other.created_ms);
        }
        line
    }

    /// A series alone.
    pub(crate) fn line_of(self, slot: SeriesSlot) -> Line {
        let value = match self.kind() {
            Kind::Counter | Kind::Gauge => None,
            _ => self.state.value(slot),
        };
        Line {
            slot,
            total: self.state.total(slot),
            value: value.unwrap_or(Value::None),
            created_ms: self.state.created_ms(slot),
        }
    }

    /// The same for a histogram.
    pub(crate) fn histogram(self, slots: &[SeriesSlot]) -> HistogramLine {
        self.buckets(slots, self.line(slots))
    }

    /// The buckets of a line, from the rows of its slots.
    fn buckets(self, slots: &[SeriesSlot], line: Line) -> HistogramLine {
        let bounds = self.bounds();
        let mut buckets = vec![0; bounds.len() + 1];
        for slot in slots {
            // `+Inf` is not a decimal; neither is what only a damaged store has.
            let at = match Decimal::parse(self.state.table().bucket(*slot)) {
                Ok(le) => bounds.partition_point(|bound| bound.value < le),
                Err(_) => bounds.len(),
            };
            buckets[at] += self.state.total(*slot);
        }
        for at in 1..buckets.len() {
            buckets[at] += buckets[at - 1];
        }
        let sum = if let Value::Sum(sum) = line.value { sum } else { Decimal::ZERO };
        HistogramLine { slot: line.slot, buckets, sum, created_ms: line.created_ms }
    }

    /// The time at which a label set is hidden if nothing is counted before, [`NEVER_HIDES`] for never:
    /// if all its series have a time-to-live, and none of them lives. One without keeps the line: it may
    /// count at this moment, because nothing tells when it did last.
    pub(crate) fn hides_at(self, slots: &[SeriesSlot]) -> u64 {
        if !self.may_hide {
            return NEVER_HIDES;
        }
        let of_series = |slot: &SeriesSlot| {
            let family = self.state.families().known(self.state.table().family(*slot));
            family.map_or(NEVER_HIDES, |family| hides_at(family, self.state.touched_ms(*slot)))
        };
        slots.iter().map(of_series).max().unwrap_or(NEVER_HIDES)
    }

    /// Whether what hides at this time is hidden now.
    pub(crate) fn is_past(self, hides_at: u64) -> bool {
        is_hidden(hides_at, self.now_ms)
    }
}
