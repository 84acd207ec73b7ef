//! What is wrong, where it stands, and how to put it right, as a compiler would say it. Decides
//! nothing, and never shows more of a file than the line in question.

use std::fmt;

/// Characters of a line that are shown; of a longer one, those around the place.
const LINE_SHOWN_MAX: usize = 120;

/// A place in a text, in characters, from 1. Line 0 is the text as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Mark {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// How many characters are meant.
    pub width: u32,
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Location {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 if the whole file is meant.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters are meant, at least 1.
    pub width: u32,
    /// The line's text.
    pub text: String,
}

impl Location {
    /// The place of a mark in a file's text.
    pub(crate) fn new(file: &str, text: &str, mark: Mark) -> Self {
        let line = text.lines().nth((mark.line as usize).wrapping_sub(1)).unwrap_or_default();
        let behind = (line.chars().count() as u32 + 1).saturating_sub(mark.column);
        Self {
            file: file.to_owned(),
            line: mark.line,
            column: mark.column,
            width: mark.width.min(behind).max(1),
            text: line
                .chars()
                .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
                .collect(),
        }
    }

    /// A file as a whole.
    pub(crate) fn file(name: &str) -> Self {
        Self { file: name.to_owned(), ..Self::default() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// One thing that is wrong, or suspicious.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Where.
    pub location: Location,
    /// What.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}

impl Diagnostic {
    /// As a compiler would print it: place and message, the line, a caret, the way out.
    pub fn render(&self, severity: &str) -> String {
        let mut out = format!("{}: {severity}: {}\n", self.location, self.message);
        if self.location.line > 0 {
            out.push_str(&self.excerpt());
        }
        if let Some(help) = &self.help {
            out.push_str("  help: ");
            out.push_str(help);
            out.push('\n');
        }
        out
    }

    fn excerpt(&self) -> String {
        let at = &self.location;
        let column = (at.column as usize).saturating_sub(1);
        let long = at.text.chars().count() > LINE_SHOWN_MAX;
        let skipped = if long { column.saturating_sub(LINE_SHOWN_MAX / 2) } else { 0 };
        let line: Vec<char> = at.text.chars().skip(skipped).take(LINE_SHOWN_MAX).collect();
        let before = line.iter().take(column - skipped);
        let blank: String = before.map(|&c| if c == '\t' { '\t' } else { ' ' }).collect();
        let carets = (at.width as usize).min((line.len() + 1).saturating_sub(column - skipped));
        let number = at.line.to_string();
        let gutter = " ".repeat(number.len());
        format!(
            "  {gutter} |\n  {number} | {}\n  {gutter} | {blank}{}\n",
            line.into_iter().collect::<String>(),
            "^".repeat(carets.max(1)),
        )
    }
}

/// What is wrong with a configuration: one thing or more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    diagnostics: Vec<Diagnostic>,
}

impl ConfigError {
    /// What is wrong, in the order of the lines.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Both errors, each place and message once: a rule of several inputs is compiled several times.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for diagnostic in other.diagnostics {
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
        }
        self
    }

    pub(crate) fn new(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|d| (d.location.line, d.location.column));
        diagnostics.dedup();
        Self { diagnostics }
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts: Vec<_> = self.diagnostics.iter().map(|d| d.render("error")).collect();
        f.write_str(parts.join("\n").trim_end())
    }
}

impl std::error::Error for ConfigError {}

/// An error about a whole line of another file.
pub(crate) fn line_error(
    file: &str,
    text: &str,
    index: usize,
    message: &str,
    help: &str,
) -> Diagnostic {
    let width = text.lines().nth(index).map_or(0, |line| line.chars().count() as u32);
    let mark = Mark { line: index as u32 + 1, column: 1, width };
    Diagnostic {
        location: Location::new(file, text, mark),
        message: message.to_owned(),
        help: Some(help.to_owned()),
    }
}
