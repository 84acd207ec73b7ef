//! Regular expressions, and grok by replacing text with text.

use std::collections::BTreeMap;

use logtally_core::limits::{EXPRESSION_BYTES_MAX, GROK_DEPTH_MAX};
use logtally_core::rule::Reject;
use logtally_formats::standard_patterns;
use regex::bytes::{Regex, RegexBuilder};

use crate::error::RecountError;
use crate::record::Values;

pub(crate) struct Expression {
    regex: Regex,
    /// The value's name of each group, if it has one.
    names: Vec<Option<String>>,
}

impl Expression {
    pub(crate) fn regex(pattern: &str) -> Result<Self, RecountError> {
        let regex = compile(pattern)?;
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        Ok(Self { regex, names })
    }

    pub(crate) fn grok(
        pattern: &str,
        definitions: &BTreeMap<String, String>,
    ) -> Result<Self, RecountError> {
        let mut grok = Grok::new(definitions)?;
        let text = grok.expand(pattern, 0)?;
        let regex = compile(&text)?;
        let name = |group: &str| grok.names.get(group.strip_prefix('g')?.parse::<usize>().ok()?);
        let names = regex.capture_names().map(|group| name(group?).cloned()).collect();
        Ok(Self { regex, names })
    }

    pub(crate) fn values(&self, line: &[u8], wanted: &[String]) -> Result<Values, Reject> {
        let found = self.regex.captures(line).ok_or(Reject::NoMatch)?;
        let value = |wanted: &String| {
            let of_name = |(group, name): (usize, &Option<String>)| {
                if name.as_ref() == Some(wanted) { found.get(group) } else { None }
            };
            self.names.iter().enumerate().find_map(of_name).map(|m| m.as_bytes().to_vec())
        };
        Ok(wanted.iter().map(value).collect())
    }
}

fn compile(pattern: &str) -> Result<Regex, RecountError> {
    Ok(RegexBuilder::new(pattern).size_limit(EXPRESSION_BYTES_MAX).build()?)
}

/// What has a meaning in grok, behind what only looks like it: an escape, a character class.
const TOKENS: &str = r"(?xs)
    \\. | \[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]
    | %\{ (?<syntax>\w+) (?: : (?<value>[^:}]+) (?: : [^}]*)? )? \}
    | (?<atomic>\(\?>) | \(\?P?< (?<name>[\w\[\].@-]+) >";

struct Grok {
    tokens: regex::Regex,
    patterns: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Grok {
    fn new(definitions: &BTreeMap<String, String>) -> Result<Self, RecountError> {
        let standard = standard_patterns();
        let mut patterns: BTreeMap<String, String> =
            standard.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        patterns.extend(definitions.clone());
        Ok(Self { tokens: regex::Regex::new(TOKENS)?, patterns, names: Vec::new() })
    }

    fn expand(&mut self, text: &str, depth: usize) -> Result<String, RecountError> {
        let tokens = self.tokens.clone();
        let mut out = String::new();
        let mut done = 0;
        for token in tokens.captures_iter(text) {
            let whole = token.get_match();
            out += &text[done..whole.start()];
            done = whole.end();
            if let Some(name) = token.name("name").or(token.name("value")) {
                out.extend(["(?<g", &self.names.len().to_string(), ">"]);
                self.names.push(name.as_str().to_owned());
            } else if token.name("syntax").or(token.name("atomic")).is_some() {
                out += "(?:";
            } else {
                out += whole.as_str();
            }
            if let Some(syntax) = token.name("syntax") {
                out += &self.named(syntax.as_str(), depth)?;
                out += ")";
            }
        }
        Ok(out + &text[done..])
    }

    fn named(&mut self, name: &str, depth: usize) -> Result<String, RecountError> {
        match self.patterns.get(name).cloned() {
            Some(text) if depth < GROK_DEPTH_MAX => self.expand(&text, depth + 1),
            _ => Err(RecountError::Grok(name.to_owned())),
        }
    }
}
