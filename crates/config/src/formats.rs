//! Formats: from the configuration's words to a [`FormatSpec`]. Never reads a record.

use std::collections::{BTreeMap, BTreeSet};

use logtally_formats::spec::{CsvSpec, FormatSpec, Header, Ragged};

use crate::diagnostic::line_error;
use crate::files::{Files, reason};
use crate::reader::{Object, Reader, one_or_more};
use crate::regexes::expression;
use crate::shape::{self, FORMATS};
use crate::tree::{Node, Value};

/// Reads the format of an input.
pub(crate) fn read(reader: &Reader, node: Option<&Node>, files: Files) -> FormatSpec {
    let Some(node) = node else { return FormatSpec::Csv(CsvSpec::default()) };
    if let Value::Map(_) = node.value {
        return long(reader, node, files).unwrap_or(FormatSpec::Lines);
    }
    let name = reader.word(node, "format", FORMATS).unwrap_or("lines");
    if let "regex" | "grok" = name {
        let message = format!("the format {name} needs `pattern`");
        reader.error(node.mark, message, format!("write {{type: {name}, pattern: '…'}}"));
    }
    plain(name)
}

fn plain(name: &str) -> FormatSpec {
    match name {
        "csv" => FormatSpec::Csv(CsvSpec::default()),
        "tsv" => FormatSpec::Csv(CsvSpec { delimiter: b'\t', ..CsvSpec::default() }),
        "json" => FormatSpec::Json,
        "logfmt" => FormatSpec::Logfmt,
        _ => FormatSpec::Lines,
    }
}

fn long(reader: &Reader, node: &Node, files: Files) -> Option<FormatSpec> {
    let Some(kind) = node.get("type") else {
        let help = format!("add `type:` {}", crate::suggest::one_of(FORMATS));
        reader.error(node.mark, "`format` needs `type`", help);
        return None;
    };
    let name = reader.word(kind, "type", FORMATS)?;
    let known = without_foreign_options(reader, node, name);
    let object = reader.object(&known, "format", shape::format_shape(name))?;
    match name {
        "csv" | "tsv" => Some(csv(object, plain(name))),
        "regex" => {
            let (pattern, regex) = expression(reader, object.get("pattern")?, "pattern")?;
            if regex.capture_names().flatten().next().is_none() {
                object.error(
                    "pattern",
                    "the expression has no named group, so there would be no column",
                    "name one: (?<host>\\S+)",
                );
            }
            Some(FormatSpec::Regex { pattern })
        }
        "grok" => Some(FormatSpec::Grok {
            definitions: definitions(object, files),
            pattern: object.text("pattern")?,
        }),
        _ => Some(plain(name)),
    }
}

/// Reports options of other formats, and returns the node without them.
fn without_foreign_options(reader: &Reader, node: &Node, name: &str) -> Node {
    let own = shape::format_shape(name);
    let owner =
        |option: &str| FORMATS.iter().find(|f| shape::format_shape(f).names().any(|n| n == option));
    let mut known = node.clone();
    let Value::Map(entries) = &mut known.value else { return known };
    entries.retain(|entry| {
        let Some(other) = owner(&entry.key).filter(|_| own.names().all(|n| n != entry.key)) else {
            return true;
        };
        let message = format!("`{}` is not an option of {name}", entry.key);
        reader.error(
            entry.mark,
            message,
            format!("it belongs to {other}; remove it or use `type: {other}`"),
        );
        false
    });
    known
}

fn csv(object: Object, base: FormatSpec) -> FormatSpec {
    let FormatSpec::Csv(mut spec) = base else { return base };
    spec.delimiter = byte(object, "delimiter", Some(spec.delimiter)).unwrap_or(spec.delimiter);
    if object.get("delimiter").and_then(Node::scalar).as_deref() == Some("none") {
        object.error(
            "delimiter",
            "`delimiter` must be one byte",
            "every row needs one; for whole lines use `type: lines`",
        );
    }
    spec.quote = byte(object, "quote", spec.quote);
    spec.escape = byte(object, "escape", None);
    spec.comment = byte(object, "comment", None);
    spec.header = match object.word("header", &["auto", "present", "absent"]) {
        Some("present") => Header::Present,
        Some("absent") => Header::Absent,
        _ => Header::Auto,
    };
    if object.word("ragged", &["lenient", "strict"]) == Some("strict") {
        spec.ragged = Ragged::Strict;
    }
    spec.columns = columns(object);
    check(object, &spec);
    FormatSpec::Csv(spec)
}

fn check(object: Object, spec: &CsvSpec) {
    let others = [("quote", spec.quote), ("escape", spec.escape), ("comment", spec.comment)];
    for (name, byte) in others {
        if byte == Some(spec.delimiter) {
            let at = if object.get(name).is_some() { name } else { "delimiter" };
            object.error(
                at,
                format!("`delimiter` and `{name}` are the same"),
                "choose another one",
            );
        }
    }
    if spec.header == Header::Absent && spec.columns.is_empty() {
        object.error(
            "header",
            "without a header the columns have no names",
            "add `columns: [name, name]`",
        );
    }
}

/// One byte, by itself or by name.
fn byte(object: Object, name: &str, default: Option<u8>) -> Option<u8> {
    let Some(text) = object.get(name).and_then(|node| object.reader.text(node, name)) else {
        return default;
    };
    match text.as_bytes() {
        b"none" => None,
        b"tab" => Some(b'\t'),
        [b'\n' | b'\r' | 0] => {
            object.error(name, format!("`{name}` cannot be a line end or NUL"), "");
            default
        }
        [one] => Some(*one),
        _ => {
            let message = format!("`{name}` must be one byte, not '{text}'");
            object.error(name, message, "write one ASCII character, `tab` or `none`");
            default
        }
    }
}

fn columns(object: Object) -> Vec<String> {
    let Some(node) = object.get("columns") else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let items = object.reader.items(node, "columns").iter();
    items
        .filter_map(|item| {
            let name = object.reader.scalar(item, "columns")?;
            if !seen.insert(name.clone()) {
                object.reader.error(
                    item.mark,
                    format!("the column `{name}` stands there twice"),
                    "give each column its own name",
                );
            }
            Some(name)
        })
        .collect()
}

/// Own patterns: those of the files in order, then those of the configuration.
fn definitions(object: Object, files: Files) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let nodes = object.get("pattern_files").map(one_or_more);
    for node in nodes.unwrap_or_default() {
        if let Some(path) = object.reader.text(node, "pattern_files") {
            pattern_file(object.reader, node, &path, files, &mut found);
        }
    }
    let own = object.get("patterns").map(|node| object.reader.entries(node, "patterns"));
    for (name, _, node) in own.unwrap_or_default() {
        found.extend(object.reader.text(node, name).map(|text| (name.to_owned(), text)));
    }
    found
}

fn pattern_file(
    reader: &Reader,
    node: &Node,
    path: &str,
    files: Files,
    found: &mut BTreeMap<String, String>,
) {
    let text = match files(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{path} cannot be read: {}", reason(&error));
            reader.error(node.mark, message, "paths are relative to the configuration's folder");
            return;
        }
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((name, pattern)) = line.split_once([' ', '\t']) {
            found.insert(name.to_owned(), pattern.trim_start().to_owned());
        } else {
            let message = "a pattern without an expression";
            reader.error_elsewhere(line_error(path, &text, index, message, "write `NAME regex`"));
        }
    }
}
