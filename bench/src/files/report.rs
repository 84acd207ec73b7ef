//! What was measured, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::case::Case;
use super::targets::{Target, targets};
use crate::machine::Machine;
use crate::table::{Table, figure, grouped};

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    runs: u32,
    seed: u64,
    /// Whether the page at the end of logtally's runs was left out.
    pub quiet: bool,
    /// Whether targets are looked at.
    pub checks_targets: bool,
    /// Versions of those it is compared with.
    pub peers: Vec<String>,
    /// Who is not there, and why.
    pub left_out: Vec<String>,
    /// By file.
    pub cases: Vec<Case>,
    targets: Vec<Target>,
}

impl Report {
    /// Without any runs.
    pub fn new(machine: Machine, runs: u32, seed: u64) -> Self {
        let (peers, left_out, cases, targets) = Default::default();
        let (quiet, checks_targets) = (false, true);
        Self { machine, runs, seed, quiet, checks_targets, peers, left_out, cases, targets }
    }

    /// All is measured.
    pub fn finish(&mut self) {
        if self.checks_targets {
            self.targets = targets(&self.cases);
        }
    }

    fn write_targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["target", "wanted", "measured", "so"]);
        for target in &self.targets {
            let (wanted, got) = target.written();
            table.row([target.what.to_owned(), wanted, got, target.verdict().to_owned()]);
        }
        writeln!(f, "{table}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = if self.quiet { "left out" } else { "written and thrown away" };
        writeln!(f, "{}.", self.machine)?;
        writeln!(
            f,
            "Medians of {} runs that took turns, seed {}; the page at the end of `run --once` is {page}. \
             Others: {}.\n",
            self.runs,
            self.seed,
            if self.peers.is_empty() { "nobody".to_owned() } else { self.peers.join(", ") }
        )?;
        if !self.checks_targets {
            writeln!(f, "A short run: that counts are right, and nothing of what they cost.\n")?;
        }
        for line in &self.left_out {
            writeln!(f, "- left out: {line}")?;
        }
        if !self.left_out.is_empty() {
            writeln!(f)?;
        }
        if !self.targets.is_empty() {
            self.write_targets(f)?;
        }
        for case in &self.cases {
            writeln!(
                f,
                "**{}**: {}; {} records, {} MB, {} series\n\n{}",
                case.kind,
                case.kind.describe(),
                grouped(case.records),
                figure(case.bytes as f64 / 1e6),
                grouped(case.series as u64),
                case.table()
            )?;
        }
        Ok(())
    }
}
