//! A document as a tree in which every value and key knows where it stands. Knows no field of the
//! configuration, and never guesses: numbers keep the digits as they were written.

use crate::diagnostic::Mark;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands.
    pub mark: Mark,
    /// What it is.
    pub value: Value,
}

/// What YAML knows.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`, as in YAML 1.2.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name, in order.
    Map(Vec<Entry>),
}

/// A named value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its name.
    pub key: String,
    /// Where the name stands.
    pub mark: Mark,
    /// The value.
    pub node: Node,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.node == other.node
    }
}

impl Node {
    /// What a person would call it.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(value) => format!("the number {value}"),
            Value::Text(value) => format!("the text '{value}'"),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }

    /// The value of a name, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            _ => None,
        }
    }

    /// The text of a scalar, as it was written.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(text) | Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The node at a path, or the last one on the way there. Names may contain dots.
    pub(crate) fn nearest(&self, path: &str) -> &Node {
        match self.step(path) {
            Some((node, rest)) => node.nearest(rest),
            None => self,
        }
    }

    fn step<'a>(&self, path: &'a str) -> Option<(&Node, &'a str)> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .filter_map(|e| Some((e.key.len(), &e.node, behind(path, &e.key)?)))
                .max_by_key(|(length, ..)| *length)
                .map(|(_, node, rest)| (node, rest)),
            Value::List(items) => {
                let (first, rest) = path.split_once('.').unwrap_or((path, ""));
                let named = |item: &&Node| item.value == Value::Text(first.to_owned());
                let at = first.parse::<usize>().ok().and_then(|index| items.get(index));
                Some((at.or_else(|| items.iter().find(named))?, rest))
            }
            _ => None,
        }
    }
}

/// What follows a name in a dotted path.
fn behind<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(name)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}
