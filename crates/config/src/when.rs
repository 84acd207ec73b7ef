//! Conditions: CEL texts, maps of columns, and combinations of them. CEL is taken as it is; whoever
//! compiles it reports its errors.

use logtally_rules::spec::{Compare, Condition, TimeSpec};

use crate::reader::{Object, Reader, one_or_more};
use crate::regexes::expression;
use crate::shape;
use crate::times;
use crate::tree::{Node, Value};

const NUMBERS: [(&str, Compare); 6] = [
    ("eq", Compare::Eq),
    ("ne", Compare::Ne),
    ("gt", Compare::Gt),
    ("ge", Compare::Ge),
    ("lt", Compare::Lt),
    ("le", Compare::Le),
];

const TIMES: [(&str, Compare); 2] = [("after", Compare::Gt), ("before", Compare::Lt)];

/// Any condition.
pub(crate) fn read(reader: &Reader, node: &Node) -> Option<Condition> {
    match &node.value {
        Value::Text(text) if !text.trim().is_empty() => Some(Condition::Cel(text.clone())),
        Value::List(_) => Some(Condition::All(several(reader, node, "when"))),
        Value::Map(entries) if !entries.is_empty() => map(reader, node),
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) => {
            let message = format!("`when` must be a condition, not {}", node.describe());
            reader.error(node.mark, message, "write a CEL text or a map of columns");
            None
        }
        Value::Text(_) | Value::Map(_) => {
            reader.error(node.mark, "`when` names no condition", "remove it to take all records");
            None
        }
    }
}

fn several(reader: &Reader, node: &Node, what: &str) -> Vec<Condition> {
    let items = reader.items(node, what);
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let message = format!("`{what}` names no condition");
        reader.error(node.mark, message, "name one or remove it");
    }
    items.iter().filter_map(|item| read(reader, item)).collect()
}

/// All entries of a map must hold; one alone stands for itself.
fn map(reader: &Reader, node: &Node) -> Option<Condition> {
    reader.object(node, "when", &shape::WHEN_MAP)?;
    let mut all = Vec::new();
    for (name, _, node) in reader.entries(node, "when") {
        match name {
            "any" => all.push(Condition::Any(several(reader, node, "any"))),
            "all" => all.push(Condition::All(several(reader, node, "all"))),
            "not" => all.extend(read(reader, node).map(|c| Condition::Not(Box::new(c)))),
            column => column_tests(reader, column, node, &mut all),
        }
    }
    Some(together(all))
}

fn together(mut all: Vec<Condition>) -> Condition {
    match all.pop() {
        Some(one) if all.is_empty() => one,
        last => {
            all.extend(last);
            Condition::All(all)
        }
    }
}

fn column_tests(reader: &Reader, column: &str, node: &Node, all: &mut Vec<Condition>) {
    if let Value::Map(_) = node.value {
        let Some(test) = reader.object(node, column, &shape::TEST) else { return };
        let before = all.len();
        texts(test, column, all);
        numbers(test, column, all);
        times(test, column, all);
        let named = matches!(&node.value, Value::Map(entries) if !entries.is_empty());
        if all.len() == before && !named {
            let help = "name a value, or a test such as {exists: true}";
            reader.error(node.mark, format!("`{column}` names no condition"), help);
        }
    } else if node.value != Value::Null {
        all.extend(values(reader, column, node).map(|values| is_in(column, values)));
    }
}

fn values(reader: &Reader, column: &str, node: &Node) -> Option<Vec<String>> {
    let nodes = one_or_more(node);
    if nodes.is_empty() {
        reader.error(node.mark, format!("`{column}` names no value"), "name one or remove it");
        return None;
    }
    Some(nodes.iter().filter_map(|node| reader.scalar(node, column)).collect())
}

fn is_in(column: &str, values: Vec<String>) -> Condition {
    Condition::In { column: column.to_owned(), values }
}

fn texts(test: Object, column: &str, all: &mut Vec<Condition>) {
    if test.get("exists").is_some() {
        let exists = Condition::Exists(column.to_owned());
        let wanted = test.flag("exists");
        all.push(if wanted { exists } else { Condition::Not(Box::new(exists)) });
    }
    if let Some(values) = test.get("not").and_then(|node| values(test.reader, "not", node)) {
        all.push(Condition::Not(Box::new(is_in(column, values))));
    }
    let matches = test.get("matches").and_then(|node| expression(test.reader, node, "matches"));
    if let Some((regex, _)) = matches {
        all.push(Condition::Matches { column: column.to_owned(), regex });
    }
}

fn numbers(test: Object, column: &str, all: &mut Vec<Condition>) {
    for (name, compare) in NUMBERS {
        if let Some(with) = test.decimal(name) {
            all.push(Condition::Number { column: column.to_owned(), compare, with });
        }
    }
}

fn times(test: Object, column: &str, all: &mut Vec<Condition>) {
    let before = all.len();
    let format = times::format(test);
    for (name, compare) in TIMES {
        let Some(with) = test.text(name) else { continue };
        if !times::looks_like_rfc3339(&with) {
            let message = format!("`{name}` must be a time, not '{with}'");
            test.error(name, message, "write it like '2026-11-21T02:20:00Z'");
        }
        let time = TimeSpec { column: column.to_owned(), format: format.clone() };
        all.push(Condition::Time { time, compare, with });
    }
    if all.len() == before && test.get("format").is_some() {
        test.error("format", "`format` without `after` or `before`", "remove it");
    }
}
