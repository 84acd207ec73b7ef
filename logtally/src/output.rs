//! What commands print: aligned columns for people, JSON for programs, and nothing else on standard
//! output. Never colours, never wraps: what is printed can be cut and searched line by line.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Output {
    /// Text for people.
    #[default]
    Text,
    /// JSON for programs; the names of its fields are stable.
    Json,
}

/// The flag that chooses it.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct OutputArgs {
    /// Print text for people, or JSON for programs.
    #[arg(short = 'o', long = "output", value_enum, default_value = "text")]
    pub(crate) output: Output,
}

impl OutputArgs {
    /// Prints a value as JSON, or else the text.
    pub(crate) fn print(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        match self.output {
            Output::Text => print(&text()),
            Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(value)?)),
        }
    }
}

/// Prints on standard output. A reader that has seen enough (`head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Rows in aligned columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these headings; those that begin with `>` stand over numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let right = headings.iter().map(|heading| heading.starts_with('>')).collect();
        let heading = |h: &&str| h.trim_start_matches('>').to_owned();
        Self { rows: vec![headings.iter().map(heading).collect()], right }
    }

    /// Adds a row.
    pub(crate) fn row<S: ToString>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell.to_string())).collect());
    }

    /// The text, a line per row.
    pub(crate) fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                // Writing to a string does not fail.
                let _ = if *right {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A text without what would break a line or move the cursor.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A number with its noun: `1 record`, `2 records`.
pub(crate) fn count_of(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {}", plural(noun)) }
}

fn plural(noun: &str) -> String {
    match noun {
        "series" => "series".to_owned(),
        noun => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_right() {
        let mut table = Table::new(&["path", ">lag", "state"]);
        table.row(["a.csv", "5", "reading"]);
        table.row(["much/longer\n.csv", "12345", ""]);
        let expected = "path                lag  state\n\
                        a.csv                 5  reading\n\
                        much/longer\u{fffd}.csv  12345\n";
        assert_eq!(table.render(), expected);
    }

    #[test]
    fn nouns_have_their_number() {
        assert_eq!(count_of(1, "record"), "1 record");
        assert_eq!(count_of(0, "record"), "0 records");
        assert_eq!(count_of(2, "series"), "2 series");
    }
}
