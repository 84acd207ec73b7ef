//! What pushed lines cost, in processor time of whoever takes them, against one message per line on
//! the same gRPC library; and how long an acknowledgement takes.
//!
//! Runs of all sizes and of the baseline take turns, so that whatever else happens on the machine
//! happens to all of them.

pub mod baseline;

mod data;

mod latency;

mod load;

mod side;

mod report;

mod system;

mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logtally_core::duration;
use tokio::task::JoinSet;

use self::data::{Data, Expected, Shape};
use self::latency::{Rate, Way};
use self::load::{Producer, Until};
use self::report::{Report, Run, Settings};
use self::side::Side;
use self::system::System;
use crate::output::Output;

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A few seconds instead of minutes: whether all counts are exact, and not whether the targets are
    /// met.
    #[arg(long)]
    short: bool,

    /// Sizes of messages (lines).
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1000, 10_000])]
    lines: Vec<usize>,

    /// Runs of each size; the median is reported.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Length of a run.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration::parse)]
    duration: Duration,

    /// Producers at the same time, each with a connection of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    producers: u32,

    /// Messages per second while acknowledgements are timed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(8..))]
    rate: u32,

    /// Lines of each of these messages.
    #[arg(long, default_value_t = 100)]
    rate_lines: usize,

    /// For how long acknowledgements are timed, each way; 0 for not at all.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration::parse)]
    rate_duration: Duration,

    /// Bytes of a line, its end included; 0 for host and job alone.
    #[arg(long, default_value_t = 150)]
    line_bytes: usize,

    /// Make all series equally frequent.
    #[arg(long)]
    uniform: bool,

    /// Seed of the order of the lines.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How the result is written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs of each size, their length, and that of the timing, if it is to be short.
const SHORT: (u32, Duration, Duration) = (1, Duration::from_millis(200), Duration::from_secs(1));

/// Measures, reports, and says whether all targets are met.
pub fn run(args: &Args) -> Result<bool> {
    let (runs, duration, rate_duration) =
        if args.short { SHORT } else { (args.runs, args.duration, args.rate_duration) };
    for lines in args.lines.iter().chain([&args.rate_lines]) {
        ensure!(data::divides(*lines), "a message cannot have {lines} lines");
    }
    let settings = Settings {
        runs,
        seconds: duration.as_secs_f64(),
        producers: args.producers,
        rate: args.rate,
        rate_lines: args.rate_lines,
        seed: args.seed,
        shape: Shape { line_bytes: args.line_bytes, uniform: args.uniform },
        checks_targets: !args.short,
    };
    let bench = Bench {
        system: System::start()?,
        data: Arc::new(Data::new(args.seed, settings.shape)),
        settings,
    };
    eprintln!("processes: {:?}", bench.system.pids());
    let report = bench.run(&args.lines, rate_duration)?;
    args.output.print(&report)?;
    Ok(report.targets_are_met())
}

struct Bench {
    system: System,
    data: Arc<Data>,
    settings: Settings,
}

impl Bench {
    fn run(self, sizes: &[usize], rate_time: Duration) -> Result<Report> {
        let runtime = tokio::runtime::Runtime::new()?;
        let mut expected = Expected::new(&self.data);
        let mut report = Report::new(self.settings, &self.data);
        let sizes = || sizes.iter().map(|lines| Side::Ingest(*lines));
        for round in 0..self.settings.runs {
            for side in sizes().chain([Side::Baseline]) {
                let run = runtime.block_on(self.measure(side, round, &mut expected))?;
                report.add(side, run);
            }
        }
        if !rate_time.is_zero() {
            for way in [Way::Unary, Way::Stream] {
                let rate = Rate {
                    per_second: self.settings.rate,
                    lines: self.settings.rate_lines,
                    time: rate_time,
                };
                let measured = latency::measure(self.system.ingest, &self.data, rate, way);
                let (latency, lines) = runtime.block_on(measured)?;
                for lines in lines {
                    expected.add(&self.data, lines);
                }
                report.latencies.push(latency);
            }
        }
        self.system.assert_exact(&self.data, &expected)?;
        report.finish(expected.lines());
        Ok(report)
    }

    /// One run of all producers.
    async fn measure(&self, side: Side, round: u32, expected: &mut Expected) -> Result<Run> {
        let time = Duration::from_secs_f64(self.settings.seconds);
        let (before, begun) = (self.system.cpu()?, Instant::now());
        let mut producers = JoinSet::new();
        for which in 0..self.settings.producers {
            let (data, ingest) = (Arc::clone(&self.data), self.system.ingest);
            let (baseline, until) = (self.system.baseline, Until::after(time));
            producers.spawn(async move {
                match side {
                    Side::Ingest(lines) => {
                        let name = format!("load/{lines}/{round}/{which}");
                        Producer::open(ingest, name).await?.push(data, lines, until).await
                    }
                    Side::Baseline => load::count(baseline, data, until).await,
                }
            });
        }
        let each: Vec<u64> = producers.join_all().await.into_iter().collect::<Result<_>>()?;
        let cpu = self.system.cpu()?.since(before);
        if side != Side::Baseline {
            for lines in &each {
                expected.add(&self.data, *lines);
            }
        }
        Ok(Run { lines: each.iter().sum(), seconds: begun.elapsed().as_secs_f64(), cpu })
    }
}
