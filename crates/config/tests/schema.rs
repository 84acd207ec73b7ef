//! The schema for editors: up to date, and of the same opinion as the reader.
//!
//! After a wanted change: `LOGTALLY_UPDATE=1 cargo test -p logtally-config --test schema`.

use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_saphyr::from_str(&text).expect("YAML")
}

/// Whether a schema accepts a value. Knows the keywords that the schema has, and no others.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else { return schema.as_bool().unwrap_or(false) };
    keywords.iter().all(|(keyword, wanted)| holds(root, schema, keyword, wanted, value))
}

fn holds(root: &Value, schema: &Value, keyword: &str, wanted: &Value, value: &Value) -> bool {
    match keyword {
        "$schema" | "$defs" | "title" | "description" | "properties" => true,
        "$ref" => {
            let pointer = wanted.as_str().expect("a text").trim_start_matches('#');
            accepts(root, root.pointer(pointer).expect("a definition"), value)
        }
        "type" => match wanted {
            Value::Array(types) => types.iter().any(|one| is_type(one, value)),
            one => is_type(one, value),
        },
        "enum" => list(wanted).contains(value),
        "anyOf" => list(wanted).iter().any(|one| accepts(root, one, value)),
        "items" => list_or_none(value).iter().all(|item| accepts(root, wanted, item)),
        "minItems" => list_or_none(value).len() as u64 >= wanted.as_u64().expect("a number"),
        "minLength" => {
            let least = wanted.as_u64().expect("a number");
            value.as_str().is_none_or(|text| text.len() as u64 >= least)
        }
        "minimum" => value.as_f64().is_none_or(|n| n >= wanted.as_f64().expect("a number")),
        "pattern" => {
            let regex = Regex::new(wanted.as_str().expect("a text")).expect("an expression");
            value.as_str().is_none_or(|text| regex.is_match(text))
        }
        "required" => list(wanted).iter().all(|n| value.get(n.as_str().expect("a text")).is_some()),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            fields.iter().all(|(name, field)| {
                let known = schema.get("properties").and_then(|known| known.get(name));
                accepts(root, known.unwrap_or(wanted), field)
            })
        }),
        other => panic!("the schema has an unexpected keyword {other}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn list_or_none(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_type(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a text") {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unexpected type {other}"),
    }
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let path = folder().join("schema.json");
    let text = serde_json::to_string_pretty(&logtally_config::schema()).expect("JSON") + "\n";
    if std::env::var_os("LOGTALLY_UPDATE").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, text, "run it with LOGTALLY_UPDATE=1");
}

#[test]
fn good_configurations_are_accepted() {
    let schema = logtally_config::schema();
    for path in ["tests/good/full.yaml", "../../examples/logtally.yaml"] {
        assert!(accepts(&schema, &schema, &read(&folder().join(path))), "{path}");
    }
}

/// What is wrong in form is wrong for the schema; what is wrong in meaning only for the reader.
#[test]
fn badly_formed_configurations_are_rejected() {
    let schema = logtally_config::schema();
    for name in [
        "conditions",
        "formats",
        "inputs",
        "labels",
        "limits",
        "metric_missing",
        "no_value",
        "not_a_map",
        "relabel",
        "type_unknown",
        "unknown_fields",
        "values",
        "wrong_types",
    ] {
        let path = folder().join(format!("tests/bad/{name}.yaml"));
        assert!(!accepts(&schema, &schema, &read(&path)), "{name}");
    }
}

#[test]
fn every_field_is_described() {
    let schema = logtally_config::schema();
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    let shapes = definitions.chain([&schema]).filter_map(|shape| shape.get("properties"));
    for (name, field) in shapes.flat_map(|fields| fields.as_object().expect("fields")) {
        assert!(field["description"].as_str().is_some_and(|text| text.len() > 8), "{name}");
    }
}
