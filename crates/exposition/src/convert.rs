//! What a push counts: an exposition as families and increments.
//!
//! Every push adds: the value of a counter, the observations of a histogram, sum and count of a
//! summary. Gauges, untyped samples and quantiles keep the value that arrived last. A metric is counted
//! as a whole or the push is refused; nothing is left out silently, except quantiles that say that they
//! have no value.
//!
//! Must never depend on what was pushed before.

use logtally_core::names::HistogramSuffix;
use logtally_core::push::Group;
use logtally_core::series::{Amount, Kind, Latest, Value};

use crate::error::{ExpositionError, LineProblem};
use crate::histogram::add_histogram;
use crate::metrics::{Metric, SampleLine, collect};
use crate::number;
use crate::pushed::Pushed;
use crate::sample::{decimal, observations};
use crate::table::{Refusal, SeriesTable, Shapes};
use crate::text::{Sample, Type};

/// What a body counts in a group. Series are hidden `ttl_s` seconds after their last push, with 0 never.
/// `tie` orders the gauges of pushes that are committed together: higher is later.
pub fn convert(
    body: &[u8],
    group: &Group,
    ttl_s: u64,
    tie: u64,
) -> Result<Pushed, ExpositionError> {
    let mut table = SeriesTable::new(group, ttl_s);
    for metric in &collect(body)? {
        match metric.kind() {
            Type::Counter => add_counter(&mut table, metric)?,
            Type::Gauge | Type::Untyped => add_gauge(&mut table, metric, tie)?,
            Type::Histogram => add_histogram(&mut table, metric)?,
            Type::Summary => add_summary(&mut table, metric, tie)?,
        }
    }
    let pushed = table.finish();
    pushed.check_size()?;
    Ok(pushed)
}

/// A counter that is 0 makes its series, so that its first increase is seen as one.
fn add_counter(table: &mut SeriesTable<'_>, metric: &Metric<'_>) -> Result<(), ExpositionError> {
    let mut shapes = Shapes::new(metric.name, metric.help(), Kind::SumCounter);
    for SampleLine { line, sample } in &metric.samples {
        let value = sum(sample).map_err(|problem| problem.at(*line))?;
        add(table, &mut shapes, sample, value).map_err(|refusal| refusal.at(*line))?;
    }
    Ok(())
}

fn add_gauge(
    table: &mut SeriesTable<'_>,
    metric: &Metric<'_>,
    tie: u64,
) -> Result<(), ExpositionError> {
    let mut shapes = Shapes::new(metric.name, metric.help(), Kind::Last);
    for SampleLine { line, sample } in &metric.samples {
        let value = last(sample, tie).map_err(|problem| problem.at(*line))?;
        add(table, &mut shapes, sample, value).map_err(|refusal| refusal.at(*line))?;
    }
    Ok(())
}

/// Quantiles cannot be added up, so they are a gauge with the name of the summary.
fn add_summary(
    table: &mut SeriesTable<'_>,
    metric: &Metric<'_>,
    tie: u64,
) -> Result<(), ExpositionError> {
    let sums = HistogramSuffix::Sum.of(metric.name);
    let counts = HistogramSuffix::Count.of(metric.name);
    let mut quantiles = Shapes::new(metric.name, metric.help(), Kind::Last);
    let mut sums = Shapes::new(sums, metric.help(), Kind::SumCounter);
    let mut counts = Shapes::new(counts, metric.help(), Kind::SumCounter);
    for SampleLine { line, sample } in &metric.samples {
        let (shapes, value) = match metric.suffix_of(sample) {
            Some(HistogramSuffix::Sum) => (&mut sums, sum(sample)),
            Some(HistogramSuffix::Count) => (&mut counts, whole(sample)),
            _ if has_quantile(sample) && number::is_nan(sample.value) => continue,
            _ => (&mut quantiles, quantile(sample, tie)),
        };
        let value = value.map_err(|problem| problem.at(*line))?;
        add(table, shapes, sample, value).map_err(|refusal| refusal.at(*line))?;
    }
    Ok(())
}

fn add(
    table: &mut SeriesTable<'_>,
    shapes: &mut Shapes<'_>,
    sample: &Sample<'_>,
    value: Value,
) -> Result<(), Refusal> {
    let own = table.own_labels(sample.labels.iter().map(|(name, value)| (*name, &**value)));
    let labels = table.with_group(&own);
    table.add(shapes, &labels, Amount { count: 1, value })
}

fn sum(sample: &Sample<'_>) -> Result<Value, LineProblem> {
    let value = decimal(sample)?;
    if value.is_negative() {
        return Err(LineProblem::Negative(sample.name.to_owned()));
    }
    Ok(Value::Sum(value))
}

fn whole(sample: &Sample<'_>) -> Result<Value, LineProblem> {
    observations(sample)?;
    sum(sample)
}

fn last(sample: &Sample<'_>, tie: u64) -> Result<Value, LineProblem> {
    Ok(Value::Last(Latest::arrived(tie, decimal(sample)?)))
}

fn quantile(sample: &Sample<'_>, tie: u64) -> Result<Value, LineProblem> {
    if !has_quantile(sample) {
        return Err(LineProblem::NoQuantile(sample.name.to_owned()));
    }
    last(sample, tie)
}

fn has_quantile(sample: &Sample<'_>) -> bool {
    sample.labels.iter().any(|(name, value)| *name == "quantile" && !value.is_empty())
}

#[cfg(test)]
mod tests;
