//! What a scrape of very many series costs the exporter, in processor time and memory, against the text
//! encoders of two client libraries on the same HTTP server, and against a server that has the bytes
//! ready.
//!
//! Every page is read whole, and must show exactly what was committed, in every series.

mod exporter;

mod measure;

pub mod peer;

use anyhow::Result;
use logtally_testkit::RedisServer;

use self::measure::Scrapes;
use crate::outcome::{Figure, Outcome, OutputArgs};

/// Flags.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    output: OutputArgs,

    /// Series on the page.
    #[arg(long, default_value_t = 1_000_000)]
    series: usize,

    /// Scrapes of each kind; the median is reported.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    scrapes: u32,

    /// Scrapes of each encoder that is compared with.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    peer_scrapes: u32,

    /// Starts of the exporter; the median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
}

/// From the start of the process to the end of the first complete page (seconds).
const START_SECONDS_MAX: f64 = 2.0;

/// Processor time of a scrape when nothing has changed (milliseconds).
const SAME_MS_MAX: f64 = 60.0;

/// The same when 1 % of the series have changed.
const CHANGED_MS_MAX: f64 = 90.0;

/// Processor time in that of the encoder of the crate `prometheus`, and of `prometheus-client`.
const PROMETHEUS_RATIO_MAX: f64 = 1.0 / 30.0;
const PROMETHEUS_CLIENT_RATIO_MAX: f64 = 1.0 / 4.0;

/// Compressing what has changed, in the time of compressing everything.
const GZIP_RATIO_MAX: f64 = 1.0 / 10.0;

/// Resident memory of the exporter per series (bytes).
const MEMORY_BYTES_MAX: f64 = 300.0;

/// Sizes of a short run.
const SHORT_SERIES: usize = 20_000;
const SHORT_SCRAPES: u32 = 3;

/// Measures, reports, and says whether all targets are met.
pub fn run(args: &Args) -> Result<bool> {
    let short = args.output.short;
    let series = if short { SHORT_SERIES } else { args.series };
    let times = |usual| if short { SHORT_SCRAPES.min(usual) } else { usual };
    let redis = RedisServer::start(&[]);
    let found = measure::all(&redis, series, times(args.scrapes), times(args.starts))?;
    let how = format!(
        "{series} series of two labels, a page of {:.1} MB; processor time of the process of the \
         exporter, its following of the store between two scrapes included; what changes is counted \
         once more.",
        found.page.len() as f64 / 1e6
    );
    let mut outcome = Outcome::new("scrape", how);
    outcome.add("Exporter", figures(&found, series));
    outcome.add("Compressed", gzip_figures(&found));
    outcome.add("Others", peer_figures(&found, series, times(args.peer_scrapes))?);
    outcome.publish(&args.output)
}

fn cpu(what: &str, milliseconds: &[f64]) -> Figure {
    Figure::new(what, "ms", milliseconds.to_vec())
}

fn figures(found: &Scrapes, series: usize) -> Vec<Figure> {
    let per_series = found.resident.iter().map(|bytes| bytes / series as f64).collect();
    vec![
        Figure::new("start to the end of the first page", "s", found.starts.clone())
            .at_most(START_SECONDS_MAX),
        cpu("processor time of the start and the first page", &found.start_cpu),
        cpu("a scrape, nothing changed", &found.same).at_most(SAME_MS_MAX),
        cpu("a scrape, 1 % changed, all over the page", &found.scattered).at_most(CHANGED_MS_MAX),
        cpu("a scrape, 1 % changed, the jobs of some hosts", &found.together)
            .at_most(CHANGED_MS_MAX),
        Figure::new("resident memory per series", "bytes", per_series).at_most(MEMORY_BYTES_MAX),
    ]
}

fn gzip_figures(found: &Scrapes) -> Vec<Figure> {
    let all = cpu("compressing the page as a whole, level 1", &found.gzip_all);
    let together = cpu("a scrape, 1 % changed, the jobs of some hosts", &found.gzip_together);
    let ratio = Figure::ratio("the same, times the whole", &together, &all);
    vec![
        all,
        cpu("the first scrape", &found.gzip_first),
        cpu("a scrape, nothing changed", &found.gzip_same),
        together,
        ratio.at_most(GZIP_RATIO_MAX),
        cpu("a scrape, 1 % changed, all over the page", &found.gzip_scattered),
    ]
}

fn peer_figures(found: &Scrapes, series: usize, scrapes: u32) -> Result<Vec<Figure>> {
    let ours = cpu("", &found.scattered);
    let measure = |encoder| peer::measure(encoder, series, scrapes, &found.page);
    let prometheus = cpu("crate `prometheus`", &measure(peer::Encoder::Prometheus)?);
    let client = cpu("crate `prometheus-client`", &measure(peer::Encoder::PrometheusClient)?);
    let bytes = cpu("the same bytes from memory", &measure(peer::Encoder::Bytes)?);
    let ratio = |name: &str, to: &Figure| {
        Figure::ratio(format!("exporter with 1 % changed, times {name}"), &ours, to)
    };
    let ratios = [
        ratio("`prometheus`", &prometheus).at_most(PROMETHEUS_RATIO_MAX),
        ratio("`prometheus-client`", &client).at_most(PROMETHEUS_CLIENT_RATIO_MAX),
        ratio("the bytes from memory", &bytes),
    ];
    Ok([prometheus, client, bytes].into_iter().chain(ratios).collect())
}
