//! Labels: from a record's cells to label values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use logtally_core::limits::LABEL_VALUE_BYTES_MAX;
use logtally_core::rule::{Reject, check_value};
use regex::Regex;

use crate::columns::Columns;
use crate::error::{Wrong, regex};
use crate::matched::Matched;
use crate::row::{Origin, Row};
use crate::spec;
use crate::spec::{Invalid, LabelSource, LabelSpec};

/// A compiled label.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    from: From,
    steps: Vec<Step>,
    missing: Invalid,
    invalid: Invalid,
    length_max: usize,
    truncate: bool,
    /// Whether the value goes into the key as it is, and is checked when the series is new.
    plain: bool,
}

#[derive(Clone, Debug)]
enum From {
    Column(usize),
    Constant(String),
    Path(usize),
}

#[derive(Clone, Debug)]
enum Step {
    Lower,
    Upper,
    Trim,
    Replace(Regex, String),
    Extract(Regex, String),
    Lookup(BTreeMap<String, String>),
}

impl Label {
    pub(crate) fn compile(spec: &LabelSpec, columns: &mut Columns) -> Result<Self, Wrong> {
        let from = match &spec.from {
            LabelSource::Column(column) => From::Column(columns.slot(column)),
            LabelSource::Constant(value) => From::Constant(value.clone()),
            LabelSource::Path(name) => From::Path(columns.placeholder(name)),
        };
        let step = |step: &spec::LabelStep| Step::compile(&spec.name, step);
        let steps: Vec<Step> = spec.steps.iter().map(step).collect::<Result<_, _>>()?;
        let plain = steps.is_empty()
            && spec.invalid == Invalid::Reject
            && spec.length_max.is_none()
            && spec.missing == Invalid::Reject;
        Ok(Self {
            from,
            steps,
            missing: spec.missing.clone(),
            invalid: spec.invalid.clone(),
            length_max: spec.length_max.unwrap_or(LABEL_VALUE_BYTES_MAX).min(LABEL_VALUE_BYTES_MAX),
            truncate: spec.truncate,
            plain,
        })
    }

    /// The slot of the column whose value it is, as it stands there.
    pub(crate) fn plain_column(&self) -> Option<usize> {
        match self.from {
            From::Column(slot) if self.plain => Some(slot),
            _ => None,
        }
    }

    /// Appends the value.
    pub(crate) fn push(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        out: &mut Vec<u8>,
    ) -> Matched<()> {
        let value = match &self.from {
            From::Column(slot) => row.get(*slot),
            From::Constant(value) => Some(value.as_bytes()),
            From::Path(slot) => {
                origin.path.get(*slot).and_then(Option::as_deref).map(str::as_bytes)
            }
        };
        match value {
            Some(value) if self.plain => {
                out.extend_from_slice(value);
                Matched::Yes(())
            }
            Some(value) => self.push_changed(value, origin, out),
            None => fall_back(&self.missing, origin.missing, out),
        }
    }

    fn push_changed(&self, value: &[u8], origin: Origin<'_>, out: &mut Vec<u8>) -> Matched<()> {
        let Ok(text) = std::str::from_utf8(value) else {
            return fall_back(&self.invalid, Reject::InvalidUtf8, out);
        };
        let mut text = Cow::Borrowed(text);
        for step in &self.steps {
            match step.apply(&text) {
                Some(Cow::Owned(changed)) => text = Cow::Owned(changed),
                Some(Cow::Borrowed(same)) if same.len() == text.len() => {}
                Some(Cow::Borrowed(part)) => text = Cow::Owned(part.to_owned()),
                None => return fall_back(&self.missing, Reject::Missing, out),
            }
        }
        if text.is_empty() && self.missing != Invalid::Reject {
            // Who says what a missing value is means an empty one as well.
            return fall_back(&self.missing, origin.missing, out);
        }
        let text = self.cut(&text);
        let too_long = text.len() > self.length_max;
        match check_value(text.as_bytes()) {
            Ok(_) if too_long => fall_back(&self.invalid, Reject::LabelTooLong, out),
            Ok(_) => {
                out.extend_from_slice(text.as_bytes());
                Matched::Yes(())
            }
            Err(reason) => fall_back(&self.invalid, reason, out),
        }
    }

    fn cut<'a>(&self, text: &'a str) -> &'a str {
        if !self.truncate {
            return text;
        }
        let end = (0..=self.length_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        &text[..end.unwrap_or(0)]
    }
}

fn fall_back(to: &Invalid, reason: Reject, out: &mut Vec<u8>) -> Matched<()> {
    match to {
        Invalid::Reject => Matched::Rejected(reason),
        Invalid::Skip => Matched::No,
        Invalid::Default(text) => {
            out.extend_from_slice(text.as_bytes());
            Matched::Yes(())
        }
    }
}

impl Step {
    fn compile(label: &str, step: &spec::LabelStep) -> Result<Self, Wrong> {
        Ok(match step {
            spec::LabelStep::Lower => Self::Lower,
            spec::LabelStep::Upper => Self::Upper,
            spec::LabelStep::Trim => Self::Trim,
            spec::LabelStep::Replace { regex: text, with } => {
                Self::Replace(regex(&format!("labels.{label}.replace"), text)?, with.clone())
            }
            spec::LabelStep::Extract { regex: text, to } => {
                Self::Extract(regex(&format!("labels.{label}.extract"), text)?, to.clone())
            }
            spec::LabelStep::Lookup { table } => Self::Lookup(table.clone()),
        })
    }

    /// The changed text; `None` if there is none.
    fn apply<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        match self {
            Self::Lower if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) => {
                Some(text.into())
            }
            Self::Lower => Some(text.to_lowercase().into()),
            Self::Upper => Some(text.to_uppercase().into()),
            Self::Trim => Some(text.trim().into()),
            Self::Replace(regex, with) => Some(regex.replace_all(text, with.as_str())),
            Self::Extract(regex, to) => {
                let captures = regex.captures(text)?;
                let mut value = String::new();
                captures.expand(to, &mut value);
                Some(value.into())
            }
            Self::Lookup(table) => Some(table.get(text)?.clone().into()),
        }
    }
}
