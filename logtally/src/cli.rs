//! The command line.

use clap::{Args, Parser, Subcommand};
use logtally_aggregator::args::DurabilityArg;
use logtally_exporter::ViewArgs;
use logtally_ingest::{ConfigArgs, FollowArgs};
use logtally_service::{ListenAddress, LogArgs};

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
