//! Regular expressions, searched in each record; their named groups are the values.
//!
//! Time is linear in the record's length: expressions that would need more (look-around, references
//! back) do not compile. Expressions are Unicode: `.` is a character and never a byte that belongs to
//! none, so a line that is no UTF-8 matches only where the expression says `(?-u)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use logtally_core::limits::EXPRESSION_BYTES_MAX;
use logtally_core::rule::Reject;
use regex::bytes::{Regex, RegexBuilder};

use crate::cells::{Cells, LINE, Place};
use crate::error::FormatError;
use crate::grok;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    /// Shared, so that [`Cells`] can keep its room for the groups of a match from record to record.
    regex: Arc<Regex>,
    /// Per wanted column, the groups that may have it: the first that took part counts.
    groups: Vec<Vec<usize>>,
}

impl Expression {
    pub(crate) fn regex(pattern: &str, wanted: &[String]) -> Result<Self, FormatError> {
        let regex = compile(pattern).map_err(|e| FormatError::Pattern { reason: e.to_string() })?;
        let groups: Vec<(usize, String)> = named_groups(&regex).collect();
        Self::new(regex, &groups, wanted)
    }

    pub(crate) fn grok(
        pattern: &str,
        definitions: &BTreeMap<String, String>,
        wanted: &[String],
    ) -> Result<Self, FormatError> {
        let expanded = grok::expand(pattern, definitions)?;
        // The expanded expression is long, and nobody wrote it: only what is wrong with it helps.
        let regex = compile(&expanded.regex).map_err(|e| FormatError::Pattern {
            reason: e.to_string().lines().last().unwrap_or_default().to_owned(),
        })?;
        let groups: Vec<(usize, String)> = named_groups(&regex)
            .filter_map(|(group, name)| {
                Some((group, expanded.names.get(grok::group_number(&name)?)?.clone()))
            })
            .collect();
        Self::new(regex, &groups, wanted)
    }

    fn new(
        regex: Regex,
        named: &[(usize, String)],
        wanted: &[String],
    ) -> Result<Self, FormatError> {
        let mut groups = Vec::with_capacity(wanted.len());
        for column in wanted {
            let of: Vec<usize> =
                named.iter().filter(|(_, name)| name == column).map(|(group, _)| *group).collect();
            if of.is_empty() && column != LINE {
                return Err(unknown(column, named));
            }
            groups.push(of);
        }
        Ok(Self { regex: Arc::new(regex), groups })
    }

    pub(crate) fn cells(&self, record: &[u8], cells: &mut Cells) -> Result<(), Reject> {
        let (regex, mut captures) = match cells.captures.take() {
            Some((regex, captures)) if Arc::ptr_eq(&regex, &self.regex) => (regex, captures),
            _ => (Arc::clone(&self.regex), self.regex.capture_locations()),
        };
        let is_match = regex.captures_read(&mut captures, record).is_some();
        if is_match {
            for (slot, groups) in self.groups.iter().enumerate() {
                let span = groups.iter().find_map(|group| captures.get(*group));
                if let Some((from, to)) = span {
                    cells.put(slot, Place::Record(from..to));
                }
            }
        }
        cells.captures = Some((regex, captures));
        if is_match { Ok(()) } else { Err(Reject::NoMatch) }
    }
}

fn named_groups(regex: &Regex) -> impl Iterator<Item = (usize, String)> {
    regex.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.to_owned())))
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(EXPRESSION_BYTES_MAX).build()
}

fn unknown(column: &str, named: &[(usize, String)]) -> FormatError {
    let mut known: Vec<String> = Vec::new();
    for (_, name) in named {
        if !known.contains(name) {
            known.push(name.clone());
        }
    }
    known.push(LINE.to_owned());
    FormatError::UnknownColumn { column: column.to_owned(), known, field: "pattern" }
}
