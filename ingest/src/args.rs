//! Flags of the ingest.

use std::path::PathBuf;

use clap::Parser;
use logtally_service::{ExitError, ListenAddress, LogArgs};
use logtally_session::uplink::Peer;
use logtally_tail::discover::check_volume;
use logtally_tail::shard::Shard;

use crate::follow::FollowArgs;

/// Reads log files, accepts pushed records, and sends their counts to the aggregators.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally-ingest", version, after_help = EXAMPLES)]
pub struct IngestArgs {
    /// Files or globs to follow, unless the configuration names them. Quote globs, so that files which
    /// appear later are found as well. Without any files, only pushes are accepted.
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,

    /// What is read and counted.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Aggregators, as HOST:PORT or NAME=HOST:PORT, separated by commas. Give all ingests the same names.
    #[arg(long, env = "LOGTALLY_AGGREGATORS", value_delimiter = ',', required = true)]
    pub aggregators: Vec<String>,

    /// Name of the volume that the files are on: the same on all hosts that see the same disk, and a
    /// different one for each disk. Required if files are read.
    #[arg(long, env = "LOGTALLY_VOLUME")]
    pub volume: Option<String>,

    /// Which shard of the files to read, from 0. Without it: the number at the end of the pod's name
    /// (`POD_NAME`, or else the host name).
    #[arg(long, env = "LOGTALLY_SHARD")]
    pub shard: Option<u32>,

    /// How many ingests share the files between them.
    #[arg(long, env = "LOGTALLY_TOTAL_SHARDS", default_value_t = 1)]
    pub total_shards: u32,

    /// Address at which pushes are accepted over gRPC.
    #[arg(
        long = "grpc.listen-address",
        env = "LOGTALLY_GRPC_LISTEN_ADDRESS",
        default_value = ":9500"
    )]
    pub grpc_listen_address: ListenAddress,

    /// Address at which pushes are accepted over HTTP.
    #[arg(
        long = "push.listen-address",
        env = "LOGTALLY_PUSH_LISTEN_ADDRESS",
        default_value = ":9502"
    )]
    pub push_listen_address: ListenAddress,

    /// Address of the admin pages: probes, and metrics of this process.
    #[arg(
        long = "admin.listen-address",
        env = "LOGTALLY_ADMIN_LISTEN_ADDRESS",
        default_value = ":9501"
    )]
    pub admin_listen_address: ListenAddress,

    /// How files are followed.
    #[command(flatten)]
    pub follow: FollowArgs,

    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

const EXAMPLES: &str = "\
Examples:
  One ingest for all files of a host:
    logtally-ingest --aggregators localhost:9510 --volume host1 '/var/log/jobs/*.csv*'
  One of several ingests that accept pushes and read no files:
    logtally-ingest --aggregators localhost:9510
  The second of two ingests that share a network volume:
    logtally-ingest --aggregators a:9510,b:9510 --volume nfs1 --shard 1 --total-shards 2 '/logs/*.csv*'";

/// Where the configuration is.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ConfigArgs {
    /// The configuration (YAML): inputs, formats and rules. Without it, the records of FILES are counted
    /// by `host` and `job_name`.
    #[arg(long = "config.file", env = "LOGTALLY_CONFIG_FILE", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Accept `POST /-/reload` on the admin listener. SIGHUP always reloads.
    #[arg(long = "web.enable-lifecycle", env = "LOGTALLY_WEB_ENABLE_LIFECYCLE")]
    pub enable_lifecycle: bool,
}

/// What this process is allowed to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// Files, and pushes.
    Files,
    /// Pushes only, since no volume is named.
    PushesOnly,
}

impl IngestArgs {
    /// The aggregators.
    pub fn peers(&self) -> Result<Vec<Peer>, ExitError> {
        let peers = self.aggregators.iter().map(|text| Peer::parse(text));
        peers.collect::<Result<_, _>>().map_err(ExitError::usage)
    }

    /// What this ingest may read.
    pub fn reads(&self) -> Reads {
        if self.volume.is_some() { Reads::Files } else { Reads::PushesOnly }
    }

    /// The share of the files that this ingest reads.
    pub fn own_shard(&self) -> Result<Shard, ExitError> {
        let pod = std::env::var("POD_NAME").unwrap_or_else(|_| host_name());
        let volume = self.volume.as_deref().map_or(Ok(()), check_volume);
        volume.map_err(|text| ExitError::usage(anyhow::anyhow!(text)))?;
        Shard::resolve(self.shard, self.total_shards, &pod).map_err(ExitError::usage)
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
