//! From YAML to a [`tree`](crate::tree). The library resolves anchors and merges and says where each
//! value stands; what its errors mean to a person is told in [`yaml_error`](crate::yaml_error).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Options, Spanned};

use crate::diagnostic::Mark;
use crate::tree::{Entry, Node, Value};
use crate::yaml_error::YamlError;

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Ok(build(raw, text)),
        Err(error) => {
            let mark = error.location().map(|at| mark_of(at, text));
            Err(YamlError::new(mark, &error))
        }
    }
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
