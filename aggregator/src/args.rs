//! Flags of the aggregator.

use std::time::Duration;

use clap::Parser;
use logtally_core::duration;
use logtally_core::limits::PUSHED_SOURCE_RETENTION_MIN;
use logtally_service::{ListenAddress, LogArgs};
use logtally_store::StoreArgs;
use logtally_store::redis::Durability;

/// Commits the deltas of ingests to the store, and folds the journal into the counts.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally-aggregator", version, after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP).value_name("redis://HOST:PORT")))]
pub struct Args {
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,

    /// When a commit is acknowledged: once Redis has applied it, or once it is on disk (`fsync`, which
    /// needs a Redis with `appendfsync always`).
    #[arg(long, env = "LOGTALLY_DURABILITY", value_enum, default_value = "applied")]
    pub durability: DurabilityArg,

    /// Number of partitions of a new store (1 to 1024). An existing store must have the same number.
    #[arg(long, env = "LOGTALLY_PARTITIONS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub partitions: Option<u16>,

    /// Address of gRPC, for the ingests.
    #[arg(
        long = "grpc.listen-address",
        env = "LOGTALLY_GRPC_LISTEN_ADDRESS",
        default_value = ":9510"
    )]
    pub grpc_listen_address: ListenAddress,

    /// Address of the admin pages: probes, and metrics of this process.
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        default_value = ":9511"
    )]
    pub admin_listen_address: ListenAddress,

    /// What pushes leave behind.
    #[command(flatten)]
    pub retention: RetentionArgs,

    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What pushes leave behind. Flatten it into the arguments of a program.
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Pushes")]
pub struct RetentionArgs {
    /// How long idempotency keys of pushes are kept, at least 12h. A push that is repeated with the same
    /// key within this time is counted once.
    #[arg(
        long = "push.key-retention",
        env = "LOGTALLY_PUSH_KEY_RETENTION",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = parse_retention
    )]
    pub key_retention: Duration,
}

fn parse_retention(text: &str) -> Result<Duration, String> {
    let retention = duration::parse(text).map_err(|error| error.to_string())?;
    if retention < PUSHED_SOURCE_RETENTION_MIN {
        // Ingests use some of these sources for hours, and clocks differ.
        let hours = PUSHED_SOURCE_RETENTION_MIN.as_secs() / 3600;
        return Err(format!("keys must be kept for at least {hours}h"));
    }
    Ok(retention)
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

const STORE_HELP: &str = "The store that all aggregators and exporters share";

const EXAMPLES: &str = "\
Examples:
  With a Redis on this machine:
    logtally-aggregator --store redis://localhost:6379
  Acknowledge only what is on disk (redis-server --appendonly yes --appendfsync always):
    logtally-aggregator --store redis://localhost:6379 --durability fsync";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AggregatorOptions;

    fn retention(text: Option<&str>) -> Result<Duration, clap::Error> {
        let mut args = vec!["x", "--store", "redis://h"];
        args.extend(text.map(|text| ["--push.key-retention", text]).into_iter().flatten());
        Args::try_parse_from(args).map(|args| args.retention.key_retention)
    }

    #[test]
    fn keys_are_kept_for_half_a_day_at_least() {
        assert_eq!(retention(None).expect("a default"), AggregatorOptions::default().key_retention);
        assert_eq!(retention(Some("12h")).expect("allowed"), Duration::from_hours(12));
        assert_eq!(retention(Some("30d")).expect("allowed"), Duration::from_hours(720));
        for (text, word) in [("11h59m", "at least 12h"), ("0", "at least 12h"), ("1x", "duration")]
        {
            let error = retention(Some(text)).expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
