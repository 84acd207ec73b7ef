//! How many instructions the hot loops take: `scripts/instructions.sh` fails when one of them has grown
//! by more than the tolerance. On a machine that is busy with other things, times say nothing, and
//! instructions say the same as ever.
//!
//! They are counted by callgrind, with n and with 2n repetitions; the difference is the loop without
//! its preparation. Must never compare counts of another toolchain or processor as if they were the
//! same.

mod callgrind;

mod reference;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use logtally_hot::CASES;

use crate::callgrind::count;
use crate::reference::{Environment, Known, Reference};

/// Where the counts are that are compared with.
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// Counts of each case when the reference is renewed: the hash tables have random seeds.
const RUNS: usize = 5;

#[derive(Parser, Debug)]
#[command(name = "instructions")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Renew the reference.
    #[arg(long)]
    update: bool,

    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs a case so many times, for callgrind.
    #[command(hide = true)]
    Run { case: usize, repetitions: u32 },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Run { case, repetitions }) => run(case, repetitions),
        None if cli.update => update(),
        None => check(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(case: usize, repetitions: u32) -> Result<bool> {
    println!("{}", reference::features());
    CASES.get(case).context("no such case")?.run(repetitions)?;
    Ok(true)
}

fn update() -> Result<bool> {
    let (mut cases, mut environment) = (Vec::new(), None);
    for (index, case) in CASES.iter().enumerate() {
        let counts = (0..RUNS).map(|_| count(index)).collect::<Result<Vec<_>>>()?;
        environment = counts.first().map(|count| count.features.clone());
        let known = Known::new(case, counts.iter().map(|count| count.instructions));
        println!("{known}");
        cases.push(known);
    }
    let environment = Environment::here(environment.context("no cases")?)?;
    Reference { environment, cases }.write(Path::new(REFERENCE))?;
    Ok(true)
}

fn check() -> Result<bool> {
    let reference = Reference::read(Path::new(REFERENCE))?;
    let mut grown = 0;
    for (index, case) in CASES.iter().enumerate() {
        let counted = count(index)?;
        let here = Environment::here(counted.features)?;
        let Some(tolerance) = reference.environment.tolerance(&here) else {
            println!(
                "not compared: the reference is of {}, and this is {here}",
                reference.environment
            );
            return Ok(true);
        };
        let known = reference.of(case).with_context(|| {
            format!("{:?} has no reference: run scripts/instructions.sh --update", case.name)
        })?;
        let verdict = known.compare(counted.instructions, tolerance);
        println!("{verdict}");
        grown += usize::from(verdict.is_growth());
    }
    ensure!(
        grown == 0,
        "{grown} of the hot loops have grown; if that is wanted: scripts/instructions.sh --update"
    );
    Ok(true)
}
