//! From nodes to plain values: checks types and field names, and collects what is wrong instead of
//! stopping at the first error. Knows nothing of what the values mean.

use std::cell::RefCell;
use std::time::Duration;

use logtally_core::duration::{self, InvalidDuration};

use crate::diagnostic::{Diagnostic, Location, Mark};
use crate::shape::Shape;
use crate::suggest::{list, one_of, similar};
use crate::tree::{Entry, Node, Value};

/// A file that is being read, and what was found wrong in it.
pub(crate) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
}

impl<'a> Reader<'a> {
    /// Begins with a file.
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, errors: RefCell::default(), warnings: RefCell::default() }
    }

    /// All errors, and all warnings.
    pub(crate) fn into_parts(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        (self.errors.into_inner(), self.warnings.into_inner())
    }

    /// Adds an error; a help that is empty is none.
    pub(crate) fn error(&self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.errors.borrow_mut().push(self.diagnostic(at, message.into(), help.into()));
    }

    /// Adds an error of another file.
    pub(crate) fn error_elsewhere(&self, error: Diagnostic) {
        self.errors.borrow_mut().push(error);
    }

    /// Adds a warning.
    pub(crate) fn warn(&self, at: Mark, message: impl Into<String>, help: impl Into<String>) {
        let warning = self.diagnostic(at, message.into(), help.into());
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    fn diagnostic(&self, at: Mark, message: String, help: String) -> Diagnostic {
        let location = Location::new(self.file, self.text, at);
        Diagnostic { location, message, help: Some(help).filter(|h| !h.is_empty()) }
    }

    fn wrong(&self, node: &Node, what: &str, expected: &str, help: &str) {
        self.error(
            node.mark,
            format!("`{what}` must be {expected}, not {}", node.describe()),
            help,
        );
    }

    /// A map with known fields.
    pub(crate) fn object<'n>(
        &'n self,
        node: &'n Node,
        what: &'n str,
        shape: &'static Shape,
    ) -> Option<Object<'n>> {
        let Value::Map(entries) = &node.value else {
            let fields: Vec<_> = shape.names().collect();
            self.wrong(node, what, "a map", &format!("its fields are {}", list(&fields)));
            return None;
        };
        for entry in entries {
            if shape.others.is_none() && shape.names().all(|name| name != entry.key) {
                self.unknown_field(&entry.key, entry.mark, shape);
            } else if entry.node.value == Value::Null {
                let message = format!("`{}` has no value", entry.key);
                self.error(entry.mark, message, "give it a value or remove the line");
            }
        }
        let object = Object { reader: self, node, what };
        let missing = |name: &str| {
            // A slip in the name was reported already, with the right one.
            let slip = |e: &Entry| similar(&e.key, shape.names()) == Some(name);
            node.get(name).is_none() && !entries.iter().any(slip)
        };
        for field in shape.fields.iter().filter(|f| f.required && missing(f.name)) {
            let message = format!("{} needs `{}`", shape.title, field.name);
            self.error(node.mark, message, format!("add `{}:` {}", field.name, lower(field.about)));
        }
        Some(object)
    }

    fn unknown_field(&self, key: &str, mark: Mark, shape: &Shape) {
        let fields: Vec<_> = shape.names().collect();
        let all = format!("the fields of {} are {}", shape.title, list(&fields));
        let help = match similar(key, shape.names()) {
            Some(name) => format!("did you mean `{name}`? {all}"),
            None => all,
        };
        self.error(mark, format!("unknown field `{key}`"), help);
    }

    /// A map with names that people choose.
    pub(crate) fn entries<'n>(&self, node: &'n Node, what: &str) -> Vec<(&'n str, Mark, &'n Node)> {
        let Value::Map(entries) = &node.value else {
            self.wrong(node, what, "a map", "write `name: value`, one per line");
            return Vec::new();
        };
        entries.iter().map(|e| (e.key.as_str(), e.mark, &e.node)).collect()
    }

    /// A text.
    pub(crate) fn text(&self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => return Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => {
                let quoted = format!("put it in quotes: '{}'", node.scalar().unwrap_or_default());
                self.wrong(node, what, "a text", &quoted);
            }
            // A field without a value was reported already.
            Value::Null => {}
            _ => self.wrong(node, what, "a text", ""),
        }
        None
    }

    /// A text, number or flag as it was written.
    pub(crate) fn scalar(&self, node: &Node, what: &str) -> Option<String> {
        let text = node.scalar();
        if text.is_none() && node.value != Value::Null {
            self.wrong(node, what, "a text", "");
        }
        text
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, node: &Node, what: &str) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        let help = match node.scalar().unwrap_or_default().to_lowercase().as_str() {
            "yes" | "on" | "y" => "write true",
            "no" | "off" | "n" => "write false",
            _ => "",
        };
        if node.value != Value::Null {
            self.wrong(node, what, "true or false", help);
        }
        None
    }

    /// A whole number from a minimum on.
    pub(crate) fn whole(&self, node: &Node, what: &str, min: u64) -> Option<u64> {
        let number = match &node.value {
            Value::Number(text) => text.parse().ok().filter(|n| *n >= min),
            _ => None,
        };
        if number.is_none() && node.value != Value::Null {
            self.wrong(node, what, &format!("a whole number from {min}"), "");
        }
        number
    }

    /// A decimal number, with the digits as they were written.
    pub(crate) fn decimal(&self, node: &Node, what: &str) -> Option<String> {
        let text = node.scalar().filter(|text| is_decimal(text));
        if text.is_none() && node.value != Value::Null {
            self.wrong(node, what, "a decimal number", "write it like 10, 0.25 or 1e6");
        }
        text
    }

    /// A time such as `500ms` or `1h30m`, more than none.
    pub(crate) fn duration(&self, node: &Node, what: &str) -> Option<Duration> {
        if node.value == Value::Null {
            return None;
        }
        let text = node.scalar().unwrap_or_default();
        match duration::parse(&text) {
            Ok(Duration::ZERO) => {
                let message = format!("`{what}` must be longer than 0");
                self.error(node.mark, message, "remove it to keep series forever");
                None
            }
            Ok(duration) => Some(duration),
            Err(error) => {
                self.wrong(node, what, "a duration", &duration_help(node, &error));
                None
            }
        }
    }

    /// One of several words.
    pub(crate) fn word(
        &self,
        node: &Node,
        what: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        if node.value == Value::Null {
            return None;
        }
        let text = node.scalar().unwrap_or_default();
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let help = similar(&text, words.iter().copied());
            let help = help.map(|word| format!("did you mean `{word}`?")).unwrap_or_default();
            self.wrong(node, what, &one_of(words), &help);
        }
        found
    }

    /// The items of a list.
    pub(crate) fn items<'n>(&self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => {
                self.wrong(node, what, "a list", "write it as [a, b], or one `- item` per line");
                &[]
            }
        }
    }
}

/// The items of a list, or the one value that stands in its place.
pub(crate) fn one_or_more(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Null => &[],
        _ => std::slice::from_ref(node),
    }
}

/// A map with known fields, whose names were checked.
#[derive(Clone, Copy)]
pub(crate) struct Object<'n> {
    /// Who collects the errors.
    pub reader: &'n Reader<'n>,
    /// The map.
    pub node: &'n Node,
    /// What it is called.
    pub what: &'n str,
}

impl<'n> Object<'n> {
    /// A field.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name)
    }

    /// Where a field's value stands, or the map if it is not there.
    pub(crate) fn mark(&self, name: &str) -> Mark {
        self.get(name).unwrap_or(self.node).mark
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.reader.text(self.get(name)?, name)
    }

    /// A text, number or flag as it was written.
    pub(crate) fn scalar(&self, name: &str) -> Option<String> {
        self.reader.scalar(self.get(name)?, name)
    }

    /// A flag, `false` if absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(|node| self.reader.flag(node, name)).unwrap_or(false)
    }

    /// A whole number of 1 or more.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.reader.whole(self.get(name)?, name, 1)
    }

    /// A decimal.
    pub(crate) fn decimal(&self, name: &str) -> Option<String> {
        self.reader.decimal(self.get(name)?, name)
    }

    /// One of several words.
    pub(crate) fn word(&self, name: &str, words: &[&'static str]) -> Option<&'static str> {
        self.reader.word(self.get(name)?, name, words)
    }

    /// A text or several.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let nodes = one_or_more(self.get(name)?);
        Some(nodes.iter().filter_map(|node| self.reader.text(node, name)).collect())
    }

    /// Adds an error at a field.
    pub(crate) fn error(&self, name: &str, message: impl Into<String>, help: impl Into<String>) {
        self.reader.error(self.mark(name), message, help);
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    format!("({first}{})", chars.as_str())
}

/// Whether a text is a decimal number: digits with an optional sign, fraction and exponent.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let some = !(whole.is_empty() && fraction.is_empty() || exponent.is_empty());
    some && digits(whole) && digits(fraction) && digits(exponent)
}

fn duration_help(node: &Node, error: &InvalidDuration) -> String {
    match (&node.value, error) {
        (Value::Number(text), _) if text.parse::<u64>().is_ok() => {
            format!("say which unit: {text}s, {text}m, {text}h or {text}d")
        }
        (_, InvalidDuration::OutOfOrder(_)) => {
            "the larger units come first, each once: 1h30m".into()
        }
        (_, InvalidDuration::TooLong(_)) => "the longest duration is 292y".into(),
        _ => "write it like 500ms, 10s, 5m, 2h or 7d".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_told_from_other_texts() {
        for good in ["0", "-1", "0.25", ".5", "1e6", "1.5E-3", "00.10"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", "-", ".", "1e", "0x1f", "1_000", "+1", "1,5", ".inf", "nan", "1 "] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }
}
