//! What becomes of the cost when something grows: files, series, partitions, exporters. What is counted
//! stays the same meanwhile, so the cost should, too.

mod data;

mod size;

mod experiment;

mod files;

mod system;

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use self::experiment::Experiment;
use self::size::Size;
use crate::machine::{self, Machine};
use crate::output::Output;
use crate::{docs, output, svg};

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Small sizes: whether all works, and not how it grows.
    #[arg(long, conflicts_with = "full")]
    short: bool,

    /// Up to 10 million series.
    #[arg(long)]
    full: bool,

    /// What grows.
    #[arg(long, value_enum, value_delimiter = ',',
          default_values_t = [What::Sources, What::Series, What::Partitions, What::Replicas])]
    only: Vec<What>,

    /// Runs of each size; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,

    /// Write a plot, too.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Put the result and the plot into docs/performance.md.
    #[arg(long)]
    update_docs: bool,
}

/// What grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    /// Files, with the same lines in all of them together.
    Sources,
    /// Series, in the same number of lines.
    Series,
    /// Partitions of a store in Redis.
    Partitions,
    /// Exporters of one store.
    Replicas,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    runs: u32,
    experiments: Vec<Experiment>,
}

/// Measures and reports.
pub fn run(args: &Args) -> Result<bool> {
    let size = match (args.short, args.full) {
        (true, _) => Size::Short,
        (_, true) => Size::Full,
        _ => Size::Usual,
    };
    let runs = if args.short { 1 } else { args.runs };
    let machine = Machine::now();
    let folder = machine::kept("bench-data")?;
    let mut experiments = Vec::new();
    for what in &args.only {
        experiments.push(match what {
            What::Sources => files::sources(&folder, size, runs)?,
            What::Series => files::series(&folder, size, runs)?,
            What::Partitions => system::partitions(&folder, size, runs)?,
            What::Replicas => system::replicas(size, runs)?,
        });
    }
    let report = Report { machine, runs, experiments };
    if let Some(path) = &args.svg {
        output::write(path, &report.plot())?;
    }
    if args.update_docs {
        output::write(&docs::images().join("growth.svg"), &report.plot())?;
        docs::update(&docs::performance(), "growth", &report.to_string())?;
    }
    args.output.print(&report)?;
    Ok(true)
}

impl Report {
    fn plot(&self) -> String {
        let panels: Vec<_> = self.experiments.iter().map(Experiment::panel).collect();
        svg::lines::plot("What it costs when something grows", &panels)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}.", self.machine)?;
        writeln!(f, "Medians of {} runs that took turns.", self.runs)?;
        self.experiments.iter().try_for_each(|experiment| write!(f, "\n{experiment}"))
    }
}
