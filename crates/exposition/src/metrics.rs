//! The metrics of a body: which sample belongs to which of them.
//!
//! Must never look at labels and values.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use logtally_core::names::HistogramSuffix;

use crate::error::{ExpositionError, LineProblem};
use crate::stamp;
use crate::text::{Line, Lines, Sample, Type};

/// A metric, and what is said of it.
pub(crate) struct Metric<'a> {
    pub name: &'a str,
    /// The first line that names it.
    pub line: usize,
    help: Option<Cow<'a, str>>,
    declared: Option<Type>,
    pub samples: Vec<SampleLine<'a>>,
}

/// A sample with its line.
pub(crate) struct SampleLine<'a> {
    pub line: usize,
    pub sample: Sample<'a>,
}

impl Metric<'_> {
    /// Its type.
    pub(crate) fn kind(&self) -> Type {
        self.declared.unwrap_or(Type::Untyped)
    }

    /// What the name of one of its samples adds to its own.
    pub(crate) fn suffix_of(&self, sample: &Sample<'_>) -> Option<HistogramSuffix> {
        let rest = sample.name.strip_prefix(self.name)?;
        HistogramSuffix::ALL.into_iter().find(|suffix| suffix.as_str() == rest)
    }

    /// Its help, empty if nothing says it.
    pub(crate) fn help(&self) -> &str {
        self.help.as_deref().unwrap_or_default()
    }
}

/// The metrics of a body that have samples, in the order in which they are named first.
pub(crate) fn collect(body: &[u8]) -> Result<Vec<Metric<'_>>, ExpositionError> {
    let mut metrics = Metrics::default();
    for (line, content) in Lines::new(body) {
        let content = content.map_err(|e| LineProblem::from(e).at(line))?;
        metrics.take(line, content).map_err(|problem| problem.at(line))?;
    }
    let mut metrics = metrics.all;
    metrics.retain(|metric| !metric.samples.is_empty());
    check_names(&metrics)?;
    Ok(metrics)
}

#[derive(Default)]
struct Metrics<'a> {
    all: Vec<Metric<'a>>,
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Metrics<'a> {
    fn take(&mut self, line: usize, content: Line<'a>) -> Result<(), LineProblem> {
        match content {
            Line::Help(name, help) => {
                let metric = self.named(name, line)?;
                if metric.help.replace(help).is_some() {
                    return Err(LineProblem::HelpTwice(name.to_owned()));
                }
            }
            Line::Type(name, kind) => {
                let metric = self.named(name, line)?;
                if !metric.samples.is_empty() {
                    return Err(LineProblem::TypeLate(name.to_owned()));
                }
                if metric.declared.replace(kind).is_some() {
                    return Err(LineProblem::TypeTwice(name.to_owned()));
                }
            }
            Line::Sample(sample) => {
                let owner = self.owner(sample.name);
                self.named(owner, line)?.samples.push(SampleLine { line, sample });
            }
        }
        Ok(())
    }

    fn named(&mut self, name: &'a str, line: usize) -> Result<&mut Metric<'a>, LineProblem> {
        if name.starts_with("logtally_") || stamp::NAMES.contains(&name) {
            return Err(LineProblem::ReservedName(name.to_owned()));
        }
        let next = self.all.len();
        let at = *self.by_name.entry(name).or_insert(next);
        if at == next {
            let (help, declared) = (None, None);
            self.all.push(Metric { name, line, help, declared, samples: Vec::new() });
        }
        Ok(&mut self.all[at])
    }

    /// The name of the metric that a sample belongs to: its own, unless it has a suffix of a histogram
    /// or summary that was declared before.
    fn owner(&self, name: &'a str) -> &'a str {
        if self.by_name.contains_key(name) {
            return name;
        }
        let Some((base, suffix)) = HistogramSuffix::split(name) else { return name };
        let declared = self.by_name.get(base).and_then(|at| self.all[*at].declared);
        match declared {
            Some(kind) if suffixes(kind).contains(&suffix) => base,
            _ => name,
        }
    }
}

/// What the names of the samples of a type end with.
fn suffixes(kind: Type) -> &'static [HistogramSuffix] {
    match kind {
        Type::Histogram => &HistogramSuffix::ALL,
        Type::Summary => &[HistogramSuffix::Sum, HistogramSuffix::Count],
        Type::Counter | Type::Gauge | Type::Untyped => &[],
    }
}

/// No name may stand for two things on a page.
fn check_names(metrics: &[Metric<'_>]) -> Result<(), ExpositionError> {
    let mut taken: HashSet<Cow<'_, str>> =
        metrics.iter().map(|metric| Cow::Borrowed(metric.name)).collect();
    for metric in metrics {
        for suffix in suffixes(metric.kind()) {
            let name = suffix.of(metric.name);
            if !taken.insert(Cow::Owned(name.clone())) {
                return Err(LineProblem::NameTwice { name }.at(metric.line));
            }
        }
    }
    Ok(())
}
