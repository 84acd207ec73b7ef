//! Relabelling steps, with the names and defaults of Prometheus. Never applies them.

use logtally_rules::spec::{Relabel, RelabelAction};

use crate::names;
use crate::reader::{Object, Reader};
use crate::regexes::expression;
use crate::shape::{self, ACTIONS};
use crate::tree::Node;

/// All steps of a rule.
pub(crate) fn read(rule: Object) -> Vec<Relabel> {
    let Some(node) = rule.get("relabel") else { return Vec::new() };
    let items = rule.reader.items(node, "relabel").iter();
    items.filter_map(|item| step(rule.reader, item)).collect()
}

fn step(reader: &Reader, node: &Node) -> Option<Relabel> {
    let object = reader.object(node, "relabel", &shape::RELABEL)?;
    let action = match object.word("action", ACTIONS).unwrap_or("replace") {
        "keep" => RelabelAction::Keep,
        "drop" => RelabelAction::Drop,
        "labelmap" => RelabelAction::LabelMap,
        "labeldrop" => RelabelAction::LabelDrop,
        "labelkeep" => RelabelAction::LabelKeep,
        _ => RelabelAction::Replace,
    };
    check_fields(object, action);
    let regex = match object.get("regex") {
        Some(node) => expression(reader, node, "regex")?.0,
        None => "(.*)".into(),
    };
    Some(Relabel {
        action,
        source_labels: object.texts("source_labels").unwrap_or_default(),
        separator: object.text("separator").unwrap_or_else(|| ";".into()),
        regex,
        target_label: target(object),
        replacement: object.text("replacement").unwrap_or_else(|| "$1".into()),
    })
}

fn target(object: Object) -> String {
    let label = object.text("target_label").unwrap_or_default();
    if label == "__name__" {
        let message = "a series cannot get another metric here";
        object.error("target_label", message, "give the rule the name that you want, in `metric`");
        return label;
    }
    // Labels that begin so are for the steps in between, and are gone at the end.
    let name = label.strip_prefix("__").map_or(label.clone(), |rest| format!("_{rest}"));
    if !label.is_empty()
        && let Err((message, help)) = names::label(&name)
    {
        object.error("target_label", message, help);
    }
    label
}

/// Which fields an action uses: one that is ignored is a misunderstanding.
fn check_fields(object: Object, action: RelabelAction) {
    let (needed, unused): (&[&str], &[&str]) = match action {
        RelabelAction::Replace => (&["target_label"], &[]),
        RelabelAction::Keep | RelabelAction::Drop => {
            (&["source_labels"], &["target_label", "replacement"])
        }
        RelabelAction::LabelMap => (&["regex"], &["source_labels", "separator", "target_label"]),
        RelabelAction::LabelDrop | RelabelAction::LabelKeep => {
            (&["regex"], &["source_labels", "separator", "target_label", "replacement"])
        }
    };
    let name = object.get("action").and_then(Node::scalar).unwrap_or_else(|| "replace".into());
    for field in needed.iter().filter(|field| object.get(field).is_none()) {
        object.reader.error(
            object.node.mark,
            format!("{name} needs `{field}`"),
            format!("add `{field}:`"),
        );
    }
    for field in unused.iter().filter(|field| object.get(field).is_some()) {
        object.error(field, format!("{name} does not use `{field}`"), "remove it");
    }
}
