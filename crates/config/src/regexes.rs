//! Checks regular expressions and the texts that refer to their groups. The expressions themselves
//! are compiled again where they are used; nothing compiled leaves this module but for its names.

use regex::Regex;

use crate::reader::Reader;
use crate::tree::Node;

/// An expression that compiles, or an error at its place.
pub(crate) fn expression(reader: &Reader, node: &Node, what: &str) -> Option<(String, Regex)> {
    let text = reader.text(node, what)?;
    match Regex::new(&text) {
        Ok(regex) => Some((text, regex)),
        Err(error) => {
            reader.error(
                node.mark,
                format!("`{what}` is not a regular expression: {}", reason(&error)),
                hint(&text),
            );
            None
        }
    }
}

/// The last line of the parser's message, which alone has the reason.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn hint(text: &str) -> &'static str {
    if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look| text.contains(look)) {
        "write it without look-around; use a group and `to`, or a condition with `not`"
    } else {
        "the syntax is that of Rust's regex crate; in YAML, expressions are best put in single quotes"
    }
}

/// Checks that a text refers to groups that its expression has.
pub(crate) fn template(reader: &Reader, node: &Node, text: &str, regex: &Regex) {
    for (name, braced) in references(text) {
        let known = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|group| group == name),
        };
        if known {
            continue;
        }
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let help = if !braced && digits > 0 && digits < name.len() {
            format!("write ${{{}}}{}", &name[..digits], &name[digits..])
        } else {
            format!("it has {}; a plain dollar sign is $$", groups(regex))
        };
        reader.error(node.mark, format!("the expression has no group `{name}`"), help);
    }
}

fn groups(regex: &Regex) -> String {
    let mut names: Vec<String> = (1..regex.captures_len()).map(|n| format!("${n}")).collect();
    names.extend(regex.capture_names().flatten().map(|name| format!("${{{name}}}")));
    if names.is_empty() { "no groups but $0".to_owned() } else { names.join(", ") }
}

/// The groups that a text refers to, and whether each stands in braces.
fn references(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('$') {
            rest = behind;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let Some(end) = inner.find('}') else { break };
            found.push((&inner[..end], true));
            rest = &inner[end + 1..];
        } else {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            if end > 0 {
                found.push((&rest[..end], false));
            }
            rest = &rest[end..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_the_expressions_would() {
        assert_eq!(references("a${1}b$2c-$$3 $ ${x}"), [("1", true), ("2c", false), ("x", true)]);
    }
}
