//! What each rule says about a line by itself: the series, or why there is none. Compiles parts of a
//! rule to find the one that says no.

use std::fmt::Write as _;

use logtally_config::InputSpec;
use logtally_core::names::HistogramSuffix;
use logtally_core::rule::Reject;
use logtally_core::series::Amount;
use logtally_rules::RuleSet;
use logtally_rules::spec::{LabelSource, Measure, RuleSpec};
use serde::Serialize;

use super::line::{Line, Parsed};
use crate::page;
use crate::series::page_of;

/// What a rule says.
#[derive(Serialize)]
pub(super) struct RuleSays {
    /// The metric.
    metric: String,
    /// `taken`, `not_taken` or `rejected`.
    outcome: &'static str,
    /// Why it is not taken.
    why: Option<String>,
    /// What one such record adds to a page that was empty.
    series: Vec<SeriesSays>,
}

#[derive(Serialize)]
struct SeriesSays {
    series: String,
    value: String,
}

impl RuleSays {
    /// For people.
    pub(crate) fn render(&self) -> String {
        let mut text = format!("rule    {}: {}", self.metric, self.outcome.replace('_', " "));
        if let Some(why) = &self.why {
            // Writing to a string does not fail.
            let _ = write!(text, ": {why}");
        }
        text.push('\n');
        for SeriesSays { series, value } in &self.series {
            let _ = writeln!(text, "  {series} {value}");
        }
        text
    }
}

/// Asks every rule of the input.
pub(super) async fn explain(spec: &InputSpec, line: &Line) -> anyhow::Result<Vec<RuleSays>> {
    let mut all = Vec::new();
    if !matches!(line.parsed, Parsed::Record) {
        return Ok(all);
    }
    for rule in &spec.rules {
        let metric = rule.metric.clone();
        let says = |outcome, why| RuleSays { metric, outcome, why, series: Vec::new() };
        all.push(match evaluate(rule, line) {
            Ok(Some(())) => RuleSays { series: series(rule, line).await?, ..says("taken", None) },
            Ok(None) => says("not_taken", Some(why_not(rule, line))),
            Err(reason) => says("rejected", Some(why_rejected(rule, line, reason))),
        });
    }
    Ok(all)
}

fn compile(rule: &RuleSpec) -> Option<RuleSet> {
    RuleSet::compile(std::slice::from_ref(rule)).ok()
}

/// Whether the rule by itself takes the line.
fn evaluate(rule: &RuleSpec, line: &Line) -> Result<Option<()>, Reject> {
    let Some(rules) = compile(rule) else { return Ok(None) };
    Ok((!line.evaluate(&rules)?.is_empty()).then_some(()))
}

async fn series(rule: &RuleSpec, line: &Line) -> anyhow::Result<Vec<SeriesSays>> {
    let Some(rules) = compile(rule) else { return Ok(Vec::new()) };
    let Ok(hits) = line.evaluate(&rules) else { return Ok(Vec::new()) };
    let amounts = hits.iter().map(|(hit, key)| (key, Amount { count: 1, value: hit.value }));
    let page = page_of(rules.rules().iter().map(|rule| &*rule.family), amounts).await?;
    let samples = page::parse(&page)?.samples.into_iter();
    let own = samples.filter(|s| !s.metric.starts_with("logtally_"));
    // Buckets below the value are 0, and say nothing.
    let told = own.filter(|s| s.value != "0" || !is_bucket(&s.metric));
    Ok(told.map(|s| SeriesSays { series: s.series(), value: s.value }).collect())
}

fn is_bucket(sample: &str) -> bool {
    matches!(HistogramSuffix::split(sample), Some((_, HistogramSuffix::Bucket)))
}

fn why_not(rule: &RuleSpec, line: &Line) -> String {
    let unconditional = RuleSpec { when: None, ..rule.clone() };
    if rule.when.is_some() && !matches!(evaluate(&unconditional, line), Ok(None)) {
        return "its condition does not hold".to_owned();
    }
    let kept = RuleSpec { relabel: Vec::new(), ..unconditional };
    if !rule.relabel.is_empty() && !matches!(evaluate(&kept, line), Ok(None)) {
        return "relabelling drops it".to_owned();
    }
    match culprit(&kept, line, |result| matches!(result, Ok(None))) {
        Some(part) => format!("{part} is missing or invalid, and then the rule skips the record"),
        None => "a value is missing or invalid, and then the rule skips the record".to_owned(),
    }
}

fn why_rejected(rule: &RuleSpec, line: &Line, reason: Reject) -> String {
    let rule = RuleSpec { when: None, relabel: Vec::new(), ..rule.clone() };
    let reason = reason.as_str();
    match culprit(&rule, line, Result::is_err) {
        Some(part) => format!("{reason} ({part})"),
        None => reason.to_owned(),
    }
}

/// The label, or else the value, with which the rule alone has this result.
fn culprit(
    rule: &RuleSpec,
    line: &Line,
    is_it: impl Fn(&Result<Option<()>, Reject>) -> bool,
) -> Option<String> {
    for label in &rule.labels {
        let labels = vec![label.clone()];
        let only = RuleSpec { labels, measure: Measure::Counter, ..rule.clone() };
        let only = RuleSpec { tenant: None, ..only };
        if is_it(&evaluate(&only, line)) {
            return Some(match &label.from {
                LabelSource::Column(column) if line.lacks(column) => {
                    format!("label {}: the line has no {column:?}", label.name)
                }
                LabelSource::Column(column) => format!("label {}, from {column:?}", label.name),
                _ => format!("label {}", label.name),
            });
        }
    }
    let unlabelled = RuleSpec { labels: Vec::new(), tenant: None, ..rule.clone() };
    is_it(&evaluate(&unlabelled, line)).then(|| match value_column(&rule.measure) {
        Some(column) if line.lacks(column) => format!("the value: the line has no {column:?}"),
        Some(column) => format!("the value, from {column:?}"),
        None => "the value".to_owned(),
    })
}

fn value_column(measure: &Measure) -> Option<&str> {
    match measure {
        Measure::Counter | Measure::Gauge => None,
        Measure::SumCounter(value)
        | Measure::SumGauge(value)
        | Measure::Min(value)
        | Measure::Max(value)
        | Measure::Histogram { value, .. }
        | Measure::Last { value, .. } => Some(&value.column),
    }
}
