//! Labels: where their values come from, and what is done to them, in one fixed order. Never compiles
//! what it reads.

use logtally_core::limits::{LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use logtally_core::names::BUCKET_LABEL;
use logtally_rules::spec::{Invalid, LabelSource, LabelSpec, LabelStep};

use crate::diagnostic::Mark;
use crate::names;
use crate::reader::{Object, one_or_more};
use crate::regexes::{expression, template};
use crate::scope::Scope;
use crate::shape;
use crate::suggest::propose;
use crate::tree::{Node, Value};

/// All labels of a rule: its own, then those of its input that it does not set.
pub(crate) fn read(scope: &Scope, rule: Object, histogram: bool) -> Vec<LabelSpec> {
    let mut labels = Vec::new();
    if let Some(node) = rule.get("labels") {
        own(scope, node, &mut labels);
    }
    inherit(scope, &mut labels);
    if histogram && labels.iter().any(|label| label.name == BUCKET_LABEL) {
        rule.error(
            "labels",
            "a histogram has the label `le` already",
            "call the label something else",
        );
    }
    if labels.len() > LABELS_MAX {
        let message = format!("{} labels, but a metric may have {LABELS_MAX}", labels.len());
        rule.error("labels", message, "remove some; labels of the input count as well");
    }
    labels
}

/// Adds the labels of the input that are not there.
pub(crate) fn inherit(scope: &Scope, labels: &mut Vec<LabelSpec>) {
    let Some(node) = scope.labels else { return };
    for (name, mark, node) in scope.reader.entries(node, "labels") {
        if labels.iter().all(|label| label.name != name) {
            check_name(scope, name, mark);
            labels.extend(input_label(scope, name, node));
        }
    }
}

fn own(scope: &Scope, node: &Node, labels: &mut Vec<LabelSpec>) {
    if let Value::Map(_) = &node.value {
        for (name, mark, node) in scope.reader.entries(node, "labels") {
            check_name(scope, name, mark);
            labels.extend(label(scope, name, node));
        }
        return;
    }
    let Value::List(items) = &node.value else {
        let message = format!("`labels` must be a list or a map, not {}", node.describe());
        scope.reader.error(node.mark, message, "write [host, job_name], or {host: host}");
        return;
    };
    for item in items {
        let Some(name) = scope.reader.text(item, "labels") else { continue };
        if labels.iter().any(|label| label.name == name) {
            scope.reader.error(
                item.mark,
                format!("the label `{name}` stands there twice"),
                "remove one",
            );
            continue;
        }
        check_name(scope, &name, item.mark);
        scope.check_column(&name, item.mark);
        labels.push(plain(&name, LabelSource::Column(name.clone())));
    }
}

fn check_name(scope: &Scope, name: &str, mark: Mark) {
    if let Err((message, help)) = names::label(name) {
        scope.reader.error(mark, message, help);
    }
    if ["job", "instance"].contains(&name) {
        let message = format!("Prometheus sets the label `{name}` for every target");
        scope.reader.warn(mark, message, format!("it will appear as `exported_{name}` unless the scrape has honor_labels: true; call it something else"));
    }
}

fn plain(name: &str, from: LabelSource) -> LabelSpec {
    LabelSpec { from, ..LabelSpec::column(name) }
}

/// A label of an input: a text is a constant.
fn input_label(scope: &Scope, name: &str, node: &Node) -> Option<LabelSpec> {
    match node.scalar() {
        Some(text) => Some(plain(name, LabelSource::Constant(text))),
        None => long(scope, name, node),
    }
}

/// A label of a rule: a text is a column.
fn label(scope: &Scope, name: &str, node: &Node) -> Option<LabelSpec> {
    match &node.value {
        Value::Text(column) => {
            scope.check_column(column, node.mark);
            Some(plain(name, LabelSource::Column(column.clone())))
        }
        Value::Bool(_) | Value::Number(_) => {
            let text = node.scalar().unwrap_or_default();
            let message =
                format!("`labels.{name}` must be a text or a map, not {}", node.describe());
            let help = format!("for a column write '{text}', for a constant {{value: {text}}}");
            scope.reader.error(node.mark, message, help);
            None
        }
        _ => long(scope, name, node),
    }
}

fn long(scope: &Scope, name: &str, node: &Node) -> Option<LabelSpec> {
    let what = format!("labels.{name}");
    let object = scope.reader.object(node, &what, &shape::LABEL)?;
    let missing = fallback(object, "missing", false);
    let from = source(scope, object, &missing)?;
    let steps = steps(scope, object);
    if let LabelSource::Constant(_) = from
        && !steps.is_empty()
    {
        object.error("value", "a constant needs no steps", "write the text as it shall be");
    }
    Some(LabelSpec {
        name: name.to_owned(),
        from,
        steps,
        missing,
        invalid: fallback(object, "invalid", false),
        length_max: length(object),
        truncate: object.flag("truncate"),
    })
}

fn length(object: Object) -> Option<usize> {
    let length = object.count("max_length")? as usize;
    if length > LABEL_VALUE_BYTES_MAX {
        let message = format!("`max_length` must be {LABEL_VALUE_BYTES_MAX} at most");
        object.error("max_length", message, "remove it for that length");
    }
    Some(length)
}

fn source(scope: &Scope, object: Object, missing: &Invalid) -> Option<LabelSource> {
    const SOURCES: [&str; 3] = ["column", "value", "path"];
    let given: Vec<_> = SOURCES.into_iter().filter(|name| object.get(name).is_some()).collect();
    let [one] = given[..] else {
        let message = format!("`{}` needs one of column, value and path", object.what);
        object.reader.error(object.node.mark, message, "the label's value comes from one place");
        return None;
    };
    match one {
        "column" => {
            let column = object.scalar("column")?;
            if *missing == Invalid::Reject {
                scope.check_column(&column, object.mark("column"));
            }
            Some(LabelSource::Column(column))
        }
        "value" => object.scalar("value").map(LabelSource::Constant),
        _ => {
            let name = object.text("path")?;
            scope.check_placeholder(&name, object.mark("path"), *missing == Invalid::Reject);
            Some(LabelSource::Path(name))
        }
    }
}

/// The steps in their fixed order, whatever the order in the file.
fn steps(scope: &Scope, object: Object) -> Vec<LabelStep> {
    let mut steps = Vec::new();
    let (lower, upper) = (object.flag("lower"), object.flag("upper"));
    if lower && upper {
        object.error("upper", "`lower` and `upper` exclude each other", "remove one");
    }
    steps.extend(object.flag("trim").then_some(LabelStep::Trim));
    steps.extend(lower.then_some(LabelStep::Lower));
    steps.extend(upper.then_some(LabelStep::Upper));
    if let Some(node) = object.get("replace") {
        let items = one_or_more(node).iter();
        steps.extend(items.filter_map(|item| replace(scope, item)));
    }
    steps.extend(extract(object));
    steps.extend(lookup(scope, object));
    steps
}

fn replace(scope: &Scope, node: &Node) -> Option<LabelStep> {
    let object = scope.reader.object(node, "replace", &shape::REPLACE)?;
    let with = object.text("with");
    let (regex, compiled) = expression(object.reader, object.get("regex")?, "regex")?;
    let with = with?;
    template(object.reader, object.get("with")?, &with, &compiled);
    Some(LabelStep::Replace { regex, with })
}

fn extract(object: Object) -> Option<LabelStep> {
    let Some(node) = object.get("extract") else {
        if object.get("to").is_some() {
            object.error("to", "`to` without `extract`", "add `extract:` with an expression");
        }
        return None;
    };
    let (regex, compiled) = expression(object.reader, node, "extract")?;
    let Some(node) = object.get("to") else {
        let to = if compiled.captures_len() > 1 { "${1}" } else { "${0}" };
        return Some(LabelStep::Extract { regex, to: to.into() });
    };
    let to = object.text("to")?;
    template(object.reader, node, &to, &compiled);
    Some(LabelStep::Extract { regex, to })
}

fn lookup(scope: &Scope, object: Object) -> Option<LabelStep> {
    let name = object.text("lookup")?;
    let Some(table) = scope.lookups.get(&name) else {
        let names: Vec<_> = scope.lookups.keys().map(String::as_str).collect();
        let help = propose(&name, &names, "lookups");
        object.error("lookup", format!("unknown lookup `{name}`"), help);
        return None;
    };
    Some(LabelStep::Lookup { table: table.clone() })
}

/// What becomes of a record without a value, or with an invalid one.
pub(crate) fn fallback(object: Object, name: &str, number: bool) -> Invalid {
    let Some(node) = object.get(name) else { return Invalid::Reject };
    match &node.value {
        Value::Map(_) => {
            let Some(inner) = object.reader.object(node, name, &shape::DEFAULT) else {
                return Invalid::Reject;
            };
            let text = if number { inner.decimal("default") } else { inner.scalar("default") };
            text.map_or(Invalid::Reject, Invalid::Default)
        }
        Value::Text(word) if word == "reject" => Invalid::Reject,
        Value::Text(word) if word == "skip" => Invalid::Skip,
        Value::Null => Invalid::Reject,
        _ => {
            let text = node.scalar().unwrap_or_else(|| "…".into());
            let message =
                format!("`{name}` must be reject, skip or {{default: …}}, not {}", node.describe());
            object.error(name, message, format!("for a default write {{default: {text}}}"));
            Invalid::Reject
        }
    }
}
