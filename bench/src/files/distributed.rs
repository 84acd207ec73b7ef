//! logtally as processes of their own: Redis, an aggregator and an ingest on the loopback, from the
//! start of the two until the file is counted and folded.
//!
//! Redis writes its log, and syncs it every second; the process that rewrites the log counts as Redis
//! once it has ended. What it costs to start Redis is not counted; what the others cost to start is.

use std::io::Cursor;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use logtally_e2e::exposition::admin_value;
use logtally_e2e::http;
use logtally_e2e::program::Program;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{RedisServer, free_port, local};
use tempfile::TempDir;

use super::data::{Counts, Data, read_page};
use crate::child::Spent;
use crate::cpu;

/// How long it may take to count a file.
const PATIENCE: Duration = Duration::from_mins(10);

/// What is committed is folded within two seconds.
const FOLDED_WITHIN: Duration = Duration::from_millis(2_500);

/// What each process has used (seconds).
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub struct Shares {
    /// Reads, and sends increments.
    pub ingest: f64,
    /// Commits and folds.
    pub aggregator: f64,
    /// Keeps.
    pub redis: f64,
}

/// The processes.
pub struct System {
    redis: RedisServer,
    aggregator: Program,
    ingest: Program,
    admin: u16,
    redis_before: f64,
    begun: Instant,
    folder: TempDir,
}

impl System {
    /// Starts an ingest of these files, and all that it needs. `partitions` are those of the store.
    pub fn start(files: &str, partitions: Option<u16>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
        let redis_before = seconds(redis.pid())?;
        let (grpc, admin, store) = (local(free_port()), free_port(), redis.url());
        let mut aggregator = Program::new(folder.path(), "aggregator", "logtally-aggregator")
            .args(["--store", &store, "--grpc.listen-address", &grpc])
            .args(["--admin.listen-address", &local(admin)]);
        if let Some(partitions) = partitions {
            aggregator = aggregator.args(["--partitions", &partitions.to_string()]);
        }
        let [taken, pushed, own] = [(); 3].map(|()| local(free_port()));
        let mut ingest = Program::new(folder.path(), "ingest", "logtally-ingest")
            .args(["--aggregators", &grpc, "--volume", "bench", "--follow.workers", "1"])
            .args(["--grpc.listen-address", &taken, "--push.listen-address", &pushed])
            .args(["--admin.listen-address", &own])
            .arg(files);
        let begun = Instant::now();
        aggregator.start();
        ingest.start();
        Ok(Self { redis, aggregator, ingest, admin, redis_before, begun, folder })
    }

    /// Waits until so many records are committed, and then until they are folded.
    pub fn finish(&mut self, records: u64) -> Result<(Spent, Shares)> {
        let wanted = records as f64;
        until("the records", PATIENCE, || {
            let page = http::get(self.admin, "/metrics").map_err(|error| error.to_string())?;
            let got = admin_value(&page.text(), "logtally_aggregator_records_total");
            holds(got >= Some(wanted), || format!("{got:?} of {wanted} are committed"))
        });
        let counted = self.begun.elapsed();
        std::thread::sleep(FOLDED_WITHIN);
        until("the fold", PATIENCE, || {
            let page = http::get(self.admin, "/metrics").map_err(|error| error.to_string())?;
            let lag = admin_value(&page.text(), "logtally_aggregator_fold_lag_seconds");
            holds(lag == Some(0.0), || format!("behind by {lag:?} s"))
        });
        let shares = self.shares()?;
        let cpu = shares.ingest + shares.aggregator + shares.redis;
        let spent = Spent {
            user: cpu,
            system: 0.0,
            seconds: counted.as_secs_f64(),
            peak_bytes: self.peak_bytes()?,
        };
        Ok((spent, shares))
    }

    /// What each process has used so far.
    pub fn shares(&self) -> Result<Shares> {
        Ok(Shares {
            ingest: seconds(Some(self.ingest.pid()))?,
            aggregator: seconds(Some(self.aggregator.pid()))?,
            redis: seconds(self.redis.pid())? - self.redis_before,
        })
    }

    /// The store.
    pub fn store(&self) -> String {
        self.redis.url()
    }

    /// The id of the process of the store.
    pub fn redis(&self) -> Option<u32> {
        self.redis.pid()
    }

    /// An exporter of the store, started and ready, and its port.
    pub fn exporter(&self, name: &str) -> (Program, u16) {
        let port = free_port();
        let mut exporter = Program::new(self.folder.path(), name, "logtally-exporter")
            .args(["--store", &self.store(), "--web.listen-address", &local(port)])
            .args(["--store.settle-time", "1s", "--admin.listen-address", &local(free_port())]);
        exporter.start();
        until("the page", PATIENCE, || {
            let page = http::get(port, "/metrics").map_err(|error| error.to_string())?;
            holds(page.status == 200, || page.text())
        });
        (exporter, port)
    }

    /// What an exporter shows.
    pub fn counts(&self) -> Result<Counts> {
        let (_exporter, port) = self.exporter("exporter");
        let page = http::get(port, "/metrics")?;
        ensure!(page.status == 200, "status {}", page.status);
        read_page(Cursor::new(page.body))
    }

    fn peak_bytes(&self) -> Result<u64> {
        let redis = self.redis.pid().context("Redis is down")?;
        let each = [self.ingest.pid(), self.aggregator.pid(), redis].map(cpu::peak_bytes);
        each.into_iter().sum()
    }
}

/// Counts a file.
pub fn count(data: &Data, check: bool) -> Result<(Spent, Shares, Option<Counts>)> {
    let mut system = System::start(&data.path.display().to_string(), None)?;
    let (spent, shares) = system.finish(data.records)?;
    let counts = if check { Some(system.counts()?) } else { None };
    Ok((spent, shares, counts))
}

fn seconds(pid: Option<u32>) -> Result<f64> {
    Ok(cpu::used_with_children(pid.context("the process is down")?)?.as_secs_f64())
}
