//! What was measured, for people and for programs.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::data::Data;
use super::side::Side;
use super::targets::{Target, targets};
use super::workload::Kind;
use crate::child::Spent;
use crate::machine::Machine;
use crate::stats::median;
use crate::table::{Table, figure, grouped};

/// All runs of one side on one file.
#[derive(Clone, Debug, Serialize)]
pub struct Timed {
    /// Who.
    pub side: Side,
    /// Records of the file, which may be shorter than that of the others.
    pub records: u64,
    /// What the runs cost.
    pub runs: Vec<Spent>,
    /// What starting without any work cost, if that is taken off.
    pub starts: Vec<Spent>,
    /// Its file.
    #[serde(skip)]
    pub data: Data,
}

impl Timed {
    /// Not run yet.
    pub fn new(side: Side, data: Data) -> Self {
        Self { side, records: data.records, runs: Vec::new(), starts: Vec::new(), data }
    }

    /// Processor time of a run, the start included (seconds); the median, as all that follows.
    pub fn whole_cpu(&self) -> f64 {
        median(self.runs.iter().map(Spent::cpu))
    }

    /// Processor time of a start without any work; 0 if it is not taken off.
    pub fn start_cpu(&self) -> f64 {
        median(self.starts.iter().map(Spent::cpu))
    }

    /// Processor time that is compared.
    pub fn cpu(&self) -> f64 {
        (self.whole_cpu() - self.start_cpu()).max(0.0)
    }

    /// The same for one record (nanoseconds).
    pub fn ns(&self) -> f64 {
        self.cpu() * 1e9 / self.records as f64
    }

    /// From start to end (seconds).
    pub fn seconds(&self) -> f64 {
        median(self.runs.iter().map(|run| run.seconds))
    }

    fn peak_mib(&self) -> f64 {
        median(self.runs.iter().map(|run| run.peak_bytes as f64 / f64::from(1 << 20)))
    }
}

/// A file and all who have read it.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// What the file is like.
    pub kind: Kind,
    /// Its records, without the header.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// Series in it.
    pub series: usize,
    /// Who has read it.
    pub sides: Vec<Timed>,
}

impl Case {
    /// Nobody has read it yet.
    pub fn new(data: &Data) -> Result<Self> {
        let series = data.expected()?.len();
        let Data { kind, records, bytes, .. } = *data;
        Ok(Self { kind, records, bytes, series, sides: Vec::new() })
    }

    /// What a side took, if it has read the file.
    pub fn side(&self, side: Side) -> Option<&Timed> {
        self.sides.iter().find(|timed| timed.side == side)
    }

    fn table(&self) -> Table {
        let ours = self.side(Side::OneThread).map_or(f64::NAN, Timed::ns);
        let mut table = Table::new([
            "",
            "CPU, s",
            "of it start",
            "CPU, ns per record",
            "times logtally",
            "wall, s",
            "peak, MiB",
        ]);
        for timed in &self.sides {
            let less = if timed.records == self.records { "" } else { ", fewer lines" };
            let start = timed.start_cpu();
            table.row([
                format!("{}{less}", timed.side.name()),
                format!("{:.3}", timed.whole_cpu()),
                if timed.starts.is_empty() { String::new() } else { format!("{start:.3}") },
                figure(timed.ns()),
                figure(timed.ns() / ours),
                format!("{:.3}", timed.seconds()),
                figure(timed.peak_mib()),
            ]);
        }
        table
    }
}

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
