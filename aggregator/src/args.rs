//! Flags of the aggregator.

use clap::Parser;
use logtally_service::{ListenAddress, LogArgs};
use logtally_store::redis::Durability;

/// Commits the deltas of ingests to the store, and folds the journal into the counts.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally-aggregator", version, after_help = EXAMPLES)]
pub struct Args {
    /// The store that all aggregators and exporters share.
    #[arg(long, env = "LOGTALLY_STORE", value_name = "redis://HOST:PORT")]
    pub store: String,

    /// When a commit is acknowledged: as soon as the store has applied it, or when it is on disk
    /// (`fsync`, which needs a Redis with `appendfsync always`).
    #[arg(long, env = "LOGTALLY_DURABILITY", value_enum, default_value = "applied")]
    pub durability: DurabilityArg,

    /// Number of partitions of a new store (1 to 1024); an existing one must have as many.
    #[arg(long, env = "LOGTALLY_PARTITIONS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub partitions: Option<u16>,

    /// Where gRPC is served.
    #[arg(
        long = "grpc.listen-address",
        env = "LOGTALLY_GRPC_LISTEN_ADDRESS",
        default_value = ":9510"
    )]
    pub grpc_listen_address: ListenAddress,

    /// Where own metrics and probes are served.
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        default_value = ":9511"
    )]
    pub admin_listen_address: ListenAddress,

    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// When a commit is acknowledged.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DurabilityArg {
    /// Applied in the memory of the store.
    Applied,
    /// On the disk of the store.
    Fsync,
}

impl From<DurabilityArg> for Durability {
    fn from(arg: DurabilityArg) -> Self {
        match arg {
            DurabilityArg::Applied => Self::Applied,
            DurabilityArg::Fsync => Self::Fsync,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  With a Redis on this machine:
    logtally-aggregator --store redis://localhost:6379
  Acknowledging only what is on disk (redis-server --appendonly yes --appendfsync always):
    logtally-aggregator --store redis://localhost:6379 --durability fsync";
