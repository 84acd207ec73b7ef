//! Names that a line's values have beside those that rules use: a guess for people, which is only
//! shown and decides nothing.

use logtally_formats::spec::FormatSpec;
use regex::Regex;
use serde_json::Value;

/// Names of further values of a line.
pub(super) fn names(format: &FormatSpec, line: &str, header: Option<&str>) -> Vec<String> {
    match format {
        FormatSpec::Csv(csv) => match header {
            Some(header) => header
                .trim_end()
                .split(char::from(csv.delimiter))
                .map(|name| name.trim_matches('"').to_owned())
                .collect(),
            None => csv.columns.clone(),
        },
        FormatSpec::Json => match serde_json::from_str(line) {
            Ok(value) => {
                let mut names = Vec::new();
                push_paths("", &value, &mut names);
                names
            }
            Err(_) => Vec::new(),
        },
        FormatSpec::Logfmt => groups(r"(?:^|\s)([^\s=]+)=", line),
        FormatSpec::Regex { pattern } => match Regex::new(pattern) {
            Ok(regex) => regex.capture_names().flatten().map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        },
        FormatSpec::Grok { pattern, .. } => groups(r"%\{\w+:([^}:]+)", pattern),
        FormatSpec::Lines => Vec::new(),
    }
}

fn push_paths(prefix: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                push_paths(&format!("{prefix}{dot}{name}"), value, names);
            }
        }
        _ if prefix.is_empty() => {}
        _ => names.push(prefix.to_owned()),
    }
}

fn groups(pattern: &str, text: &str) -> Vec<String> {
    let Ok(regex) = Regex::new(pattern) else { return Vec::new() };
    regex.captures_iter(text).filter_map(|c| Some(c.get(1)?.as_str().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_format() {
        let json = names(&FormatSpec::Json, r#"{"a":1,"b":{"c":[2]}}"#, None);
        assert_eq!(json, ["a", "b.c"]);
        assert_eq!(names(&FormatSpec::Logfmt, "a=1 b=\"x y\"", None), ["a", "b"]);
        let regex = FormatSpec::Regex { pattern: "(?P<x>.)(?<y>.)".into() };
        assert_eq!(names(&regex, "", None), ["x", "y"]);
        let csv = FormatSpec::Csv(logtally_formats::spec::CsvSpec::default());
        assert_eq!(names(&csv, "", Some("host,\"job\"\n")), ["host", "job"]);
    }
}
