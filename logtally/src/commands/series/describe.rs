//! From series and their values to what a person asks of them. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::values::Values;
use crate::output::Table;

/// What is told of a set of series.
#[derive(Debug, Serialize)]
pub(super) struct Description {
    metrics: Vec<MetricOf>,
    labels: Vec<LabelOf>,
    top: Vec<Top>,
}

#[derive(Debug, Serialize)]
struct MetricOf {
    metric: String,
    series: usize,
}

#[derive(Debug, Serialize)]
struct LabelOf {
    metric: String,
    label: String,
    /// Number of different values.
    values: usize,
    /// The values that most series have.
    top: Vec<LabelValue>,
}

#[derive(Debug, Serialize)]
struct LabelValue {
    value: String,
    series: usize,
}

#[derive(Debug, Serialize)]
struct Top {
    series: String,
    count: f64,
    /// Per second; only with two looks.
    rate: Option<f64>,
}

impl Description {
    /// Describes series as they are now, and how they changed.
    pub(crate) fn of(now: &Values, before: Option<(&Values, Duration)>, top: usize) -> Self {
        let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
        let mut labels: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
        for series in now.keys() {
            *metrics.entry(&series.metric).or_default() += 1;
            for (name, value) in &series.labels {
                let values = labels.entry((&series.metric, name)).or_default();
                *values.entry(value).or_default() += 1;
            }
        }
        let metric =
            |(metric, series): (&str, usize)| MetricOf { metric: metric.to_owned(), series };
        let mut metrics: Vec<MetricOf> = metrics.into_iter().map(metric).collect();
        metrics.sort_by_key(|metric| std::cmp::Reverse(metric.series));
        let mut labels: Vec<LabelOf> = labels
            .into_iter()
            .map(|((metric, label), values)| LabelOf {
                metric: metric.to_owned(),
                label: label.to_owned(),
                values: values.len(),
                top: most_used(values, top.min(3)),
            })
            .collect();
        labels.sort_by_key(|label| std::cmp::Reverse(label.values));
        Self { metrics, labels, top: largest(now, before, top) }
    }

    /// For people.
    pub(crate) fn render(&self) -> String {
        let mut metrics = Table::new(&["metric", ">series"]);
        for metric in &self.metrics {
            metrics.row([&metric.metric, &metric.series.to_string()]);
        }
        let mut labels = Table::new(&["metric", "label", ">values", "in most series"]);
        for label in &self.labels {
            let top = label.top.iter().map(|v| format!("{} ({})", v.value, v.series));
            let top = top.collect::<Vec<_>>().join(", ");
            labels.row([&label.metric, &label.label, &label.values.to_string(), &top]);
        }
        let mut series = Table::new(&[">count", ">per second", "series"]);
        for top in &self.top {
            let rate = top.rate.map_or("-".to_owned(), |rate| format!("{rate:.2}"));
            series.row([&top.count.to_string(), &rate, &top.series]);
        }
        format!("{}\n{}\n{}", metrics.render(), labels.render(), series.render())
    }
}

fn most_used(values: BTreeMap<&str, usize>, top: usize) -> Vec<LabelValue> {
    let value = |(value, series): (&str, usize)| LabelValue { value: value.to_owned(), series };
    let mut values: Vec<LabelValue> = values.into_iter().map(value).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.series));
    values.truncate(top);
    values
}

fn largest(now: &Values, before: Option<(&Values, Duration)>, top: usize) -> Vec<Top> {
    let rate = |series, count: f64| {
        let (before, elapsed) = before?;
        let gained = count - before.get(series).copied().unwrap_or(0.0);
        Some(gained / elapsed.as_secs_f64().max(f64::MIN_POSITIVE))
    };
    let mut all: Vec<Top> = now
        .iter()
        .map(|(series, count)| Top {
            series: series.written(),
            count: *count,
            rate: rate(series, *count),
        })
        .collect();
    let order = |top: &Top| top.rate.unwrap_or(top.count);
    all.sort_by(|a, b| order(b).total_cmp(&order(a)).then_with(|| a.series.cmp(&b.series)));
    all.truncate(top);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Named;

    fn values(all: &[(&str, &str, f64)]) -> Values {
        let named = |metric: &str, host: &str| Named {
            metric: metric.to_owned(),
            labels: vec![("host".to_owned(), host.to_owned())],
        };
        all.iter().map(|(metric, host, n)| (named(metric, host), *n)).collect()
    }

    #[test]
    fn the_largest_come_first() {
        let now = values(&[("a", "x", 5.0), ("a", "y", 9.0), ("b", "x", 7.0)]);
        let by_count = Description::of(&now, None, 2);
        assert_eq!(by_count.top.iter().map(|t| t.count).collect::<Vec<_>>(), [9.0, 7.0]);
        assert_eq!((by_count.metrics[0].metric.as_str(), by_count.metrics[0].series), ("a", 2));
        assert_eq!((by_count.labels[0].metric.as_str(), by_count.labels[0].values), ("a", 2));
        let before = values(&[("a", "x", 1.0), ("a", "y", 9.0)]);
        let by_rate = Description::of(&now, Some((&before, Duration::from_secs(2))), 3);
        let rates: Vec<_> = by_rate.top.iter().filter_map(|t| t.rate).collect();
        assert_eq!(rates, [3.5, 2.0, 0.0]);
        assert!(by_rate.render().contains("3.50"));
    }
}
