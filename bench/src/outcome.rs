//! What a benchmark found, and what was promised: for people, for programs, and as a section of a
//! document.
//!
//! Must never show a figure without the runs that it comes from.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;

use crate::cpu;
use crate::stats::median;

/// Flags that say where the result goes.
#[derive(clap::Args, Debug)]
pub struct OutputArgs {
    /// A few seconds instead of minutes: whether all counts are exact, and not whether the targets are
    /// met.
    #[arg(long)]
    pub short: bool,

    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    output: Form,

    /// Write the result into a document, too, between the markers of this benchmark.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/performance.md")]
    update_docs: Option<PathBuf>,
}

/// How the result is written.
#[derive(Clone, Copy, Default, Debug, ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Everything that a benchmark found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    benchmark: &'static str,
    version: &'static str,
    processor: String,
    processors: usize,
    /// How it was measured, in a sentence or two.
    how: String,
    tables: Vec<Table>,
}

/// Figures that belong together.
#[derive(Debug, Serialize)]
struct Table {
    title: String,
    figures: Vec<Figure>,
}

/// Something that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    what: String,
    unit: &'static str,
    /// In the middle of all runs.
    median: f64,
    runs: Vec<f64>,
    /// The most that is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
}

impl Figure {
    /// A figure of some runs.
    pub fn new(what: impl Into<String>, unit: &'static str, runs: Vec<f64>) -> Self {
        Self { what: what.into(), unit, median: median(runs.iter().copied()), runs, at_most: None }
    }

    /// The quotient of two figures.
    pub fn ratio(what: impl Into<String>, of: &Self, to: &Self) -> Self {
        Self::new(what, "", vec![of.median / to.median])
    }

    /// With the most that is promised.
    #[must_use]
    pub fn at_most(self, at_most: f64) -> Self {
        Self { at_most: Some(at_most), ..self }
    }

    fn is_met(&self) -> Option<bool> {
        self.at_most.map(|most| self.median <= most)
    }

    fn row(&self) -> String {
        let Self { what, unit, median, .. } = self;
        let (value, gap) = (number(*median), if unit.is_empty() { "" } else { " " });
        let target = match (self.at_most, self.is_met()) {
            (Some(most), Some(true)) => format!("at most {}: met", number(most)),
            (Some(most), _) => format!("at most {}: **missed**", number(most)),
            _ => String::new(),
        };
        format!("| {what} | {value}{gap}{unit} | {target} |\n")
    }
}

impl Outcome {
    /// Nothing was found yet.
    pub fn new(benchmark: &'static str, how: String) -> Self {
        let (processor, processors) = (cpu::model(), cpu::count());
        let version = env!("CARGO_PKG_VERSION");
        Self { benchmark, version, processor, processors, how, tables: Vec::new() }
    }

    /// Adds figures that belong together.
    pub fn add(&mut self, title: impl Into<String>, figures: Vec<Figure>) {
        self.tables.push(Table { title: title.into(), figures });
    }

    /// Writes everything where it is wanted. Whether all targets are met, if they are to be checked.
    pub fn publish(mut self, args: &OutputArgs) -> Result<bool> {
        if args.short {
            self.forget_targets();
        }
        match args.output {
            Form::Table => print!("{self}"),
            Form::Json => println!("{}", serde_json::to_string_pretty(&self)?),
        }
        if let Some(path) = &args.update_docs {
            ensure!(!args.short, "figures of a short run do not belong into a document");
            update(path, self.benchmark, &self.to_string())?;
        }
        Ok(self.figures().all(|figure| figure.is_met() != Some(false)))
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.tables.iter().flat_map(|table| &table.figures)
    }

    fn forget_targets(&mut self) {
        let figures = self.tables.iter_mut().flat_map(|table| &mut table.figures);
        figures.for_each(|figure| figure.at_most = None);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, processors, processor, how, .. } = self;
        writeln!(f, "logtally {version}, {processors} x {processor}. {how}")?;
        for Table { title, figures } in &self.tables {
            writeln!(f, "\n| {title} | measured | target |\n| --- | ---: | :--- |")?;
            figures.iter().try_for_each(|figure| f.write_str(&figure.row()))?;
        }
        Ok(())
    }
}

/// Three digits that count, and no exponents.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 1.0 => format!("{value:.3}"),
        middle if middle < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => grouped(&format!("{value:.0}")),
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replaces what stands between the markers of a benchmark, or appends it with its markers.
fn update(path: &Path, benchmark: &str, text: &str) -> Result<()> {
    let old = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let new = replaced(&old, benchmark, text)
        .with_context(|| format!("{} has one of the two markers of {benchmark}", path.display()))?;
    fs::write(path, new).with_context(|| path.display().to_string())
}

fn replaced(old: &str, benchmark: &str, text: &str) -> Option<String> {
    let (begin, end) =
        (format!("<!-- bench:{benchmark} -->\n"), format!("<!-- /bench:{benchmark} -->\n"));
    let mut new = String::new();
    let (before, after) = match (old.split_once(&begin), old.split_once(&end)) {
        (Some((before, _)), Some((_, after))) => (before.to_owned(), after),
        (None, None) => (format!("{old}\n"), ""),
        _ => return None,
    };
    write!(new, "{before}{begin}\n{text}\n{end}{after}").ok()?;
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are_known() {
        let numbers = [0.0, 0.0012, 0.1234, 1.234, 12.34, 999.4, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0", "0.0012", "0.123", "1.23", "12.3", "999", "1,234,567"]);
    }

    #[test]
    fn one_target_that_is_missed_is_enough() {
        let figure = |n: f64| Figure::new("x", "ms", vec![n - 1.0, n, n + 7.0]).at_most(2.0);
        assert_eq!([2.0, 2.1].map(|n| figure(n).is_met()), [Some(true), Some(false)]);
        assert_eq!(figure(2.1).row(), "| x | 2.10 ms | at most 2.00: **missed** |\n");
        assert_eq!(Figure::new("x", "", vec![]).is_met(), None);
    }

    #[test]
    fn a_section_is_replaced_where_it_stands_and_appended_where_it_does_not() {
        let one = replaced("# Doc\n", "a", "1\n").expect("appended");
        assert_eq!(one, "# Doc\n\n<!-- bench:a -->\n\n1\n\n<!-- /bench:a -->\n");
        let two = replaced(&(one + "end\n"), "a", "2\n").expect("replaced");
        assert_eq!(two, "# Doc\n\n<!-- bench:a -->\n\n2\n\n<!-- /bench:a -->\nend\n");
        assert_eq!(replaced("<!-- bench:a -->\n", "a", ""), None);
    }
}
