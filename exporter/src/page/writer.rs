//! One metric as text.

use logtally_core::names::HistogramSuffix;
use logtally_core::series::{Kind, Value};

use super::format::PageFormat;
use super::numbers::{push_decimal, push_number, push_seconds};
use super::template::Template;
use super::text::Text;
use crate::layout::{Arranged, Bound, HistogramLine, Line, MetricLines};
use crate::state::{FamilyIx, SeriesSlot};

/// How a metric is written.
pub(super) struct Writer<'a> {
    metric: MetricLines<'a>,
    format: PageFormat,
    /// The name of the metric.
    name: &'a str,
    /// What the metric is said to be.
    kind: &'static [u8],
    /// The name that the times of creation have, if they are shown.
    created: Option<String>,
    /// By family: the text around the label values.
    totals: Vec<(FamilyIx, Template)>,
    createds: Vec<(FamilyIx, Template)>,
}

impl<'a> Writer<'a> {
    /// A writer of one metric of a view.
    pub(super) fn new(view: Arranged<'a>, metric: MetricLines<'a>, format: PageFormat) -> Self {
        let is_open = format == PageFormat::OpenMetrics;
        let base = counter_base(view, metric).filter(|_| is_open);
        let created = match metric.kind() {
            Kind::Histogram => Some(format!("{}_created", metric.name()))
                .filter(|created| is_open && !view.has(created)),
            _ => base.map(|base| format!("{base}_created")),
        };
        let kind = match base {
            None if is_open && is_counter(metric) => &b"unknown"[..],
            _ => type_of(metric),
        };
        let templates = |name: &str| {
            metric.labels().map(|(family, labels)| (family, Template::new(name, labels))).collect()
        };
        let totals = templates(metric.name());
        let createds = created.as_deref().map(templates).unwrap_or_default();
        let name = base.unwrap_or(metric.name());
        Self { metric, format, name, kind, created, totals, createds }
    }

    /// What stands above the lines.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let is_open = self.format == PageFormat::OpenMetrics;
        let is_special = |byte| byte == b'\\' || (is_open && byte == b'"');
        push_comment(&mut out, "HELP", self.name, |out| {
            push_escaped(out, self.metric.help(), is_special);
        });
        push_comment(&mut out, "TYPE", self.name, |out| out.extend_from_slice(self.kind));
        out
    }

    /// Whether times of creation are among the lines. Other metrics decide that, so it may change
    /// while the series stay.
    pub(super) fn has_created(&self) -> bool {
        self.created.is_some()
    }

    /// Appends the lines of some series, with all label sets whole.
    pub(super) fn write(&self, slots: &'a [SeriesSlot], out: &mut Text) {
        if self.metric.has_sets() {
            for set in self.metric.sets(slots) {
                if self.notes_shown(set, out) {
                    self.push_set(out, set);
                }
            }
            return;
        }
        for slot in slots {
            if self.notes_shown(std::slice::from_ref(slot), out) {
                let line = self.metric.line_of(*slot);
                self.push_line(out, &line, true);
            } else {
                out.values.push(Text::HIDDEN);
            }
        }
    }

    /// Appends the value of a series that is a line for itself.
    pub(super) fn push_value_of(&self, slot: SeriesSlot, out: &mut Vec<u8>) {
        push_value(out, &self.metric.line_of(slot));
    }

    /// When a series that is a line for itself is hidden.
    pub(super) fn hides_at(&self, slot: SeriesSlot) -> u64 {
        self.metric.hides_at(std::slice::from_ref(&slot))
    }

    /// Whether what hides at this time is hidden now.
    pub(super) fn is_past(&self, hides_at: u64) -> bool {
        self.metric.is_past(hides_at)
    }

    /// Whether a label set is shown; the text knows then until when.
    fn notes_shown(&self, set: &[SeriesSlot], out: &mut Text) -> bool {
        let hides_at = self.metric.hides_at(set);
        let is_shown = !self.metric.is_past(hides_at);
        if is_shown {
            out.hides_at = out.hides_at.min(hides_at);
        }
        is_shown
    }

    fn push_set(&self, out: &mut Text, set: &[SeriesSlot]) {
        if self.metric.kind() == Kind::Histogram {
            self.push_histogram(&mut out.bytes, &self.metric.histogram(set));
        } else {
            self.push_line(out, &self.metric.line(set), false);
        }
    }

    /// The samples of one series stand together, as `OpenMetrics` demands.
    fn push_line(&self, out: &mut Text, line: &Line, is_alone: bool) {
        let (family, values) = self.metric.labelled(line.slot);
        if let Some(template) = of_family(&self.totals, family) {
            template.push(&mut out.bytes, values);
        }
        if is_alone {
            out.values.push(out.bytes.len() as u32);
        }
        push_value(&mut out.bytes, line);
        out.bytes.push(b'\n');
        let created = of_family(&self.createds, family).filter(|_| line.created_ms > 0);
        if let Some(template) = created {
            template.push(&mut out.bytes, values);
            push_seconds(&mut out.bytes, line.created_ms);
            out.bytes.push(b'\n');
        }
    }

    /// Where values may be negative, `OpenMetrics` allows no sum, because it is no counter then; and
    /// without the sum no count, which the infinite bucket tells as well.
    fn push_histogram(&self, out: &mut Vec<u8>, line: &HistogramLine) {
        let is_text = self.format == PageFormat::Text;
        let bounds = self.metric.bounds();
        let text = |bound: &'a Bound| if is_text { &bound.text } else { &bound.canonical };
        let les: Vec<&str> = bounds.iter().map(|bound| text(bound).as_str()).collect();
        let may_be_negative =
            line.sum.is_negative() || bounds.iter().any(|bound| bound.value.is_negative());
        let mut labels = Vec::new();
        self.metric.push_labels(&mut labels, line.slot);
        push_buckets(out, self.metric.name(), &les, &labels, line);
        if is_text || !may_be_negative {
            push_sum_and_count(out, self.metric.name(), &labels, line);
        }
        if let Some(created) = self.created.as_deref().filter(|_| line.created_ms > 0) {
            let series = [created.as_bytes(), &labels];
            push_sample(out, &series, |out| push_seconds(out, line.created_ms));
        }
    }
}

fn of_family(templates: &[(FamilyIx, Template)], family: FamilyIx) -> Option<&Template> {
    templates.iter().find(|(ix, _)| *ix == family).map(|(_, template)| template)
}

fn is_counter(metric: MetricLines<'_>) -> bool {
    matches!(metric.kind(), Kind::Counter | Kind::SumCounter)
}

/// The family name of a counter in `OpenMetrics`: without `_total`, which its samples keep.
///
/// `None` for a counter that has no such suffix, or whose family would clash with another metric.
/// It is written as `unknown`, so that no name of a sample depends on the format.
fn counter_base<'a>(view: Arranged<'_>, metric: MetricLines<'a>) -> Option<&'a str> {
    let base = metric.name().strip_suffix("_total").filter(|_| is_counter(metric))?;
    let is_free = !base.is_empty() && !view.has(base) && !view.has(&format!("{base}_created"));
    is_free.then_some(base)
}

fn type_of(metric: MetricLines<'_>) -> &'static [u8] {
    match metric.kind() {
        Kind::Counter | Kind::SumCounter => b"counter",
        Kind::Gauge | Kind::SumGauge | Kind::Min | Kind::Max | Kind::Last => b"gauge",
        Kind::Histogram => b"histogram",
    }
}

fn push_comment(out: &mut Vec<u8>, word: &str, name: &str, content: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"# ");
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    content(out);
    out.push(b'\n');
}

fn push_escaped(out: &mut Vec<u8>, text: &str, is_special: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte == b'\n' {
            out.extend_from_slice(b"\\n");
            continue;
        }
        if is_special(byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn push_buckets(out: &mut Vec<u8>, name: &str, les: &[&str], labels: &[u8], line: &HistogramLine) {
    let suffix = HistogramSuffix::Bucket.as_str().as_bytes();
    for (le, count) in les.iter().chain(&["+Inf"]).zip(&line.buckets) {
        // The bound joins the labels that are there.
        let open: &[&[u8]] = match labels.split_last() {
            Some((_, labels)) => &[name.as_bytes(), suffix, labels, b",le=\"", le.as_bytes()],
            None => &[name.as_bytes(), suffix, b"{le=\"", le.as_bytes()],
        };
        out.extend(open.iter().copied().flatten());
        push_sample(out, &[b"\"}"], |out| push_number(out, *count));
    }
}

fn push_sum_and_count(out: &mut Vec<u8>, name: &str, labels: &[u8], line: &HistogramLine) {
    let [sum, count] = [HistogramSuffix::Sum, HistogramSuffix::Count].map(|suffix| {
        // The sample's name and labels.
        [name.as_bytes(), suffix.as_str().as_bytes(), labels]
    });
    push_sample(out, &sum, |out| push_decimal(out, line.sum));
    let values = line.buckets.last().copied().unwrap_or(0);
    push_sample(out, &count, |out| push_number(out, values));
}

fn push_sample(out: &mut Vec<u8>, series: &[&[u8]], value: impl FnOnce(&mut Vec<u8>)) {
    for part in series {
        out.extend_from_slice(part);
    }
    out.push(b' ');
    value(out);
    out.push(b'\n');
}

fn push_value(out: &mut Vec<u8>, line: &Line) {
    match line.value {
        Value::None => push_number(out, line.total),
        Value::Sum(value) | Value::Min(value) | Value::Max(value) => push_decimal(out, value),
        Value::Last(latest) => push_decimal(out, latest.value),
    }
}
