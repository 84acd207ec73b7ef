//! Rules: from the configuration's words to a [`RuleSpec`]. Looks at one rule at a time; whether
//! several agree is decided in [`crate::agree`].

use logtally_rules::spec::{Invalid, Relabel};
use logtally_rules::spec::{LabelSpec, Measure, RuleSpec, TenantSpec, ValueSpec};

use crate::reader::Object;
use crate::scope::Scope;
use crate::shape::{self, TYPES};
use crate::suggest::propose;
use crate::tree::{Node, Value};
use crate::{labels, names, relabel, times, when};

/// Types of metrics that need a value.
const VALUED: [&str; 5] = ["sum", "histogram", "min", "max", "last"];

/// The default rule with the labels of an input.
pub(crate) fn default_with(scope: &Scope) -> RuleSpec {
    let mut rule = RuleSpec::default_rule();
    labels::inherit(scope, &mut rule.labels);
    rule
}

/// Reads a rule. `None` if it is so wrong that nothing can be said of it.
pub(crate) fn read(scope: &Scope, node: &Node) -> Option<RuleSpec> {
    let rule = scope.reader.object(node, "rule", &shape::RULE)?;
    let metric = rule.text("metric").unwrap_or_default();
    if !metric.is_empty()
        && let Err((message, help)) = names::metric(&metric)
    {
        rule.error("metric", message, help);
    }
    let kind = kind(rule, &metric);
    let measure = measure(scope, rule, kind, &metric);
    let labels = labels::read(scope, rule, kind == "histogram");
    let relabel = relabel::read(rule);
    Some(RuleSpec {
        help: rule.text("help").unwrap_or_default(),
        when: rule.get("when").and_then(|node| when::read(scope.reader, node)),
        series_max: rule.count("limit"),
        tenant: tenant(rule, &labels, &relabel),
        ttl: rule.get("ttl").and_then(|node| scope.reader.duration(node, "ttl")),
        backfill: rule.flag("backfill"),
        measure: measure?,
        metric,
        labels,
        relabel,
    })
}

fn kind(rule: Object, metric: &str) -> &'static str {
    let total = metric.ends_with("_total");
    let kind = match rule.get("type") {
        Some(_) => rule.word("type", TYPES),
        None => Some(if total { "counter" } else { "gauge" }),
    };
    if kind == Some("counter") && !total && !metric.is_empty() {
        let help = format!("call it `{metric}_total` or use `type: gauge`");
        rule.error("metric", "the name of a counter must end in _total", help);
    }
    if total && matches!(kind, Some("gauge" | "min" | "max" | "last" | "histogram")) {
        let at = rule.mark("metric");
        rule.reader.warn(at, "_total is the ending of counters", "call it something else");
    }
    kind.unwrap_or("")
}

fn measure(scope: &Scope, rule: Object, kind: &'static str, metric: &str) -> Option<Measure> {
    check_fields(rule, kind);
    let value = rule.get("value").and_then(|node| value(scope, node));
    let buckets = rule.get("buckets").map(|node| buckets(rule, node));
    let time = rule.get("time").and_then(|node| times::read(scope, node));
    Some(match kind {
        "counter" => Measure::Counter,
        "gauge" => Measure::Gauge,
        "sum" if metric.ends_with("_total") => Measure::SumCounter(value?),
        "sum" => Measure::SumGauge(value?),
        "histogram" => Measure::Histogram { value: value?, buckets: buckets? },
        "min" => Measure::Min(value?),
        "max" => Measure::Max(value?),
        "last" => Measure::Last { value: value?, time: time? },
        _ => return None,
    })
}

/// Which types need `value`, `buckets` and `time`.
fn check_fields(rule: Object, kind: &str) {
    let takers: [(&str, &[&str], &str); 3] = [
        ("value", &VALUED, "the column with the number"),
        ("buckets", &["histogram"], "the upper bounds, e.g. [0.1, 0.5, 1]"),
        ("time", &["last"], "the column with the record's time"),
    ];
    for (field, types, about) in takers {
        let given = rule.get(field).is_some();
        let taken = types.contains(&kind);
        if taken && !given {
            let message = format!("the type {kind} needs `{field}`");
            rule.reader.error(rule.node.mark, message, format!("add `{field}:`, {about}"));
        } else if given && !taken && !kind.is_empty() {
            let types = crate::suggest::one_of(types);
            let help = format!("remove it, or use the type {types}");
            rule.error(field, format!("the type {kind} takes no `{field}`"), help);
        }
    }
}

fn value(scope: &Scope, node: &Node) -> Option<ValueSpec> {
    if let Value::Text(column) = &node.value {
        scope.check_column(column, node.mark);
        let column = column.clone();
        return Some(ValueSpec { column, scale: None, invalid: Invalid::Reject });
    }
    let object = scope.reader.object(node, "value", &shape::VALUE_MAP)?;
    let invalid = labels::fallback(object, "invalid", true);
    let column = object.scalar("column")?;
    if invalid == Invalid::Reject {
        scope.check_column(&column, object.mark("column"));
    }
    Some(ValueSpec { column, scale: object.decimal("scale"), invalid })
}

fn buckets(rule: Object, node: &Node) -> Vec<String> {
    let items = rule.reader.items(node, "buckets");
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        rule.error("buckets", "`buckets` names no bound", "write e.g. [0.1, 0.5, 1]");
    }
    let mut before = f64::NEG_INFINITY;
    let mut bounds = Vec::new();
    for item in items {
        if item
            .scalar()
            .is_some_and(|text| text.to_lowercase().trim_start_matches(['+', '.']) == "inf")
        {
            rule.reader.error(item.mark, "`buckets` has +Inf always", "remove it");
            continue;
        }
        let Some(bound) = rule.reader.decimal(item, "buckets") else { continue };
        // Which bound is larger is told exactly enough: bounds that are equal as doubles have the
        // same `le` for Prometheus.
        let number = bound.parse::<f64>().unwrap_or(f64::INFINITY);
        if number.is_infinite() {
            rule.reader.error(item.mark, format!("the bound {bound} is too large"), "remove it");
        } else if number <= before {
            let help = "each bound must be larger than the one before";
            rule.reader.error(item.mark, format!("the bound {bound} is not ascending"), help);
        }
        before = number;
        bounds.push(bound);
    }
    bounds
}

fn tenant(rule: Object, labels: &[LabelSpec], relabel: &[Relabel]) -> Option<TenantSpec> {
    let object = rule.reader.object(rule.get("limit_per")?, "limit_per", &shape::LIMIT_PER)?;
    let label = object.text("label");
    let series_max = object.count("series");
    let label = label?;
    let mut names: Vec<_> = labels.iter().map(|label| label.name.as_str()).collect();
    names.extend(relabel.iter().map(|step| step.target_label.as_str()).filter(|n| !n.is_empty()));
    if !names.contains(&label.as_str()) {
        let help = propose(&label, &names, "labels of this rule");
        object.error("label", format!("the rule has no label `{label}`"), help);
    }
    Some(TenantSpec { label, series_max: series_max? })
}
