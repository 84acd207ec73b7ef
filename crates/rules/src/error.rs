//! What can be wrong with a rule, with the place in it and the fix.

/// Why a rule cannot be compiled.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rule {}, {field}: {message}", rule + 1)]
pub struct RuleError {
    /// Index of the rule.
    pub rule: usize,
    /// Where in the rule: `when`, `labels.status.extract`, `value.scale`, `relabel.0.regex`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A [`RuleError`] before it is known which rule it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub field: String,
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn in_rule(self, rule: usize) -> RuleError {
        let Self { field, message, help } = self;
        RuleError { rule, field, message, help }
    }
}

/// Compiles an expression that is searched in values.
pub(crate) fn regex(field: &str, text: &str) -> Result<regex::Regex, Wrong> {
    regex::Regex::new(text).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Wrong::new(field, format!("not a valid regular expression: {last}"))
            .help("look-around and back references are not supported; a backslash stands for itself between single quotes")
    })
}
