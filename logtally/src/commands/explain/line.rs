//! The line as its format sees it.

use std::collections::BTreeMap;
use std::path::Path;

use logtally_config::InputSpec;
use logtally_core::rule::Reject;
use logtally_count::input::Input;
use logtally_formats::{Cells, Format, Layout, Scan};
use logtally_rules::{Hits, Origin, Row, RuleSet};
use serde::Serialize;

use super::names::names;
use crate::usage::usage;

/// A column and its value in the line.
#[derive(Serialize)]
pub(super) struct Cell {
    /// The column.
    pub(crate) name: String,
    /// Its value; none if the line does not have it. What is not UTF-8 is replaced.
    pub(crate) value: Option<String>,
}

/// What the format made of the line.
pub(super) enum Parsed {
    /// A record that rules look at.
    Record,
    /// A header.
    Header,
    /// Nothing.
    Blank,
    /// A record that no rule can look at.
    Rejected(Reject),
}

/// The line.
pub(super) struct Line {
    /// Columns for people.
    pub(crate) columns: Vec<Cell>,
    /// What it is.
    pub(crate) parsed: Parsed,
    /// What a missing cell is called.
    pub(crate) missing: Reject,
    values: BTreeMap<String, Vec<u8>>,
    placeholders: BTreeMap<String, String>,
}

/// A line as the rules of a set see it.
pub(super) struct LineRow<'a> {
    line: &'a Line,
    columns: &'a [String],
}

impl Row for LineRow<'_> {
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.line.values.get(self.columns.get(slot)?).map(Vec::as_slice)
    }
}

impl Line {
    /// Parses a line, below the header that is in force, of the file at a path.
    pub(crate) fn parse(
        spec: &InputSpec,
        input: &Input,
        text: &str,
        header: Option<&str>,
        path: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let text = text.trim_end_matches(['\n', '\r']);
        let (format, wanted) = widest(spec, input, text, header)?;
        let mut line = Self {
            columns: Vec::new(),
            parsed: Parsed::Blank,
            missing: format.missing(),
            values: BTreeMap::new(),
            placeholders: placeholders(input, path),
        };
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(b'\n');
        let (body, quoted) = match format.scan(&bytes, true) {
            Scan::Record { body: 0, .. } | Scan::Incomplete => return Ok(line),
            Scan::Record { body, quoted, .. } => (body, quoted),
            Scan::Rejected { reason, .. } | Scan::RejectedOpen { reason, .. } => {
                line.parsed = Parsed::Rejected(reason);
                return Ok(line);
            }
        };
        let record = &bytes[..body];
        let at_start = input.format.has_header_first() && header.is_none();
        let may_be_header = at_start || input.next_marker(record, 0) < body;
        if may_be_header && input.format.header(record, at_start).is_some() {
            line.parsed = Parsed::Header;
            return Ok(line);
        }
        let layout = layout(&format, input, header)?;
        let mut cells = Cells::default();
        line.parsed = match format.cells(&layout, record, quoted, &mut cells) {
            Ok(()) => Parsed::Record,
            Err(reason) => Parsed::Rejected(reason),
        };
        if matches!(line.parsed, Parsed::Record) {
            line.take_cells(wanted, &cells, record);
        }
        Ok(line)
    }

    fn take_cells(&mut self, wanted: Vec<String>, cells: &Cells, record: &[u8]) {
        for (slot, name) in wanted.into_iter().enumerate() {
            let value = cells.get(record, slot);
            let text = value.map(|value| String::from_utf8_lossy(value).into_owned());
            if let Some(value) = value {
                self.values.insert(name.clone(), value.to_vec());
            }
            self.columns.push(Cell { name, value: text });
        }
    }

    /// The line as these rules see it.
    pub(crate) fn row<'a>(&'a self, rules: &'a RuleSet) -> LineRow<'a> {
        LineRow { line: self, columns: rules.columns() }
    }

    /// Whether the line has no such value.
    pub(crate) fn lacks(&self, column: &str) -> bool {
        !self.values.contains_key(column)
    }

    /// The values of the placeholders that these rules use.
    pub(crate) fn path(&self, rules: &RuleSet) -> Vec<Option<String>> {
        let value = |name: &String| self.placeholders.get(name).cloned();
        rules.placeholders().iter().map(value).collect()
    }

    /// The series that these rules find, or why they cannot.
    pub(crate) fn evaluate(&self, rules: &RuleSet) -> Result<Hits, Reject> {
        let path = self.path(rules);
        let origin = Origin { path: &path, position: 0, missing: self.missing };
        let mut hits = Hits::default();
        rules.evaluate(&self.row(rules), origin, &mut hits)?;
        hits.iter().try_for_each(|(hit, key)| hit.check(key))?;
        Ok(hits)
    }

    /// What becomes of it in the end, and why it is rejected.
    pub(crate) fn outcome(&self, input: &Input) -> (&'static str, Option<&'static str>) {
        match self.parsed {
            Parsed::Header => ("header", None),
            Parsed::Blank => ("blank", None),
            Parsed::Rejected(reason) => ("rejected", Some(reason.as_str())),
            Parsed::Record => match self.evaluate(&input.rules) {
                Ok(hits) if hits.is_empty() => ("filtered", None),
                Ok(_) => ("counted", None),
                Err(reason) => ("rejected", Some(reason.as_str())),
            },
        }
    }
}

/// A format that looks for further values as well, if it can; else the input's own.
fn widest(
    spec: &InputSpec,
    input: &Input,
    line: &str,
    header: Option<&str>,
) -> anyhow::Result<(Format, Vec<String>)> {
    let own = input.rules.columns();
    let mut wanted = own.to_vec();
    for name in names(&spec.format, line, header) {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    match Format::compile(&spec.format, &wanted) {
        Ok(format) => Ok((format, wanted)),
        Err(_) => Ok((Format::compile(&spec.format, own)?, own.to_vec())),
    }
}

fn layout(format: &Format, input: &Input, header: Option<&str>) -> anyhow::Result<Layout> {
    let Some(header) = header else { return Ok(format.start()) };
    let header = header.trim_end_matches(['\n', '\r']).as_bytes();
    if input.format.header(header, true).is_some()
        && let Some(layout) = format.header(header, true)
    {
        return Ok(layout);
    }
    let columns = input.rules.columns().join(", ");
    Err(usage(format!("--header does not have all columns that the rules need: {columns}")))
}

/// The values of the path's placeholders; without a path, their names in braces.
fn placeholders(input: &Input, path: Option<&Path>) -> BTreeMap<String, String> {
    let names = input.rules.placeholders();
    let values = match path {
        Some(path) => input.placeholder_values(path),
        None => names.iter().map(|name| Some(format!("{{{name}}}"))).collect(),
    };
    let pairs = names.iter().cloned().zip(values);
    pairs.filter_map(|(name, value)| Some((name, value?))).collect()
}
