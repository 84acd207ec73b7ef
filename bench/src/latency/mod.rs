//! How soon a record is on the page: a pushed one after its acknowledgement, an appended line after it
//! was written; and whether the memory of an ingest grows with what it reads.
//!
//! A record that was acknowledged must be on the first page that is asked for afterwards. If it is not,
//! nothing is reported.

mod layout;

mod times;

mod appended;

mod memory;

mod page;

mod pushed;

use anyhow::Result;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::outcome::{Figure, Outcome, OutputArgs};

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    output: OutputArgs,

    /// Messages that are pushed, one after the other.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pushes: u32,

    /// Lines that are appended, one after the other.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    appends: u32,

    /// Sizes of the files whose reading is watched (megabytes).
    #[arg(long, value_delimiter = ',', default_values_t = [64, 256])]
    megabytes: Vec<u64>,

    /// Seed of the pauses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// From an acknowledgement to the end of the scrape (milliseconds).
const PUSHED_MS_MAX: f64 = 5.0;

/// From an appended line to the end of the scrape that shows it (milliseconds).
const APPENDED_MS_MAX: f64 = 250.0;

/// The largest resident memory of an ingest (MiB).
const MEMORY_MIB_MAX: f64 = 64.0;

/// The same with the largest file, in that with the smallest one.
const MEMORY_RATIO_MAX: f64 = 1.05;

/// Pushes, appended lines and sizes of files of a short run.
const SHORT: (u32, u32, [u64; 2]) = (10, 4, [1, 3]);

/// Measures, reports, and says whether all targets are met.
pub fn run(args: &Args) -> Result<bool> {
    let (pushes, appends, megabytes) = if args.output.short {
        (SHORT.0, SHORT.1, &SHORT.2[..])
    } else {
        (args.pushes, args.appends, &args.megabytes[..])
    };
    let how = format!(
        "An aggregator, an ingest, an exporter and a Redis with `appendfsync always`, with nothing \
         else to do; {pushes} pushes and {appends} lines, one after the other, at random times; wall \
         time."
    );
    let mut outcome = Outcome::new("latency", how);
    let mut rng = StdRng::seed_from_u64(args.seed);
    let times = pushed::measure(pushes, &mut rng)?;
    outcome.add("Acknowledged, to the end of the next scrape", times.figures(PUSHED_MS_MAX));
    let times = appended::one_process(appends, &mut rng)?;
    outcome.add("Appended, to the page of `logtally run`", times.figures(APPENDED_MS_MAX));
    let times = appended::distributed(appends, &mut rng)?;
    outcome.add("Appended, to the page of the exporter", times.figures(APPENDED_MS_MAX));
    outcome.add("Largest memory of the ingest, 10,000 series", memory_figures(megabytes)?);
    outcome.publish(&args.output)
}

fn memory_figures(megabytes: &[u64]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for size in megabytes {
        let mib = memory::measure(*size)?;
        let what = format!("reading a file of {size} MB");
        figures.push(Figure::new(what, "MiB", vec![mib]).at_most(MEMORY_MIB_MAX));
    }
    if let [first, .., last] = &figures[..] {
        let ratio = Figure::ratio("the largest file, times the smallest", last, first);
        figures.push(ratio.at_most(MEMORY_RATIO_MAX));
    }
    Ok(figures)
}
