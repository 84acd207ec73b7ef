//! The page: the view as text for Prometheus.
//!
//! Must never write anything that is not in the view: no time of the scrape, no name of the replica,
//! nothing that two replicas with the same counts would write differently.

use std::io::Write;

use logtally_core::decimal::Decimal;
use logtally_core::series::{Kind, Value};

use crate::view::{Arranged, HistogramLine, Line, MetricLines};

/// What a page is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The text format of Prometheus. Versions 0.0.4 and 1.0.0 are the same for names without
    /// characters to escape, which is what families are limited to.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

/// Writes the page.
pub fn render(view: Arranged<'_>, format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(view.bytes_max());
    for metric in view.metrics() {
        match format {
            Format::Text => push_text_metric(&mut out, metric),
            Format::OpenMetrics => push_openmetrics_metric(&mut out, view, metric),
        }
    }
    if format == Format::OpenMetrics {
        out.extend_from_slice(b"# EOF\n");
    }
    out
}

fn push_text_metric(out: &mut Vec<u8>, metric: MetricLines<'_>) {
    push_comment(out, "HELP", metric.name(), |out| {
        push_escaped(out, metric.help(), |byte| byte == b'\\');
    });
    push_comment(out, "TYPE", metric.name(), |out| out.extend_from_slice(type_of(metric)));
    match metric.kind() {
        Kind::Histogram => push_histograms(out, metric),
        _ => push_samples(out, metric),
    }
}

fn push_openmetrics_metric(out: &mut Vec<u8>, view: Arranged<'_>, metric: MetricLines<'_>) {
    let base = counter_base(view, metric);
    let (name, kind) = match base {
        None if is_counter(metric) => (metric.name(), &b"unknown"[..]),
        base => (base.unwrap_or(metric.name()), type_of(metric)),
    };
    push_comment(out, "HELP", name, |out| {
        push_escaped(out, metric.help(), |byte| matches!(byte, b'\\' | b'"'));
    });
    push_comment(out, "TYPE", name, |out| out.extend_from_slice(kind));
    match base {
        Some(base) => push_counter_samples(out, base, metric),
        None if metric.kind() == Kind::Histogram => {
            push_openmetrics_histograms(out, view, metric);
        }
        None => push_samples(out, metric),
    }
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

fn push_samples(out: &mut Vec<u8>, metric: MetricLines<'_>) {
    for line in metric.lines() {
        push_sample(out, &[metric.name().as_bytes(), line.labels], |out| push_value(out, &line));
    }
}

fn push_histograms(out: &mut Vec<u8>, metric: MetricLines<'_>) {
    let les: Vec<&str> = metric.bounds().iter().map(|bound| bound.text.as_str()).collect();
    for line in metric.histograms() {
        push_buckets(out, metric.name(), &les, &line);
        push_sum_and_count(out, metric.name(), &line);
    }
}

/// Where values may be negative, `OpenMetrics` allows no sum, because it is no counter then; and
/// without the sum no count, which the infinite bucket tells as well.
fn push_openmetrics_histograms(out: &mut Vec<u8>, view: Arranged<'_>, metric: MetricLines<'_>) {
    let les: Vec<&str> = metric.bounds().iter().map(|bound| bound.canonical.as_str()).collect();
    let may_be_negative = metric.bounds().iter().any(|bound| bound.value.is_negative());
    let has_created = !view.has(&format!("{}_created", metric.name()));
    for line in metric.histograms() {
        push_buckets(out, metric.name(), &les, &line);
        if !may_be_negative && !line.sum.is_negative() {
            push_sum_and_count(out, metric.name(), &line);
        }
        if has_created {
            push_created(out, metric.name(), line.labels, line.created_ms);
        }
    }
}

fn push_buckets(out: &mut Vec<u8>, name: &str, les: &[&str], line: &HistogramLine<'_>) {
    for (le, count) in les.iter().chain(&["+Inf"]).zip(&line.buckets) {
        // The bound joins the labels that are there.
        let open: &[&[u8]] = match line.labels.split_last() {
            Some((_, labels)) => &[name.as_bytes(), b"_bucket", labels, b",le=\"", le.as_bytes()],
            None => &[name.as_bytes(), b"_bucket", b"{le=\"", le.as_bytes()],
        };
        out.extend(open.iter().copied().flatten());
        push_sample(out, &[b"\"}"], |out| push_number(out, *count));
    }
}

fn push_sum_and_count(out: &mut Vec<u8>, name: &str, line: &HistogramLine<'_>) {
    let series = |suffix| [name.as_bytes(), suffix, line.labels];
    push_sample(out, &series(b"_sum"), |out| push_decimal(out, line.sum));
    let count = line.buckets.last().copied().unwrap_or(0);
    push_sample(out, &series(b"_count"), |out| push_number(out, count));
}

/// The samples of one series stand together, as `OpenMetrics` demands.
fn push_counter_samples(out: &mut Vec<u8>, base: &str, metric: MetricLines<'_>) {
    for line in metric.lines() {
        let total = [metric.name().as_bytes(), line.labels];
        push_sample(out, &total, |out| push_value(out, &line));
        push_created(out, base, line.labels, line.created_ms);
    }
}

fn push_created(out: &mut Vec<u8>, base: &str, labels: &[u8], created_ms: u64) {
    if created_ms > 0 {
        let created = [base.as_bytes(), b"_created", labels];
        push_sample(out, &created, |out| push_seconds(out, created_ms));
    }
}

fn push_sample(out: &mut Vec<u8>, series: &[&[u8]], value: impl FnOnce(&mut Vec<u8>)) {
    for part in series {
        out.extend_from_slice(part);
    }
    out.push(b' ');
    value(out);
    out.push(b'\n');
}

fn push_value(out: &mut Vec<u8>, line: &Line<'_>) {
    match line.value {
        Value::None => push_number(out, line.total),
        Value::Sum(value) | Value::Min(value) | Value::Max(value) => push_decimal(out, value),
        Value::Last(latest) => push_decimal(out, latest.value),
    }
}

fn push_decimal(out: &mut Vec<u8>, value: Decimal) {
    match value {
        // Sums that left their range: no number is better than a wrong one.
        Decimal::MAX => out.extend_from_slice(b"+Inf"),
        Decimal::MIN => out.extend_from_slice(b"-Inf"),
        // Writing to a vector does not fail.
        value => drop(write!(out, "{value}")),
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_seconds(out: &mut Vec<u8>, ms: u64) {
    push_number(out, ms / 1000);
    out.push(b'.');
    let rest = ms % 1000;
    out.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, text.as_bytes());
        }
        for (ms, text) in [(1, "0.001"), (1_700_000_000_120, "1700000000.120")] {
            let mut out = Vec::new();
            push_seconds(&mut out, ms);
            assert_eq!(out, text.as_bytes());
        }
    }
}
