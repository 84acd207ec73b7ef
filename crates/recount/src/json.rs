//! JSON, by building the whole tree, one level at a time.

use std::collections::BTreeMap;
use std::fmt;

use logtally_core::limits::JSON_DEPTH_MAX;
use logtally_core::rule::Reject;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::record::Values;

enum Node {
    Null,
    Scalar(String),
    Object(String, BTreeMap<String, Node>),
    Array(String, Vec<Node>),
}

pub(crate) fn values(line: &[u8], wanted: &[String]) -> Result<Values, Reject> {
    let tree = serde_json::from_slice(line).ok().and_then(|raw| tree(raw, 1));
    match tree {
        Some(root @ Node::Object(..)) => {
            Ok(wanted.iter().map(|path| text(find(&root, path)?)).collect())
        }
        _ => Err(Reject::Malformed),
    }
}

/// The members of an object, repeated ones included: those must be JSON, too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// `None` if it is no JSON.
fn tree(raw: &RawValue, depth: usize) -> Option<Node> {
    let text = raw.get().to_owned();
    if text.starts_with(['{', '[']) && depth > JSON_DEPTH_MAX {
        return None;
    }
    let node = if text.starts_with('{') {
        let Members(members) = serde_json::from_str(&text).ok()?;
        let member = |(name, raw): (String, Box<RawValue>)| Some((name, tree(&raw, depth + 1)?));
        Node::Object(text, members.into_iter().map(member).collect::<Option<_>>()?)
    } else if text.starts_with('[') {
        let elements: Vec<Box<RawValue>> = serde_json::from_str(&text).ok()?;
        Node::Array(text, elements.iter().map(|raw| tree(raw, depth + 1)).collect::<Option<_>>()?)
    } else if text.starts_with('"') {
        Node::Scalar(serde_json::from_str(&text).ok()?)
    } else if text == "null" {
        Node::Null
    } else {
        Node::Scalar(text)
    };
    Some(node)
}

fn find<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    if let Some(whole) = child(node, path) {
        return Some(whole);
    }
    let (head, rest) = path.split_once('.')?;
    find(child(node, head)?, rest)
}

fn child<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match node {
        Node::Object(_, members) => members.get(key),
        Node::Array(_, elements) => {
            let index: usize = key.parse().ok()?;
            if index.to_string() == key { elements.get(index) } else { None }
        }
        _ => None,
    }
}

fn text(node: &Node) -> Option<Vec<u8>> {
    match node {
        Node::Null => None,
        Node::Scalar(text) | Node::Object(text, _) | Node::Array(text, _) => {
            Some(text.clone().into_bytes())
        }
    }
}
