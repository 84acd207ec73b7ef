//! What it costs to count files, in processor time, against others that do the same work.
//!
//! Each side must have counted every series right before it is timed. The runs of all sides take
//! turns, forth and back, so that whatever else happens on the machine happens to all of them.

mod data;

pub mod distributed;

pub mod ours;

mod peers;

mod plot;

mod records;

mod case;

mod report;

mod side;

mod targets;

mod workload;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use self::case::{Case, Timed};
use self::data::{Counts, Data};
use self::peers::{Home, Peer};
use self::report::Report;
use self::side::{Bench, Side};
use self::workload::Kind;
use crate::machine::{self, Machine};
use crate::output::Output;
use crate::{docs, output};

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Some seconds instead of many minutes: whether all sides count right, and not whether the targets
    /// are met.
    #[arg(long)]
    short: bool,

    /// Other numbers of records, such as `narrow=1000000,wide=200000`.
    #[arg(long, value_delimiter = ',', value_parser = parse_size, value_name = "WORKLOAD=N")]
    lines: Vec<(Kind, u64)>,

    /// Runs of each side; the median is reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Workloads.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    only: Vec<Kind>,

    /// Whom to compare with.
    #[arg(long, value_enum, value_delimiter = ',',
          default_values_t = [Peer::Duckdb, Peer::Polars, Peer::Xan, Peer::Naive, Peer::Mtail])]
    peers: Vec<Peer>,

    /// Install what is missing of them: Python packages and xan into the target folder, mtail as a
    /// package of the system.
    #[arg(long)]
    install_peers: bool,

    /// Seed of the files.
    #[arg(long, default_value_t = 1)]
    seed: u64,

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

/// Where the block of the document and the plot have their names from.
const BLOCK: &str = "files";

fn parse_size(text: &str) -> Result<(Kind, u64), String> {
    let (kind, records) = text.split_once('=').ok_or("want WORKLOAD=N")?;
    let records: u64 = records.replace('_', "").parse().map_err(|_| "want a number")?;
    if records == 0 {
        Err("want 1 at least".to_owned())
    } else {
        Ok((Kind::from_str(kind, true)?, records))
    }
}

/// Measures, reports, and fails only if somebody counts wrong.
pub fn run(args: &Args) -> Result<bool> {
    let home = Home(machine::kept("bench-peers")?);
    if args.install_peers {
        args.peers.iter().try_for_each(|peer| home.install(*peer))?;
    }
    let mut report = Report::new(Machine::now(), if args.short { 1 } else { args.runs }, args.seed);
    report.checks_targets = !args.short;
    let mut sides = vec![Side::Lines, Side::OneThread, Side::TwoThreads, Side::Distributed];
    for peer in &args.peers {
        match home.version(*peer) {
            Ok(version) => {
                report.peers.push(format!("{} {version}", peer.name()));
                sides.push(Side::Peer(*peer));
            }
            Err(error) => report.left_out.push(format!("{}: {error:#}", peer.name())),
        }
    }
    report.left_out.iter().for_each(|line| eprintln!("left out: {line}"));
    let bench = Bench { home, quiet: ours::can_be_quiet() };
    report.quiet = bench.quiet;
    for kind in &args.only {
        let case = args.case(&bench, *kind, &sides, &mut report.left_out)?;
        report.cases.push(case);
    }
    report.finish();
    if let Some(path) = &args.svg {
        output::write(path, &plot::plot(&report))?;
    }
    if args.update_docs {
        output::write(&docs::images().join("files.svg"), &plot::plot(&report))?;
        docs::update(&docs::performance(), BLOCK, &report.to_string())?;
    }
    args.output.print(&report)?;
    Ok(true)
}

impl Args {
    fn records(&self, kind: Kind) -> u64 {
        let wanted = self.lines.iter().rfind(|(of, _)| *of == kind).map(|(_, records)| *records);
        let default = if self.short { kind.few_records() } else { kind.records() };
        wanted.unwrap_or(default)
    }

    /// Checks all sides, and measures those that count right.
    fn case(
        &self,
        bench: &Bench,
        kind: Kind,
        sides: &[Side],
        left_out: &mut Vec<String>,
    ) -> Result<Case> {
        let folder = machine::kept("bench-data")?;
        let records = self.records(kind);
        let data = Data::prepare(&folder, kind, records, self.seed)?;
        let mut case = Case::new(&data)?;
        for side in sides {
            // One start of the distributed system is enough to see that it works.
            if self.short && *side == Side::Distributed && kind != Kind::Narrow {
                continue;
            }
            let Some(records) = side.records(kind, records) else { continue };
            let data = Data::prepare(&folder, kind, records, self.seed)?;
            data.warm()?;
            eprintln!("{kind}: checking {}", side.name());
            match check(bench, *side, &data) {
                // The start of so many processes takes longer than all the rest.
                Ok(()) if self.short && *side == Side::Distributed => {}
                Ok(()) => case.sides.push(Timed::new(*side, data)),
                // Nobody but us has promised to read this file.
                Err(error) if kind == Kind::Hostile && !side.is_ours() => {
                    left_out.push(format!("{} on {kind}: {error:#}", side.name()));
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("{} on {kind}", side.name()));
                }
            }
        }
        self.measure(bench, &mut case)?;
        Ok(case)
    }

    fn measure(&self, bench: &Bench, case: &mut Case) -> Result<()> {
        let runs = if self.short { 1 } else { self.runs };
        for run in 0..runs {
            eprintln!("{}: run {} of {runs}", case.kind, run + 1);
            let count = case.sides.len();
            for n in 0..count {
                let timed = &mut case.sides[if run % 2 == 0 { n } else { count - 1 - n }];
                if !self.short {
                    timed.starts.extend(bench.start(timed.side)?);
                }
                timed.runs.push(bench.measure(timed.side, &timed.data)?);
            }
        }
        Ok(())
    }
}

fn check(bench: &Bench, side: Side, data: &Data) -> Result<()> {
    let Some(got) = bench.check(side, data)? else { return Ok(()) };
    let expected: Counts = data.expected()?;
    match data::difference(&expected, &got) {
        Some(difference) => bail!("other counts than those of the file: {difference}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_size("wide=5_000"), Ok((Kind::Wide, 5_000)));
        for text in ["wide", "wide=", "wide=0", "huge=5"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
