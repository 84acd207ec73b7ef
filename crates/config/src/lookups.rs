//! The tables for `lookup`: inline or from a file of two columns. Never opens a file itself.

use std::collections::BTreeMap;

use crate::diagnostic::line_error;
use crate::files::{Files, reason};
use crate::reader::Reader;
use crate::tree::{Node, Value};

/// A table, by value.
pub(crate) type LookupTable = BTreeMap<String, String>;

/// All tables by name; one that is wrong is empty.
pub(crate) fn read(
    reader: &Reader,
    node: Option<&Node>,
    files: Files,
) -> BTreeMap<String, LookupTable> {
    let Some(node) = node else { return BTreeMap::new() };
    let entries = reader.entries(node, "lookups").into_iter();
    entries.map(|(name, _, node)| (name.to_owned(), table(reader, name, node, files))).collect()
}

fn table(reader: &Reader, name: &str, node: &Node, files: Files) -> LookupTable {
    let entries = reader.entries(node, name);
    if let [("file", _, path)] = entries[..] {
        return reader
            .text(path, "file")
            .map(|p| from_file(reader, path, &p, files))
            .unwrap_or_default();
    }
    let pairs = entries.into_iter();
    pairs.filter_map(|(key, _, node)| Some((key.to_owned(), value(reader, key, node)?))).collect()
}

fn value(reader: &Reader, key: &str, node: &Node) -> Option<String> {
    if node.value == Value::Null {
        reader.error(node.mark, format!("`{key}` has no value"), "an empty text is ''");
    }
    reader.scalar(node, key)
}

fn from_file(reader: &Reader, at: &Node, path: &str, files: Files) -> LookupTable {
    let text = match files(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{path} cannot be read: {}", reason(&error));
            reader.error(at.mark, message, "paths are relative to the configuration's folder");
            return LookupTable::new();
        }
    };
    let mut table = LookupTable::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let problem = match row(line) {
            None => Some((
                "a row must have two columns",
                "write `value,replacement`; a value with a comma in it stands in double quotes",
            )),
            Some((key, value)) => {
                let before = table.get(&key).filter(|known| **known != value);
                let twice = before.map(|_| {
                    (
                        "this value was there before with another replacement",
                        "remove one of the rows",
                    )
                });
                table.insert(key, value);
                twice
            }
        };
        if let Some((message, help)) = problem {
            reader.error_elsewhere(line_error(path, &text, index, message, help));
        }
    }
    table
}

/// The two values of a row; quoted ones may contain commas and doubled quotes.
fn row(line: &str) -> Option<(String, String)> {
    let (first, rest) = cell(line.trim_start_matches('\u{feff}'))?;
    let (second, rest) = cell(rest.strip_prefix(',')?)?;
    rest.is_empty().then_some((first, second))
}

fn cell(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    loop {
        let end = rest.find('"')?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => rest = behind,
            None => return Some((value, rest)),
        }
        value.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_two_cells() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(row("a,b"), pair("a", "b"));
        assert_eq!(row(r#""a,""x""",b c"#), pair(r#"a,"x""#, "b c"));
        assert_eq!(row("a,"), pair("a", ""));
        for bad in ["a", "a,b,c", "\"a,b", "\"a\"b,c"] {
            assert_eq!(row(bad), None, "{bad}");
        }
    }
}
