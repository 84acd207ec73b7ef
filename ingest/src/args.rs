//! Flags of the ingest.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use logtally_service::{ExitError, ListenAddress, LogArgs};

use logtally_session::uplink::Peer;
use logtally_tail::FollowOptions;
use logtally_tail::discover::check_volume;
use logtally_tail::shard::Shard;

use crate::reload::Reads;

/// Reads log files, accepts pushed records, and sends their counts to the aggregators.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally-ingest", version, after_help = EXAMPLES)]
pub struct Args {
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

/// How files are followed.
#[derive(clap::Args, Clone, Debug)]
pub struct FollowArgs {
    /// Milliseconds between two checks for new files and for changes without a file system event.
    #[arg(
        long = "follow.poll-interval-ms",
        env = "LOGTALLY_FOLLOW_POLL_INTERVAL_MS",
        default_value_t = 1000
    )]
    pub poll_interval_ms: u64,

    /// Do not use events of the file system, only the checks. Network file systems send no events.
    #[arg(long = "follow.poll-only", env = "LOGTALLY_FOLLOW_POLL_ONLY")]
    pub poll_only: bool,

    /// Milliseconds without a change after which the last line of a rotated file counts even if it has
    /// no line feed.
    #[arg(
        long = "follow.rotate-wait-ms",
        env = "LOGTALLY_FOLLOW_ROTATE_WAIT_MS",
        default_value_t = 10_000
    )]
    pub rotate_wait_ms: u64,

    /// Milliseconds after which an idle source checks its stored state again.
    #[arg(
        long = "follow.idle-check-ms",
        env = "LOGTALLY_FOLLOW_IDLE_CHECK_MS",
        default_value_t = 3_000
    )]
    pub idle_check_ms: u64,

    /// Number of reading threads; 0 is one per processor. They read different files, and share large ones.
    #[arg(long = "follow.workers", env = "LOGTALLY_FOLLOW_WORKERS", default_value_t = 0)]
    pub workers: usize,
}

impl FollowArgs {
    /// The follower's options for a search.
    pub fn options(
        &self,
        volume: String,
        shard: Shard,
        once: bool,
        progress: bool,
    ) -> FollowOptions {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let interval = |ms: u64| Duration::from_millis(ms.max(10));
        FollowOptions {
            volume,
            shard,
            once,
            progress,
            poll_only: self.poll_only,
            poll_interval: interval(self.poll_interval_ms),
            rotate_wait: Duration::from_millis(self.rotate_wait_ms),
            idle_check: interval(self.idle_check_ms),
            workers: if self.workers == 0 { processors } else { self.workers },
            limits: logtally_tail::reader::SpanLimits::default(),
        }
    }
}

impl Args {
    /// The aggregators.
    pub fn peers(&self) -> Result<Vec<Peer>, ExitError> {
        let peers = self.aggregators.iter().map(|text| Peer::parse(text));
        peers.collect::<Result<_, _>>().map_err(ExitError::usage)
    }

    /// What this ingest may read.
    pub fn reads(&self) -> Reads {
        if self.volume.is_some() { Reads::Files } else { Reads::PushesOnly }
    }

    /// The share of this ingest.
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
