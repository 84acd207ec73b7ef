//! The text format 0.0.4 of Prometheus, line by line.
//!
//! Must never read more into a line than it says: what belongs to which metric, and what its value
//! means, is for `convert`. Names, values and most texts are borrowed from the body.

use std::borrow::Cow;

use logtally_core::limits::{LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use logtally_core::names::{is_label_char, is_label_name, is_metric_char, is_metric_name};
use logtally_core::rule::{Reject, check_value};

/// The type of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Type {
    /// Only goes up.
    Counter,
    /// Any value.
    Gauge,
    /// Nobody said.
    Untyped,
    /// Values by bucket.
    Histogram,
    /// Quantiles, with sum and count.
    Summary,
}

/// A line that says something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    /// `# HELP name text`
    Help(&'a str, Cow<'a, str>),
    /// `# TYPE name type`
    Type(&'a str, Type),
    /// `name{label="value",…} value`
    Sample(Sample<'a>),
}

/// A sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sample<'a> {
    /// Its name, `_bucket`, `_sum` or `_count` included.
    pub name: &'a str,
    /// Its labels as they stand there; each name occurs once.
    pub labels: Vec<(&'a str, Cow<'a, str>)>,
    /// Its value, unread.
    pub value: &'a str,
}

/// Why a line cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SyntaxError {
    /// The body ends inside a line, perhaps too early.
    #[error("the last line does not end with a line feed, so it may be cut off")]
    NoLineFeed,
    /// Lines of another system.
    #[error("the line ends with a carriage return; lines end with a line feed alone")]
    CarriageReturn,
    /// Bytes that are no text.
    #[error("the line is not valid UTF-8")]
    NotUtf8,
    /// A zero byte.
    #[error("the line has a zero byte, which no series can have")]
    Nul,
    /// No name of a metric where one must be.
    #[error(
        "`{0}` does not begin with the name of a metric: letters, digits, `_` and `:`, no digit first"
    )]
    Name(String),
    /// A name that is too long.
    #[error("the name of a metric has at most {LABEL_VALUE_BYTES_MAX} bytes")]
    NameTooLong,
    /// A type that is none.
    #[error("`{0}` is not a type; there is counter, gauge, histogram, summary and untyped")]
    Type(String),
    /// Labels that do not follow the grammar.
    #[error("the labels of `{0}` must be written as {{name=\"value\",…}}")]
    Labels(String),
    /// A label name with a meaning of its own.
    #[error("label `{0}` begins with `__`, which Prometheus keeps for itself")]
    ReservedLabel(String),
    /// A label occurs twice.
    #[error("label `{0}` occurs twice")]
    LabelTwice(String),
    /// Too many labels.
    #[error("a series has at most {LABELS_MAX} labels, those of its group and of buckets included")]
    TooManyLabels,
    /// A label value that is too long.
    #[error("the value of label `{0}` is longer than {LABEL_VALUE_BYTES_MAX} bytes")]
    LabelTooLong(String),
    /// A help that is too long.
    #[error("the help of `{0}` is longer than {LABEL_VALUE_BYTES_MAX} bytes")]
    HelpTooLong(String),
    /// A backslash before something else.
    #[error("a backslash stands before `n`, `\"` or another backslash only")]
    Escape,
    /// No value.
    #[error("`{0}` has no value")]
    NoValue(String),
    /// A time behind the value.
    #[error(
        "`{0}` has a timestamp; leave it away: Prometheus takes the time of its scrape, and would drop \
         a pushed series as stale five minutes after its own time"
    )]
    Timestamp(String),
    /// Something else behind the value.
    #[error("`{0}` has more than a value behind its name and labels")]
    Trailing(String),
}

/// The lines of a body that say something, each with its number.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    /// The lines of a body.
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body, number: 0 }
    }

    fn next_bytes(&mut self) -> Option<Result<&'a [u8], SyntaxError>> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let Some(end) = memchr::memchr(b'\n', self.rest) else {
            self.rest = &[];
            return Some(Err(SyntaxError::NoLineFeed));
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Some(Ok(line))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, Result<Line<'a>, SyntaxError>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.next_bytes()?;
            if let Some(line) = line.and_then(read_line).transpose() {
                return Some((self.number, line));
            }
        }
    }
}

/// A line, unless it says nothing.
fn read_line(bytes: &[u8]) -> Result<Option<Line<'_>>, SyntaxError> {
    if bytes.ends_with(b"\r") {
        return Err(SyntaxError::CarriageReturn);
    }
    if memchr::memchr(0, bytes).is_some() {
        return Err(SyntaxError::Nul);
    }
    let line = std::str::from_utf8(bytes).map_err(|_| SyntaxError::NotUtf8)?;
    let line = line.trim_start_matches(BLANKS);
    match line.strip_prefix('#') {
        Some(comment) => read_comment(comment.trim_start_matches(BLANKS)),
        None if line.is_empty() => Ok(None),
        None => read_sample(line).map(|sample| Some(Line::Sample(sample))),
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn read_comment(comment: &str) -> Result<Option<Line<'_>>, SyntaxError> {
    let (word, rest) = cut_word(comment);
    if !matches!(word, "HELP" | "TYPE") {
        return Ok(None);
    }
    let (name, text) = cut_word(rest);
    if !is_metric_name(name) {
        return Err(SyntaxError::Name(shown(rest)));
    }
    check_length(name)?;
    Ok(Some(match word {
        "HELP" => Line::Help(name, read_help(name, text)?),
        _ => Line::Type(name, read_type(text)?),
    }))
}

/// A word, and what follows the blanks behind it.
fn cut_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(text.find(BLANKS).unwrap_or(text.len()));
    (word, rest.trim_start_matches(BLANKS))
}

fn read_help<'a>(name: &str, text: &'a str) -> Result<Cow<'a, str>, SyntaxError> {
    if text.len() > LABEL_VALUE_BYTES_MAX {
        return Err(SyntaxError::HelpTooLong(name.to_owned()));
    }
    unescaped(text)
}

fn read_type(text: &str) -> Result<Type, SyntaxError> {
    let text = text.trim_end_matches(BLANKS);
    let types = [
        ("counter", Type::Counter),
        ("gauge", Type::Gauge),
        ("untyped", Type::Untyped),
        ("histogram", Type::Histogram),
        ("summary", Type::Summary),
    ];
    let found = types.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
    found.map(|(_, metric_type)| *metric_type).ok_or_else(|| SyntaxError::Type(shown(text)))
}

fn read_sample(line: &str) -> Result<Sample<'_>, SyntaxError> {
    let end = line.find(|c| !is_metric_char(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !is_metric_name(name) || !rest.starts_with(|c| BLANKS.contains(&c) || c == '{') {
        let is_whole = rest.is_empty() && is_metric_name(name);
        return Err(if is_whole {
            SyntaxError::NoValue(shown(name))
        } else {
            SyntaxError::Name(shown(line))
        });
    }
    check_length(name)?;
    let rest = rest.trim_start_matches(BLANKS);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => read_labels(name, labels)?,
        None => (Vec::new(), rest),
    };
    let (value, behind) = cut_word(rest.trim_start_matches(BLANKS));
    if value.is_empty() {
        return Err(SyntaxError::NoValue(name.to_owned()));
    }
    check_end(name, behind.trim_end_matches(BLANKS))?;
    Ok(Sample { name, labels, value })
}

fn check_end(name: &str, behind: &str) -> Result<(), SyntaxError> {
    if behind.is_empty() {
        Ok(())
    } else if behind.parse::<i64>().is_ok() {
        Err(SyntaxError::Timestamp(name.to_owned()))
    } else {
        Err(SyntaxError::Trailing(name.to_owned()))
    }
}

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// The labels behind an opening brace, and what follows the closing one.
fn read_labels<'a>(metric: &str, mut rest: &'a str) -> Result<(Labels<'a>, &'a str), SyntaxError> {
    let wrong = || SyntaxError::Labels(metric.to_owned());
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest.find(|c: char| !is_label_char(c)).ok_or_else(wrong)?;
        let (name, after) = rest.split_at(end);
        let after = after.trim_start_matches(BLANKS).strip_prefix('=').ok_or_else(wrong)?;
        let quoted = after.trim_start_matches(BLANKS).strip_prefix('"').ok_or_else(wrong)?;
        let (value, after) = cut_quoted(quoted).ok_or_else(wrong)?;
        push_label(metric, &mut labels, name, value)?;
        rest = after.trim_start_matches(BLANKS);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err(wrong()),
        }
    }
}

/// The text up to a quote, and what follows it.
fn cut_quoted(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 2;
    }
}

fn push_label<'a>(
    metric: &str,
    labels: &mut Labels<'a>,
    name: &'a str,
    value: &'a str,
) -> Result<(), SyntaxError> {
    if !is_label_name(name) {
        return Err(SyntaxError::Labels(metric.to_owned()));
    }
    if name.starts_with("__") {
        return Err(SyntaxError::ReservedLabel(shown(name)));
    }
    if labels.iter().any(|(before, _)| *before == name) {
        return Err(SyntaxError::LabelTwice(shown(name)));
    }
    if labels.len() == LABELS_MAX {
        return Err(SyntaxError::TooManyLabels);
    }
    let value = unescaped(value)?;
    match check_value(value.as_bytes()) {
        Err(Reject::LabelTooLong) => return Err(SyntaxError::LabelTooLong(shown(name))),
        Err(_) => return Err(SyntaxError::Nul),
        Ok(_) => {}
    }
    labels.push((name, value));
    Ok(())
}

fn unescaped(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(escaped @ ('\\' | '"'))) => out.push(escaped),
            ('\\', _) => return Err(SyntaxError::Escape),
            (c, _) => out.push(c),
        }
    }
    Ok(Cow::Owned(out))
}

fn check_length(name: &str) -> Result<(), SyntaxError> {
    if name.len() > LABEL_VALUE_BYTES_MAX { Err(SyntaxError::NameTooLong) } else { Ok(()) }
}

/// The beginning of a text that may be long.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests;
