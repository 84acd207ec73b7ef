//! Flags of the exporter.

use std::time::Duration;

use clap::Parser;
use logtally_core::duration;
use logtally_service::{ListenAddress, LogArgs};
use logtally_store::StoreArgs;

use crate::http::TelemetryPath;
use crate::serve_policy::ViewOptions;

/// Serves the counts of a store to Prometheus. Every replica shows the same page.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally-exporter", version, after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP).value_name("redis://HOST:PORT")))]
pub struct ExporterArgs {
    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Address of the counts, for Prometheus
    #[arg(
        long = "web.listen-address",
        env = "LOGTALLY_WEB_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        default_value = ":8000"
    )]
    pub(crate) web_listen_address: ListenAddress,

    /// Path of the counts
    #[arg(
        long = "web.telemetry-path",
        env = "LOGTALLY_WEB_TELEMETRY_PATH",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub(crate) web_telemetry_path: TelemetryPath,

    /// Address of the admin pages: probes, and metrics of this process
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        value_name = "ADDRESS",
        default_value = ":8001"
    )]
    pub(crate) admin_listen_address: ListenAddress,

    /// How long to be silent rather than wrong.
    #[command(flatten)]
    pub(crate) view: ViewArgs,

    /// Logs.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// How long to be silent rather than wrong. Flatten it into the arguments of a program.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Silence")]
pub struct ViewArgs {
    /// How long to answer 503 after the Redis server was replaced: it may have lost counts that were
    /// already shown, and ingests need this time to notice
    #[arg(
        long = "store.settle-time",
        env = "LOGTALLY_STORE_SETTLE_TIME",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration::parse
    )]
    pub settle_time: Duration,

    /// How long to answer 503 while counts that were shown or acknowledged are missing; after that the
    /// exporter serves what is left
    #[arg(
        long = "recovery-timeout",
        env = "LOGTALLY_RECOVERY_TIMEOUT",
        value_name = "DURATION",
        default_value = "10m",
        value_parser = duration::parse
    )]
    pub recovery_timeout: Duration,
}

impl ViewArgs {
    /// The same as options of an exporter.
    pub fn options(&self) -> ViewOptions {
        ViewOptions { settle_time: self.settle_time, recovery_timeout: self.recovery_timeout }
    }
}

const STORE_HELP: &str = "The store that all aggregators and exporters share";

const EXAMPLES: &str = "\
Examples:
  With a Redis on this machine, counts on http://localhost:8000/metrics:
    logtally-exporter --store redis://localhost:6379
  A second replica on the same machine:
    logtally-exporter --store redis://localhost:6379 \\
      --web.listen-address :8010 --admin.listen-address :8011
  On one interface only, waiting longer after a failover:
    logtally-exporter --store redis://redis:6379 --web.listen-address 10.0.0.5:8000 \\
      --store.settle-time 30s";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent_and_all_have_variables() {
        let command = ExporterArgs::command();
        command.clone().debug_assert();
        for arg in command.get_arguments() {
            let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert!(variable.starts_with("LOGTALLY_"), "{}", arg.get_id());
        }
    }

    #[test]
    fn defaults() {
        let args = ExporterArgs::try_parse_from(["x", "--store", "redis://h"]).expect("valid");
        assert_eq!(args.view.options(), ViewOptions::default());
        assert_eq!(args.web_telemetry_path, TelemetryPath::default());
        assert_eq!(args.web_listen_address.to_string(), ":8000");
        assert_eq!(args.admin_listen_address.to_string(), ":8001");
    }
}
