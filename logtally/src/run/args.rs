//! Flags of `logtally run`.

use logtally_aggregator::args::{DurabilityArg, RetentionArgs};
use logtally_exporter::ViewArgs;
use logtally_ingest::{ConfigArgs, FollowArgs};
use logtally_service::{ListenAddress, LogArgs};
use logtally_store::StoreArgs;

/// Flags of `logtally run`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP)))]
pub struct RunArgs {
    /// Files or globs to follow, unless the configuration names them; `-` for standard input. Quote
    /// globs, so that new files are found, too.
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,

    /// What is read and counted.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,

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

const STORE_HELP: &str = "\
Where counts and positions are kept: embedded:DIR, redis://HOST:PORT, or memory:, which forgets \
everything at the end. Without it: embedded:./logtally-data";

const EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder, rotated ones included; keep the counts in ./logtally-data:
    logtally run 'logs/*.csv*'
  Take pushed lines, and metrics of batch jobs, beside the files:
    logtally run 'logs/*.csv' --grpc.listen-address :9500 --push.listen-address :9502
  Count once, print the result, keep nothing:
    logtally run --once --store memory: logs/today.csv
  Keep the counts in Redis, where exporters on other hosts can show them:
    logtally run --store redis://localhost:6379 --volume host1 'logs/*.csv'";
