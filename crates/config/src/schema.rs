//! The JSON schema for editors, made from the same tables that the reader follows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::shape::{CONFIG, Kind, Shape};

/// The schema of the configuration.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    let mut schema = object(&CONFIG, &mut definitions);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".into(), "logtally configuration".into());
        fields.insert("$defs".into(), definitions.into_iter().collect());
    }
    schema
}

/// As [`logtally_core::duration`] reads them, except that nothing at all matches too.
const DURATION: &str = "^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

type Definitions = BTreeMap<String, Value>;

fn of(kind: &Kind, definitions: &mut Definitions) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Count => json!({"type": "integer", "minimum": 1}),
        Kind::Amount => json!({"type": "integer", "minimum": 0}),
        Kind::Decimal => json!({
            "type": ["number", "string"],
            "pattern": r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
        }),
        Kind::Duration => json!({"type": "string", "minLength": 1, "pattern": DURATION}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::List(item) => json!({"type": "array", "items": of(item, definitions)}),
        Kind::OneOrMore(item) => {
            let item = of(item, definitions);
            json!({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})
        }
        Kind::MapOf(value) => {
            json!({"type": "object", "additionalProperties": of(value, definitions)})
        }
        Kind::Either(kinds) => {
            json!({"anyOf": kinds.iter().map(|kind| of(kind, definitions)).collect::<Vec<_>>()})
        }
        Kind::Object(shape) => named(shape.id, definitions, |defs| object(shape, defs)),
        Kind::Named(name, kind) => named(name, definitions, |defs| of(kind, defs)),
    }
}

/// A reference to a definition, which is made at its first mention: it may contain itself.
fn named(
    name: &str,
    definitions: &mut Definitions,
    make: impl FnOnce(&mut Definitions) -> Value,
) -> Value {
    if !definitions.contains_key(name) {
        definitions.insert(name.to_owned(), Value::Null);
        let definition = make(definitions);
        definitions.insert(name.to_owned(), definition);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}

fn object(shape: &Shape, definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    for field in shape.fields {
        let mut value = of(&field.kind, definitions);
        if let Value::Object(parts) = &mut value {
            parts.insert("description".into(), field.about.into());
        }
        properties.insert(field.name.into(), value);
    }
    let others = shape.others.as_ref().map_or(false.into(), |kind| of(kind, definitions));
    let mut made = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": others,
    });
    let required: Vec<_> = shape.fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    if !required.is_empty() {
        made["required"] = json!(required);
    }
    made
}
