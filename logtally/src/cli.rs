//! The command line.

use clap::{Args, Parser, Subcommand};
use logtally_aggregator::args::{DurabilityArg, RetentionArgs};
use logtally_exporter::ViewArgs;
use logtally_ingest::{ConfigArgs, FollowArgs};
use logtally_service::{ListenAddress, LogArgs};

use crate::commands::check::CheckArgs;
use crate::commands::completions::{CompletionsArgs, ManArgs};
use crate::commands::doctor::DoctorArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::forget::ForgetArgs;
use crate::commands::push::PushArgs;
use crate::commands::samples::TestArgs;
use crate::commands::series::SeriesArgs;
use crate::commands::sources::SourcesArgs;
use crate::commands::verify::VerifyArgs;

/// Counts log lines exactly once, for Prometheus.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Follow CSV logs and serve their counts, all in one process.
    Run(Box<RunArgs>),
    /// Push files, or standard input, to an ingest that counts them.
    Push(Box<PushArgs>),
    /// Check a configuration; exits 3 if it is not valid.
    Check(CheckArgs),
    /// Show what becomes of a line: columns, rules, series, or why it is rejected.
    Explain(Box<ExplainArgs>),
    /// Compare what sample lines give with what they must give.
    Test(TestArgs),
    /// Show what is read and how far; rewind or forget a source.
    Sources(Box<SourcesArgs>),
    /// Show the largest series, and labels with many values.
    Series(SeriesArgs),
    /// Remove series from a store for good.
    Forget(ForgetArgs),
    /// Look for what may be wrong: configuration, files, store, processes.
    Doctor(DoctorArgs),
    /// Count files again and compare with what a store or a page has.
    Verify(Box<VerifyArgs>),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual pages, or write them into a folder.
    Man(ManArgs),
    /// Ask a running program whether it is healthy; exits 0 if it is.
    Healthcheck(HealthcheckArgs),
}

const EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder and serve http://localhost:8000/metrics:
    logtally run 'logs/*.csv'
  Count once, print the result, exit:
    logtally run --once 'logs/*.csv'";

/// Flags of `logtally run`.
#[derive(Args, Clone, Debug)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// Files or globs to follow, unless the configuration names them; `-` for standard input. Quote
    /// globs, so that new files are found, too.
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,

    /// What is read and counted.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Where counts and positions are kept: `embedded:DIR`, `redis://HOST:PORT`, or `memory:`, which
    /// forgets everything at the end.
    #[arg(long, env = "LOGTALLY_STORE", default_value = "embedded:./logtally-data")]
    pub store: String,

    /// When a commit to Redis is acknowledged: applied, or on disk. The embedded store is always on
    /// disk.
    #[arg(long, env = "LOGTALLY_DURABILITY", value_enum, default_value = "applied")]
    pub durability: DurabilityArg,

    /// Read to the end (an unterminated last line included), print the counts, exit. Exits with 1 if
    /// an input could not be read.
    #[arg(long)]
    pub once: bool,

    /// With `--once`: count in memory from the beginning of the files, print the result, and leave the
    /// store alone.
    #[arg(long, requires = "once")]
    pub dry_run: bool,

    /// With `--once`: do not print the counts, only keep them in the store.
    #[arg(long, requires = "once", conflicts_with = "dry_run")]
    pub quiet: bool,

    /// Name of the volume that the files lie on. Only needed if several hosts count into one Redis.
    #[arg(long, env = "LOGTALLY_VOLUME", default_value = "local")]
    pub volume: String,

    /// Where the counts are served.
    #[arg(
        long = "web.listen-address",
        env = "LOGTALLY_WEB_LISTEN_ADDRESS",
        default_value = ":8000"
    )]
    pub web_listen_address: ListenAddress,

    /// Take pushes over gRPC at this address, such as `:9500`.
    #[arg(long = "grpc.listen-address", env = "LOGTALLY_GRPC_LISTEN_ADDRESS")]
    pub grpc_listen_address: Option<ListenAddress>,

    /// Take pushes over HTTP at this address, such as `:9502`.
    #[arg(long = "push.listen-address", env = "LOGTALLY_PUSH_LISTEN_ADDRESS")]
    pub push_listen_address: Option<ListenAddress>,

    /// Where own metrics and probes are served.
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        default_value = ":8001"
    )]
    pub admin_listen_address: ListenAddress,

    /// How files are followed.
    #[command(flatten)]
    pub follow: FollowArgs,

    /// What pushes leave behind.
    #[command(flatten)]
    pub retention: RetentionArgs,

    /// How the counts are shown.
    #[command(flatten)]
    pub view: ViewArgs,

    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

const RUN_EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder, rotated ones included; keep the counts in ./logtally-data:
    logtally run 'logs/*.csv*'
  Take pushed lines, and metrics of batch jobs, beside the files:
    logtally run 'logs/*.csv' --grpc.listen-address :9500 --push.listen-address :9502
  Count once, print the result, keep nothing:
    logtally run --once --store memory: logs/today.csv
  Keep the counts in Redis, where exporters on other hosts can show them:
    logtally run --store redis://localhost:6379 --volume host1 'logs/*.csv'";

/// Flags of `logtally healthcheck`.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckArgs {
    /// What to ask, e.g. <http://localhost:8001/-/healthy>.
    pub url: String,
}
