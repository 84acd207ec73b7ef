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
pub(crate) struct RunArgs {
    /// Files or globs to follow, unless the configuration names them; `-` is standard input. Quote
    /// globs, so that files which appear later are found as well.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,

    /// What is read and counted.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// When a commit to Redis is acknowledged: once it is applied, or once it is on disk. The embedded
    /// store always writes to disk first.
    #[arg(long, env = "LOGTALLY_DURABILITY", value_enum, default_value = "applied")]
    pub(crate) durability: DurabilityArg,

    /// Whether it ends at the end of the files.
    #[command(flatten)]
    pub(crate) end: OnceArgs,

    /// Name of the volume that the files are on. Only needed if several hosts count into one Redis.
    #[arg(long, env = "LOGTALLY_VOLUME", default_value = "local")]
    pub(crate) volume: String,

    /// Where it listens.
    #[command(flatten)]
    pub(crate) listen: ListenArgs,

    /// How files are followed.
    #[command(flatten)]
    pub(crate) follow: FollowArgs,

    /// What pushes leave behind.
    #[command(flatten)]
    pub(crate) retention: RetentionArgs,

    /// How the counts are shown.
    #[command(flatten)]
    pub(crate) view: ViewArgs,

    /// Logs.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Whether it ends at the end of the files, and what it leaves behind then.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OnceArgs {
    /// Read all files to their end (a last line without a line feed included), print the counts and
    /// exit; with 1 if an input could not be read.
    #[arg(long)]
    pub(crate) once: bool,

    /// With `--once`: count in memory, from the beginning of the files, and do not touch the store.
    #[arg(long, requires = "once")]
    pub(crate) dry_run: bool,

    /// With `--once`: keep the counts in the store and do not print them.
    #[arg(long, requires = "once", conflicts_with = "dry_run")]
    pub(crate) quiet: bool,
}

/// The addresses at which it listens.
#[derive(clap::Args, Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the flags")]
pub(crate) struct ListenArgs {
    /// Address of the counts, for Prometheus.
    #[arg(
        long = "web.listen-address",
        env = "LOGTALLY_WEB_LISTEN_ADDRESS",
        default_value = ":8000"
    )]
    pub(crate) web_listen_address: ListenAddress,

    /// Accept pushes over gRPC at this address, for example `:9500`.
    #[arg(long = "grpc.listen-address", env = "LOGTALLY_GRPC_LISTEN_ADDRESS")]
    pub(crate) grpc_listen_address: Option<ListenAddress>,

    /// Accept pushes over HTTP at this address, for example `:9502`.
    #[arg(long = "push.listen-address", env = "LOGTALLY_PUSH_LISTEN_ADDRESS")]
    pub(crate) push_listen_address: Option<ListenAddress>,

    /// Address of the admin pages: probes, and metrics of this process.
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        default_value = ":8001"
    )]
    pub(crate) admin_listen_address: ListenAddress,
}

const STORE_HELP: &str = "\
Where counts and positions are kept: embedded:DIR, redis://HOST:PORT, or memory:, which forgets \
everything at the end. Without it: embedded:./logtally-data";

const EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder, rotated ones included; keep the counts in ./logtally-data:
    logtally run 'logs/*.csv*'
  Accept pushed lines and metrics of batch jobs as well:
    logtally run 'logs/*.csv' --grpc.listen-address :9500 --push.listen-address :9502
  Count once, print the result, store nothing:
    logtally run --once --store memory: logs/today.csv
  Keep the counts in Redis, where exporters on other hosts can show them:
    logtally run --store redis://localhost:6379 --volume host1 'logs/*.csv'";
