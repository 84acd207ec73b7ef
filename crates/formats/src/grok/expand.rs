//! From a grok expression to a plain one. Never runs away: depth and length are bounded.

use std::collections::BTreeMap;

use logtally_core::limits::{GROK_DEPTH_MAX, GROK_TEXT_MAX};

use super::standard::standard_patterns;
use super::suggest::similar;
use crate::error::FormatError;

/// An expanded expression.
pub(crate) struct Expanded {
    /// The plain expression.
    pub regex: String,
    /// The value that the group with [`group_number`] `i` has; several may have the same.
    pub names: Vec<String>,
}

/// The prefix of the names of groups: values may have names that no group can have, and twice.
const GROUP: &str = "value";

/// The index in [`Expanded::names`] of a named group.
pub(crate) fn group_number(name: &str) -> Option<usize> {
    name.strip_prefix(GROUP)?.parse().ok()
}

/// Expands an expression with the standard patterns and `definitions`, which come first.
pub(crate) fn expand(
    pattern: &str,
    definitions: &BTreeMap<String, String>,
) -> Result<Expanded, FormatError> {
    let mut expander = Expander {
        definitions,
        standard: standard_patterns(),
        out: Expanded { regex: String::new(), names: Vec::new() },
    };
    expander.text(pattern, Origin::Pattern, 0)?;
    Ok(expander.out)
}

/// Where a text comes from: who is to blame for it.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Pattern,
    Definition,
    Standard { name: &'a str, field: &'static str },
}

impl Origin<'_> {
    fn field(self) -> &'static str {
        match self {
            Self::Pattern => "pattern",
            Self::Definition => "definitions",
            Self::Standard { field, .. } => field,
        }
    }
}

struct Expander<'a> {
    definitions: &'a BTreeMap<String, String>,
    standard: BTreeMap<&'static str, &'static str>,
    out: Expanded,
}

impl Expander<'_> {
    fn text(&mut self, text: &str, origin: Origin<'_>, depth: usize) -> Result<(), FormatError> {
        let mut rest = text;
        let mut classes = Classes::default();
        while !rest.is_empty() {
            rest = if classes.is_outside() && rest.starts_with("%{") {
                self.reference(rest, origin, depth)?
            } else if classes.is_outside() && rest.starts_with("(?") {
                self.group(rest, origin)?
            } else {
                let len = classes.step(rest);
                self.out.regex.push_str(&rest[..len]);
                &rest[len..]
            };
        }
        Ok(())
    }

    /// Expands the `%{…}` at the beginning of `text`; returns what follows it.
    fn reference<'t>(
        &mut self,
        text: &'t str,
        origin: Origin<'_>,
        depth: usize,
    ) -> Result<&'t str, FormatError> {
        let syntax =
            |text: &str| FormatError::GrokSyntax { text: text.to_owned(), field: origin.field() };
        let end = text.find('}').ok_or_else(|| syntax(text))?;
        let (whole, rest) = text.split_at(end + 1);
        let mut parts = whole[2..end].splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let value = parts.next();
        if !is_pattern_name(name) || value.is_some_and(|v| !is_value_name(v)) {
            return Err(syntax(whole));
        }
        match value {
            Some(value) => self.open(value),
            None => self.out.regex.push_str("(?:"),
        }
        self.named(name, origin, depth)?;
        self.out.regex.push(')');
        Ok(rest)
    }

    /// Expands the pattern with this name.
    fn named(&mut self, name: &str, origin: Origin<'_>, depth: usize) -> Result<(), FormatError> {
        let field = origin.field();
        if depth == GROK_DEPTH_MAX || self.out.regex.len() > GROK_TEXT_MAX {
            return Err(FormatError::Endless { name: name.to_owned(), field });
        }
        if let Some(text) = self.definitions.get(name) {
            return self.text(text, Origin::Definition, depth + 1);
        }
        if let Some(text) = self.standard.get(name).copied() {
            return self.text(text, Origin::Standard { name, field }, depth + 1);
        }
        let known =
            self.definitions.keys().map(String::as_str).chain(self.standard.keys().copied());
        let suggestions = similar(name, known);
        Err(FormatError::UnknownPattern { name: name.to_owned(), suggestions, field })
    }

    /// Translates the beginning of the group that `text` begins with; returns what follows.
    fn group<'t>(&mut self, text: &'t str, origin: Origin<'_>) -> Result<&'t str, FormatError> {
        let rest = &text[2..];
        if let Some(rest) = rest.strip_prefix('>') {
            self.out.regex.push_str("(?:");
            return Ok(rest);
        }
        let around = ["=", "!", "<=", "<!"];
        if let Origin::Standard { name, field } = origin
            && around.iter().any(|sign| rest.starts_with(sign))
        {
            return Err(FormatError::LookAround { name: name.to_owned(), field });
        }
        let named = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<'));
        if let Some((name, after)) = named.and_then(|named| named.split_once('>'))
            && is_value_name(name)
        {
            self.open(name);
            return Ok(after);
        }
        self.out.regex.push_str("(?");
        Ok(rest)
    }

    /// Opens the group of a value.
    fn open(&mut self, value: &str) {
        let number = self.out.names.len();
        self.out.regex.extend(["(?P<", GROUP, &number.to_string(), ">"]);
        self.out.names.push(value.to_owned());
    }
}

fn is_pattern_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_value_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-[].@".contains(&b);
    !name.is_empty() && name.bytes().all(allowed)
}

/// Follows escapes and character classes, in which nothing is to be translated.
#[derive(Default)]
struct Classes {
    depth: usize,
}

impl Classes {
    fn is_outside(&self) -> bool {
        self.depth == 0
    }

    /// The length of what stands at the beginning of `text` and belongs together.
    fn step(&mut self, text: &str) -> usize {
        let mut chars = text.char_indices();
        match chars.next().map(|(_, c)| c) {
            Some('\\') => {
                chars.next();
                chars.next().map_or(text.len(), |(at, _)| at)
            }
            Some('[') => {
                self.depth += 1;
                // A bracket that closes at once is meant literally.
                ["[^]", "[]", "[^"].iter().find(|s| text.starts_with(**s)).map_or(1, |s| s.len())
            }
            Some(']') => {
                self.depth = self.depth.saturating_sub(1);
                1
            }
            Some(c) => c.len_utf8(),
            None => 0,
        }
    }
}
