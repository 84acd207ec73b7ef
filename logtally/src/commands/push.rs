//! `logtally push`: files, or standard input, to an ingest, each file by a producer of its own, so that
//! it counts once however often it is pushed. Needs neither a store nor a configuration, and never
//! touches the files.

mod cut;
mod input;
mod report;
mod stream;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use logtally_client::Options;
use logtally_core::duration;
use logtally_core::secret_url::SecretUrl;
use logtally_service::{LogArgs, cancel_on_signal, init_telemetry};
use tokio_util::sync::CancellationToken;

use self::input::{STDIN, producer_of};
use self::report::{Pushed, Report};
use self::stream::{Done, FilePush, Progress};
use crate::output::{OutputArgs, count_of};
use crate::usage::usage;

/// How long streams may take to stop. One that reads from a silent standard input never does.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Flags of `logtally push`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PushArgs {
    /// Files to push, or `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<String>,

    /// Ingests, as `http://HOST:PORT`, separated by commas or one per flag.
    #[arg(
        long,
        env = "LOGTALLY_PUSH_TO",
        hide_env_values = true,
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://localhost:9500"
    )]
    pub(crate) to: Vec<SecretUrl>,

    /// The name under which the store remembers how far the file is counted. Without it, the name is
    /// made of the host and the path of the file; standard input then has no name, and its records are
    /// counted at least once.
    #[arg(long, value_name = "NAME")]
    pub(crate) producer: Option<String>,

    /// The push input in the ingest's configuration. Without it: the first one.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) input: String,

    /// Format of the records: `csv`, `tsv`, `json`, `logfmt` or `lines`. Without it: that of the input.
    // The name of the field is its own: that of the logs has the other one.
    #[arg(long = "format", value_name = "FORMAT", default_value = "", hide_default_value = true)]
    pub(crate) record_format: String,

    /// Whether the first line is a header. A header is repeated in every message.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) header: HeaderArg,

    /// How many files are pushed at the same time.
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) parallel: u16,

    /// How long to retry while no ingest accepts anything; `0s` retries forever.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration::parse)]
    pub(crate) give_up: Duration,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    /// Logs.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What is known of the first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum HeaderArg {
    /// It is a header if it has the columns `host` and `job_name`.
    Auto,
    /// It is a header.
    Yes,
    /// It is a record, or the ingest finds out by itself.
    No,
}

const EXAMPLES: &str = "\
Examples:
  Count files, each once; after an interruption, the same line goes on:
    logtally push --to http://ingest:9500 logs/*.csv
  The output of another program, under a name: if it is pushed again, it still counts once:
    zcat jobs.csv.gz | logtally push --producer jobs-2026-03-01 --format csv -
  Without a name a line may count twice if a connection breaks:
    journalctl -o json | logtally push --input journal --format json -";

/// Pushes all files, and prints what became of them.
pub(crate) async fn push(args: &PushArgs) -> anyhow::Result<()> {
    let jobs = args.jobs()?;
    let telemetry = init_telemetry("logtally-push", &args.log)?;
    let shutdown = CancellationToken::new();
    cancel_on_signal(shutdown.clone());
    let files = push_all(args, jobs, &shutdown).await;
    telemetry.shutdown();
    let report = Report { files };
    args.output.print(&report, || report.render())?;
    match (shutdown.is_cancelled(), report.first_error()) {
        (_, None) => Ok(()),
        (true, Some(_)) => bail!("interrupted: {}", report.way_on()),
        (false, Some(error)) if report.files.len() == 1 => bail!("{error}"),
        (false, Some(error)) => {
            let all = count_of(report.files.len() as u64, "file");
            bail!("{} of {all} not pushed to the end, the first: {error}", report.errors())
        }
    }
}

impl PushArgs {
    fn jobs(&self) -> anyhow::Result<Vec<FilePush>> {
        if self.producer.is_some() && self.files.len() > 1 {
            bail!(usage("--producer is for one file: two must not have one name"));
        }
        let known = ["", "csv", "tsv", "json", "logfmt", "lines"];
        if !known.contains(&self.record_format.as_str()) {
            let known = known[1..].join(", ");
            bail!(usage(format!("there is no format `{}`; there is {known}", self.record_format)));
        }
        let mut jobs: Vec<FilePush> = Vec::new();
        for file in &self.files {
            let job = self.job(file)?;
            let same = jobs.iter().find(|other| other.options.producer == job.options.producer);
            if let Some(same) = same {
                bail!(usage(format!("{file} and {} are the same file", same.file)));
            }
            jobs.push(job);
        }
        Ok(jobs)
    }

    fn job(&self, file: &str) -> anyhow::Result<FilePush> {
        let producer = match &self.producer {
            Some(name) => Some(name.clone()),
            None if file == STDIN => None,
            None => Some(producer_of(file)?),
        };
        let header = match self.header {
            HeaderArg::Auto => None,
            HeaderArg::Yes => Some(true),
            HeaderArg::No => Some(false),
        };
        let options = Options {
            endpoints: self.to.iter().map(|url| url.expose().to_owned()).collect(),
            producer,
            input: self.input.clone(),
            format: self.record_format.clone(),
            give_up: Some(self.give_up).filter(|longest| !longest.is_zero()),
            ..Options::default()
        };
        Ok(FilePush { file: file.to_owned(), options, header })
    }
}

async fn push_all(
    args: &PushArgs,
    jobs: Vec<FilePush>,
    shutdown: &CancellationToken,
) -> Vec<Pushed> {
    let progress: Vec<Arc<Progress>> = jobs.iter().map(|_| Arc::default()).collect();
    let bar = tokio::spawn(show(total(&jobs), progress.clone()));
    let pushes = jobs.into_iter().zip(progress).map(|(job, progress)| {
        let shutdown = shutdown.clone();
        async move {
            let done = push_one(job.clone(), Arc::clone(&progress), shutdown).await;
            Pushed::new(&job, &progress, done)
        }
    });
    let all = futures::stream::iter(pushes).buffered(usize::from(args.parallel)).collect().await;
    bar.abort();
    // The bar goes with its task.
    let _ = bar.await;
    all
}

async fn push_one(job: FilePush, progress: Arc<Progress>, shutdown: CancellationToken) -> Done {
    let told = shutdown.clone();
    let push = tokio::task::spawn_blocking(move || stream::push(&job, &progress, &told));
    let too_late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let stopped = |error: &str| Done { summary: None, error: Some(error.to_owned()) };
    tokio::select! {
        done = push => done.unwrap_or_else(|error| stopped(&error.to_string())),
        () = too_late => stopped("interrupted"),
    }
}

/// The size of all files.
fn total(jobs: &[FilePush]) -> u64 {
    jobs.iter().filter_map(|job| std::fs::metadata(&job.file).ok()).map(|meta| meta.len()).sum()
}

/// Shows a bar, if standard error is a terminal.
async fn show(total: u64, progress: Vec<Arc<Progress>>) {
    let bar = ProgressBar::new(total);
    let template = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()));
    let _clear = ClearAtTheEnd(bar.clone());
    loop {
        let done = progress.iter().map(|one| one.acknowledged.load(Ordering::Relaxed)).sum();
        bar.set_length(total.max(done));
        bar.set_position(done);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct ClearAtTheEnd(ProgressBar);

impl Drop for ClearAtTheEnd {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
