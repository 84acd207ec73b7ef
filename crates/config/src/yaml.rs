//! From YAML to a tree in which every value and key knows where it stands. Knows no field of the
//! configuration, and never guesses: numbers keep the digits as they were written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Options, Spanned};

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
    pub fn describe(&self) -> String {
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
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.node),
            _ => None,
        }
    }

    /// The text of a scalar, as it was written.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(text) | Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The node at a path, or the last one on the way there. Names may contain dots.
    pub fn nearest(&self, path: &str) -> &Node {
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

/// What the parser did not like.
pub(crate) struct SyntaxError {
    /// Where.
    pub mark: Option<Mark>,
    /// What.
    pub message: String,
    /// The way out, where it can be told.
    pub help: Option<String>,
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
            let mark = error.location().map(|at| mark_of(at, text));
            let error = error.without_snippet();
            let message = plain(&error.to_string());
            SyntaxError { mark, help: help(&message), message }
        })?;
    Ok(build(raw, text))
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// The parser's message without its own idea of the place, which stands before ours.
fn plain(message: &str) -> String {
    // What follows these is advice for programmers who use the parser.
    let ends = [" at line ", ", set Dup", "; use from_"].into_iter();
    let end = ends.filter_map(|end| message.find(end)).min().unwrap_or(message.len());
    message[..end].trim_end_matches([',', '.']).to_owned()
}

/// The usual slips behind the parser's messages.
const SLIPS: [(&str, &str); 8] = [
    ("duplicate", "remove one of the two"),
    ("tabs", "indent with blanks"),
    ("escape", "put expressions in single quotes, where a backslash is a backslash"),
    ("multiple", "remove the line `---`: one file is one configuration"),
    ("unknown anchor", "a text that begins with * stands in quotes"),
    ("quoted scalar", "is a quote missing at the end of the text, here or above?"),
    ("indicator", "indent the line like its neighbours; is a bracket or quote missing above?"),
    ("block", "indent the line like its neighbours"),
];

fn help(message: &str) -> Option<String> {
    let message = message.to_lowercase();
    let slip = SLIPS.iter().find(|(word, _)| message.contains(word));
    slip.map(|(_, help)| (*help).to_owned())
}

fn mark_of(at: serde_saphyr::Location, text: &str) -> Mark {
    Mark {
        line: at.line() as u32,
        column: at.column() as u32,
        width: source(at, text)
            .map_or(1, |s| s.lines().next().unwrap_or("").chars().count() as u32),
    }
}

/// The bytes of the document that a value was read from.
fn source(at: serde_saphyr::Location, text: &str) -> Option<&str> {
    let span = at.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    text.get(start..end)
}

const NOT_FINITE: [&str; 3] = [".inf", "-.inf", ".nan"];

fn build(raw: Spanned<Raw>, text: &str) -> Node {
    let mark = mark_of(raw.referenced, text);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        // Numbers too large for a double come as words for infinity; here they are still decimals.
        Raw::Text(value) if NOT_FINITE.contains(&value.as_str()) => {
            Value::Text(source(raw.defined, text).map_or(value, |s| s.trim().to_owned()))
        }
        Raw::Text(value) => Value::Text(value),
        Raw::Number(value) => {
            Value::Number(source(raw.defined, text).map_or(value, |s| s.trim().to_owned()))
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| build(item, text)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    mark: mark_of(key.referenced, text),
                    key: key.value,
                    node: build(value, text),
                })
                .collect(),
        ),
    };
    Node { mark, value }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
