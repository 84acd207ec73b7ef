//! What a commit costs Redis, against one `HINCRBY` per increment on another fresh server of the same
//! kind; what stored counts take of its memory; and for how long one command holds up all others.
//!
//! Commits go through the crate that the aggregators use. What is stored must be exactly what was
//! committed, in every series, or nothing is reported.

mod load;

mod commits;

mod hashes;

mod memory;

mod server;

use anyhow::Result;

use self::commits::Commits;
use self::load::Load;
use self::memory::Memory;
use crate::outcome::{Figure, Outcome, OutputArgs};
use crate::series;

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    output: OutputArgs,

    /// Runs of each size; the median is reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Sizes of commits (increments).
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000])]
    sizes: Vec<usize>,

    /// Series that the commits increment again and again.
    #[arg(long, default_value_t = 10_000)]
    series: usize,

    /// Increments of each run.
    #[arg(long, default_value_t = 2_000_000)]
    increments: usize,

    /// Numbers of series whose memory is measured.
    #[arg(long, value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    stored: Vec<usize>,

    /// Seed of the order of the increments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Processor time of Redis per increment (microseconds).
const COMMIT_MICROS_MAX: f64 = 0.1;

/// The same, in those of `HINCRBY`.
const COMMIT_RATIO_MAX: f64 = 1.0 / 8.0;

/// The same with folding, where increments repeat.
const FOLDED_RATIO_MAX: f64 = 0.5;

/// Bytes of a series in a partition.
const MEMORY_BYTES_MAX: f64 = 150.0;

/// How long a command may take while a million series are loaded (milliseconds).
const COMMAND_MS_MAX: f64 = 20.0;

/// Measures, reports, and says whether all targets are met.
pub fn run(args: &Args) -> Result<bool> {
    let short = args.output.short;
    let (runs, increments) = if short { (1, 40_000) } else { (args.runs, args.increments) };
    let short_sizes = [20_000];
    let stored: &[usize] = if short { &short_sizes } else { &args.stored };
    let how = format!(
        "Fresh servers without persistence; {increments} increments of {} series in each of {runs} \
         runs; processor time of the process of Redis, folding after every {} commits.",
        args.series,
        commits::FOLD_AT
    );
    let mut outcome = Outcome::new("store", how);
    for size in &args.sizes {
        let load = Load::new(args.seed, args.series, *size, increments);
        let runs = (0..runs).map(|_| measure(&load)).collect::<Result<Vec<_>>>()?;
        outcome.add(format!("Redis, commits of {size} increments"), figures(&runs));
    }
    for series in stored {
        let memory = memory::measure(*series)?;
        outcome.add(format!("Redis with {series} series"), stored_figures(&memory));
    }
    outcome.publish(&args.output)
}

/// Processor time of Redis per increment (microseconds).
struct Run {
    commits: Commits,
    hincrby: f64,
}

fn measure(load: &Load) -> Result<Run> {
    let keys: Vec<_> = (0..load.series).map(series::key).collect();
    Ok(Run { commits: commits::measure(load, &keys)?, hincrby: hashes::measure(load, &keys)? })
}

fn figures(runs: &[Run]) -> Vec<Figure> {
    let micros = |what: &str, of: &dyn Fn(&Run) -> f64| {
        Figure::new(what, "µs", runs.iter().map(of).collect())
    };
    let commit = micros("commit, per increment", &|run| run.commits.commit);
    let fold = micros("folding, per increment", &|run| run.commits.fold);
    let both = micros("both, per increment", &|run| run.commits.commit + run.commits.fold);
    let hincrby = micros("pipelined `HINCRBY`", &|run| run.hincrby);
    let ratio = Figure::ratio("commit, times `HINCRBY`", &commit, &hincrby);
    let folded = Figure::ratio("with folding, times `HINCRBY`", &both, &hincrby);
    vec![
        commit.at_most(COMMIT_MICROS_MAX),
        fold,
        both,
        hincrby,
        ratio.at_most(COMMIT_RATIO_MAX),
        folded.at_most(FOLDED_RATIO_MAX),
    ]
}

fn stored_figures(memory: &Memory) -> Vec<Figure> {
    let one = |what: &str, unit, value: f64| Figure::new(what, unit, vec![value]);
    vec![
        one("memory per series and partition", "bytes", memory.bytes_per_row)
            .at_most(MEMORY_BYTES_MAX),
        one("longest command while they are written and folded", "ms", memory.write_ms),
        one("longest command of a cold load", "ms", memory.load_ms).at_most(COMMAND_MS_MAX),
        one("cold load, processor time of Redis", "s", memory.load_cpu),
    ]
}
