//! Conditions: which records a rule matches. A column that a record does not have is an empty text.

use logtally_core::decimal::Decimal;
use regex::bytes::Regex;

use crate::cel_condition::CelCondition;
use crate::error::{Wrong, regex};
use crate::row::Row;
use crate::spec::Compare;
use crate::time::Time;

/// A compiled condition.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Sorted texts.
    In(usize, Vec<Box<[u8]>>),
    Matches(usize, Regex),
    Number(usize, Compare, Decimal),
    Time(Time, Compare, i64),
    Cel(Box<CelCondition>),
}

impl Condition {
    /// The column is one of the texts.
    pub(crate) fn texts<'a>(slot: usize, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut texts: Vec<Box<[u8]>> = texts.into_iter().map(|t| t.as_bytes().into()).collect();
        texts.sort_unstable();
        texts.dedup();
        Self::In(slot, texts)
    }

    /// The column matches.
    pub(crate) fn matches(field: &str, slot: usize, text: &str) -> Result<Self, Wrong> {
        // Checked as an expression over text, so that `.` and classes mean characters; then searched
        // in bytes, which need no check.
        regex(field, text)?;
        let compiled = Regex::new(text).map_err(|e| Wrong::new(field, e.to_string()))?;
        Ok(Self::Matches(slot, compiled))
    }

    /// Whether the record fulfils the condition.
    pub(crate) fn holds(&self, row: &impl Row) -> bool {
        let text = |slot: usize| row.get(slot).unwrap_or_default();
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Not(part) => !part.holds(row),
            Self::In(slot, texts) => match texts.as_slice() {
                [only] => **only == *text(*slot),
                texts => texts.binary_search_by(|t| (**t).cmp(text(*slot))).is_ok(),
            },
            Self::Matches(slot, regex) => regex.is_match(text(*slot)),
            Self::Number(slot, compare, with) => {
                row.number(*slot).is_some_and(|value| compare.holds(&value, with))
            }
            Self::Time(time, compare, with) => {
                time.of(row).is_some_and(|value| compare.holds(&value, with))
            }
            Self::Cel(cel) => cel.holds(row),
        }
    }

    /// Whether there are values of which it says neither yes nor no, but no for want of a better.
    pub(crate) fn can_fail(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::can_fail),
            Self::Not(part) => part.can_fail(),
            Self::In(..) | Self::Matches(..) => false,
            Self::Number(..) | Self::Time(..) | Self::Cel(_) => true,
        }
    }

    /// A column and texts of which it must have one, if the condition demands such.
    pub(crate) fn required_texts(&self) -> Option<(usize, &[Box<[u8]>])> {
        match self {
            Self::In(slot, texts) => Some((*slot, texts)),
            Self::All(parts) => parts.iter().find_map(Self::required_texts),
            _ => None,
        }
    }
}

impl Compare {
    fn holds<T: Ord>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Eq => a == b,
            Self::Ne => a != b,
            Self::Lt => a < b,
            Self::Le => a <= b,
            Self::Gt => a > b,
            Self::Ge => a >= b,
        }
    }
}
