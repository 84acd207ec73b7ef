//! Histograms: from cumulative buckets to rows that count the observations of one bucket each.
//!
//! The bounds are part of the family: the same metric with other bounds is another family, and a page
//! shows the bounds that all of them have. Must never accept buckets that contradict each other: what
//! was added once cannot be taken back.

use std::collections::HashMap;

use logtally_core::decimal::Decimal;
use logtally_core::limits::BUCKETS_MAX;
use logtally_core::names::{BUCKET_LABEL, HistogramSuffix};
use logtally_core::series::{Amount, Kind, SeriesKey, Value};

use crate::error::{ExpositionError, LineProblem};
use crate::metrics::{Metric, SampleLine};
use crate::number::{self, Bound};
use crate::sample::{decimal, observations};
use crate::table::{LabelSet, Refusal, SeriesTable, Shapes};
use crate::text::Sample;

/// What is pushed of one label set.
#[derive(Default)]
struct Parts {
    /// The line of its first sample.
    line: usize,
    /// Bounds with the observations up to them, ascending.
    buckets: Vec<(Bound, u64)>,
    sum: Option<(usize, Decimal)>,
    count: Option<(usize, u64)>,
}

/// Adds all series of a histogram. One without observations makes none.
pub(crate) fn add_histogram(
    table: &mut SeriesTable<'_>,
    metric: &Metric<'_>,
) -> Result<(), ExpositionError> {
    let mut shapes = Shapes::new(metric.name, metric.help(), Kind::Histogram);
    for (own, parts) in gather(table, metric)? {
        let counted = parts.check(metric.name)?;
        let labels = table.with_group(&own);
        add_series(table, &mut shapes, &labels, &counted).map_err(|e| e.at(parts.line))?;
    }
    Ok(())
}

/// The series of a histogram by their own labels, in the order of their first samples.
fn gather<'s>(
    table: &SeriesTable<'_>,
    metric: &'s Metric<'_>,
) -> Result<Vec<(LabelSet<'s>, Parts)>, ExpositionError> {
    let mut index: HashMap<LabelSet<'s>, usize> = HashMap::new();
    let mut series: Vec<(LabelSet<'s>, Parts)> = Vec::new();
    for SampleLine { line, sample } in &metric.samples {
        let own = sample.labels.iter().map(|(name, value)| (*name, &**value));
        let labels = table.own_labels(own.filter(|(name, _)| *name != BUCKET_LABEL));
        let at = *index.entry(labels).or_insert_with_key(|labels| {
            series.push((labels.clone(), Parts { line: *line, ..Parts::default() }));
            series.len() - 1
        });
        let parts = &mut series[at].1;
        parts.take(metric, *line, sample).map_err(|problem| problem.at(*line))?;
    }
    Ok(series)
}

impl Parts {
    fn take(
        &mut self,
        metric: &Metric<'_>,
        line: usize,
        sample: &Sample<'_>,
    ) -> Result<(), LineProblem> {
        let name = metric.name;
        let le = sample
            .labels
            .iter()
            .find(|(label, _)| *label == BUCKET_LABEL)
            .map(|(_, value)| &**value);
        let before = match (metric.suffix_of(sample), le) {
            (Some(HistogramSuffix::Bucket), Some(le)) => {
                return self.take_bucket(name, le, observations(sample)?);
            }
            (Some(HistogramSuffix::Bucket), None) => {
                return Err(LineProblem::NoBound(name.to_owned()));
            }
            (Some(HistogramSuffix::Sum | HistogramSuffix::Count), Some(_)) => {
                return Err(LineProblem::StrayBound(sample.name.to_owned()));
            }
            (Some(HistogramSuffix::Sum), None) => {
                self.sum.replace((line, decimal(sample)?)).is_some()
            }
            (Some(HistogramSuffix::Count), None) => {
                self.count.replace((line, observations(sample)?)).is_some()
            }
            (None, _) => return Err(LineProblem::NotOfHistogram(name.to_owned())),
        };
        if before { Err(LineProblem::SeriesTwice(sample.name.to_owned())) } else { Ok(()) }
    }

    fn take_bucket(&mut self, name: &str, le: &str, count: u64) -> Result<(), LineProblem> {
        let own = || name.to_owned();
        let bound = number::bound(le).map_err(|error| LineProblem::Bound { name: own(), error })?;
        if let Some((before, below)) = self.buckets.last() {
            if bound <= *before {
                return Err(LineProblem::BoundOrder(own()));
            }
            if count < *below {
                return Err(LineProblem::NotCumulative(own()));
            }
        }
        if self.buckets.len() == BUCKETS_MAX && bound != Bound::Infinite {
            return Err(LineProblem::TooManyBuckets(own()));
        }
        self.buckets.push((bound, count));
        Ok(())
    }

    /// What is counted, if all parts are there and agree.
    fn check(&self, name: &str) -> Result<Counted, ExpositionError> {
        let own = || name.to_owned();
        let without = |missing| LineProblem::Incomplete { name: own(), missing }.at(self.line);
        let Some((Bound::Infinite, infinite)) = self.buckets.last().copied() else {
            return Err(without("_bucket{le=\"+Inf\"}"));
        };
        let (sum_line, sum) = self.sum.ok_or_else(|| without("_sum"))?;
        let (count_line, count) = self.count.ok_or_else(|| without("_count"))?;
        if infinite != count {
            return Err(LineProblem::CountDiffers { name: own(), infinite, count }.at(count_line));
        }
        if count == 0 && sum != Decimal::ZERO {
            return Err(LineProblem::SumOfNothing(own()).at(sum_line));
        }
        Ok(Counted::new(&self.buckets, sum))
    }
}

/// What one label set counts.
struct Counted {
    /// All finite bounds.
    bounds: Vec<String>,
    /// Buckets with observations, and how many.
    rows: Vec<(String, u64)>,
    sum: Decimal,
}

impl Counted {
    fn new(buckets: &[(Bound, u64)], sum: Decimal) -> Self {
        let (mut bounds, mut rows, mut below) = (Vec::new(), Vec::new(), 0);
        for (bound, up_to) in buckets {
            let name = match bound {
                Bound::Finite(value) => {
                    bounds.push(value.to_string());
                    value.to_string()
                }
                Bound::Infinite => "+Inf".to_owned(),
            };
            if *up_to > below {
                rows.push((name, up_to - below));
            }
            below = *up_to;
        }
        Self { bounds, rows, sum }
    }
}

fn add_series(
    table: &mut SeriesTable<'_>,
    shapes: &mut Shapes<'_>,
    labels: &LabelSet<'_>,
    counted: &Counted,
) -> Result<(), Refusal> {
    if counted.rows.is_empty() {
        return Ok(());
    }
    let id = table.family(shapes, labels, &counted.bounds)?;
    for (at, (le, count)) in counted.rows.iter().enumerate() {
        let values = labels.iter().map(|(_, value)| *value).chain([le.as_str()]);
        // A page adds up the sums of all buckets, so it does not matter which one has it.
        let sum = if at == 0 { counted.sum } else { Decimal::ZERO };
        let amount = Amount { count: *count, value: Value::Sum(sum) };
        table.add_row(SeriesKey::new(id, values), amount)?;
    }
    Ok(())
}
