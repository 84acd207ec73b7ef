//! Whether the rules that feed one metric agree about it. Changes only what has no say: a help line
//! that is not given, and the order of labels.

use std::collections::BTreeMap;
use std::mem::discriminant;

use logtally_core::names::HistogramSuffix;
use logtally_rules::spec::{LabelSpec, Measure, RuleSpec};

use crate::diagnostic::{Diagnostic, Location};
use crate::positions::Positions;
use crate::spec::InputSpec;

/// The first rule of a metric.
struct FirstRule {
    rule: RuleSpec,
    place: Location,
    input: String,
}

/// Compares each rule with the first one of its metric, and completes help lines.
pub(crate) fn check(inputs: &mut [InputSpec], positions: &Positions) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut first: BTreeMap<String, FirstRule> = BTreeMap::new();
    complete_help(inputs);
    for (i, input) in inputs.iter_mut().enumerate() {
        for (r, rule) in input.rules.iter_mut().enumerate() {
            let at = |field: &str| positions.of(i, Some(r), field);
            let Some(FirstRule { rule: known, place, input: other }) = first.get(&rule.metric)
            else {
                let (rule, input) = (rule.clone(), input.name.clone());
                first.insert(rule.metric.clone(), FirstRule { place: at("metric"), rule, input });
                continue;
            };
            if let Some((field, message, help)) = conflict(known, rule) {
                let whose = if at("metric") == *place {
                    format!("in the input `{other}`")
                } else {
                    format!("at {place}")
                };
                let message = format!("`{}` {whose} {message}", rule.metric);
                found.push(Diagnostic { location: at(field), message, help: Some(help) });
            }
            let order = |label: &LabelSpec| known.labels.iter().position(|l| l.name == label.name);
            rule.labels.sort_by_key(order);
        }
    }
    found.extend(suffixes(&first));
    found
}

/// A rule without help takes that of its metric, from wherever it is given.
fn complete_help(inputs: &mut [InputSpec]) {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    for rule in inputs.iter().flat_map(|input| &input.rules).filter(|r| !r.help.is_empty()) {
        helps.entry(rule.metric.clone()).or_insert_with(|| rule.help.clone());
    }
    for rule in inputs.iter_mut().flat_map(|input| &mut input.rules).filter(|r| r.help.is_empty()) {
        rule.help = helps.get(&rule.metric).cloned().unwrap_or_else(|| default_help(rule));
    }
}

fn default_help(rule: &RuleSpec) -> String {
    match &rule.measure {
        Measure::Counter | Measure::Gauge => "Number of records".into(),
        Measure::SumCounter(value) | Measure::SumGauge(value) => format!("Sum of {}", value.column),
        Measure::Histogram { value, .. } => format!("Distribution of {}", value.column),
        Measure::Min(value) => format!("Smallest {}", value.column),
        Measure::Max(value) => format!("Largest {}", value.column),
        Measure::Last { value, .. } => format!("Latest {}", value.column),
    }
}

fn conflict(known: &RuleSpec, rule: &RuleSpec) -> Option<(&'static str, String, String)> {
    if discriminant(&known.measure) != discriminant(&rule.measure) {
        return Some((
            "type",
            "has another type".into(),
            "give both the same, or rename one".into(),
        ));
    }
    if let (Measure::Histogram { buckets: a, .. }, Measure::Histogram { buckets: b, .. }) =
        (&known.measure, &rule.measure)
        && a != b
    {
        return Some(("buckets", "has other buckets".into(), format!("write [{}]", a.join(", "))));
    }
    let (a, b) = (names(known), names(rule));
    if a != b {
        let help = "give both the same labels, or rename one; labels of inputs count as well";
        let message = format!("has the labels {}; here they are {}", described(&a), described(&b));
        return Some(("labels", message, help.into()));
    }
    (known.help != rule.help).then(|| {
        ("help", "has another help".into(), format!("write '{}', or leave it out", known.help))
    })
}

fn described(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn names(rule: &RuleSpec) -> Vec<&str> {
    let mut names: Vec<_> = rule.labels.iter().map(|label| label.name.as_str()).collect();
    names.sort_unstable();
    names
}

/// A histogram has series with endings of their own, which no other metric may be called.
fn suffixes(metrics: &BTreeMap<String, FirstRule>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (name, FirstRule { rule, place, .. }) in metrics {
        if !matches!(rule.measure, Measure::Histogram { .. }) {
            continue;
        }
        for suffix in HistogramSuffix::ALL {
            if let Some(other) = metrics.get(&suffix.of(name)) {
                let message =
                    format!("the histogram `{name}` at {place} has series with this name");
                let help = Some("rename one of them".to_owned());
                found.push(Diagnostic { location: other.place.clone(), message, help });
            }
        }
    }
    found
}
