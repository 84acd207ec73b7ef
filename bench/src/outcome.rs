//! What a benchmark found, and what was promised: for people, for programs, and as a section of a
//! document.
//!
//! Must never show a figure without the runs that it comes from.

use std::fmt;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::docs;
use crate::machine::Machine;
use crate::output::Output;
use crate::stats::median;
use crate::table::{self, grouped};

/// Flags that say where the result goes.
#[derive(clap::Args, Debug)]
pub struct OutputArgs {
    /// A few seconds instead of minutes: whether all counts are exact, and not whether the targets are
    /// met.
    #[arg(long)]
    pub short: bool,

    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,

    /// Write the result into docs/performance.md, too.
    #[arg(long)]
    update_docs: bool,
}

/// Everything that a benchmark found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    benchmark: &'static str,
    machine: Machine,
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

    fn cells(&self) -> [String; 4] {
        let gap = if self.unit.is_empty() { "" } else { " " };
        let value = format!("{}{gap}{}", number(self.median), self.unit);
        let target = self.at_most.map(|most| format!("at most {}", number(most)));
        let met = self.is_met().map(|met| if met { "met" } else { "**missed**" });
        [self.what.clone(), value, target.unwrap_or_default(), met.unwrap_or_default().into()]
    }
}

impl Outcome {
    /// Nothing was found yet.
    pub fn new(benchmark: &'static str, how: String) -> Self {
        Self { benchmark, machine: Machine::now(), how, tables: Vec::new() }
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
        args.output.print(&self)?;
        if args.update_docs {
            ensure!(!args.short, "figures of a short run do not belong into a document");
            docs::update(&docs::performance(), self.benchmark, &self.to_string())?;
        }
        Ok(self.figures().all(|figure| figure.is_met() != Some(false)))
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.tables.iter().flat_map(|table| &table.figures)
    }

    fn forget_targets(&mut self) {
        for figure in self.tables.iter_mut().flat_map(|table| &mut table.figures) {
            figure.at_most = None;
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}. {}", self.machine, self.how)?;
        for Table { title, figures } in &self.tables {
            let mut table = table::Table::new([title.as_str(), "measured", "target", ""]);
            for figure in figures {
                table.row(figure.cells());
            }
            write!(f, "\n{table}")?;
        }
        Ok(())
    }
}

/// Three digits that count, and no exponents. Ratios are small, and `table::figure` would show nothing of
/// them.
#[expect(clippy::cast_sign_loss, reason = "times, sizes and ratios are not below 0")]
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 1.0 => format!("{value:.3}"),
        middle if middle < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => grouped(value.round() as u64),
    }
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
        assert_eq!(figure(2.1).cells(), ["x", "2.10 ms", "at most 2.00", "**missed**"]);
        assert_eq!(Figure::new("x", "", vec![]).is_met(), None);
    }
}
