//! The processes under measurement, on the loopback: Redis that syncs every commit, an aggregator, an
//! ingest that only takes pushes, an exporter, and the baseline.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use logtally_e2e::cluster::{scrape, wait_for_records};
use logtally_e2e::exposition::{counted_series, difference, rejected_total};
use logtally_e2e::http;
use logtally_e2e::program::Program;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{RedisServer, free_port, local};
use tempfile::TempDir;

use super::data::{Data, Expected};
use crate::cpu;

/// How long a program may take to start, and a page to be complete.
const PATIENCE: Duration = Duration::from_mins(1);

/// All processes; they and their folder go when it is dropped.
pub struct System {
    programs: Vec<Program>,
    redis: RedisServer,
    /// Where lines are pushed.
    pub ingest: u16,
    /// Where the baseline listens.
    pub baseline: u16,
    exporter: u16,
    _folder: TempDir,
}

/// Processor time of each process so far, or between two moments (seconds).
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Cpu {
    /// The ingest.
    pub ingest: f64,
    /// The aggregator.
    pub aggregator: f64,
    /// Redis.
    pub redis: f64,
    /// The baseline.
    pub baseline: f64,
    /// This process, which is the client of both.
    pub client: f64,
}

/// Places of the programs.
const AGGREGATOR: usize = 0;
const INGEST: usize = 1;
const BASELINE: usize = 3;

impl System {
    /// Starts everything, and waits until it is ready.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
        let [aggregator, ingest, exporter, baseline] = [(); 4].map(|()| free_port());
        let (aggregators, store) = (local(aggregator), redis.url());
        let grpc = "--grpc.listen-address";
        let (http, admin) = (local(free_port()), free_port());
        let mut programs = vec![
            node(folder.path(), "aggregator", grpc, aggregator)
                .args(["--store", &store, "--durability", "fsync"])
                .args(["--admin.listen-address", &local(free_port())]),
            node(folder.path(), "ingest", grpc, ingest)
                .args(["--aggregators", &aggregators, "--push.listen-address", &http])
                .args(["--admin.listen-address", &local(admin)]),
            node(folder.path(), "exporter", "--web.listen-address", exporter)
                .args(["--store", &store, "--store.settle-time", "1s"])
                .args(["--admin.listen-address", &local(free_port())]),
            Program::at(folder.path(), "baseline", std::env::current_exe()?).args([
                "push-baseline",
                "--listen",
                &local(baseline),
            ]),
        ];
        programs.iter_mut().for_each(Program::start);
        let system = Self { programs, redis, ingest, baseline, exporter, _folder: folder };
        wait_for_page(admin, "/-/ready");
        wait_for_page(exporter, "/metrics");
        until("the baseline", PATIENCE, || {
            TcpStream::connect(local(baseline)).map_err(|error| error.to_string())
        });
        Ok(system)
    }

    /// Ids of the processes by their names.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let pid = |which: usize| self.programs[which].pid();
        let redis = self.redis.pid().unwrap_or_default();
        let ours = [("aggregator", pid(AGGREGATOR)), ("ingest", pid(INGEST)), ("redis", redis)];
        ours.into_iter().chain([("baseline", pid(BASELINE))]).collect()
    }

    /// Processor time of all so far.
    pub fn cpu(&self) -> Result<Cpu> {
        let seconds = |pid: u32| cpu::used(pid).map(|used| used.as_secs_f64());
        Ok(Cpu {
            ingest: seconds(self.programs[INGEST].pid())?,
            aggregator: seconds(self.programs[AGGREGATOR].pid())?,
            redis: seconds(self.redis.pid().context("Redis is down")?)?,
            baseline: seconds(self.programs[BASELINE].pid())?,
            client: seconds(std::process::id())?,
        })
    }

    /// Demands that the exporter shows exactly what was sent, in every series.
    pub fn assert_exact(&self, data: &Data, expected: &Expected) -> Result<()> {
        wait_for_records(self.exporter, expected.lines(), PATIENCE);
        let page = scrape(self.exporter).map_err(anyhow::Error::msg)?;
        let wrong = difference(&expected.page(data), &counted_series(&page));
        ensure!(wrong.is_empty(), "the page disagrees with what was sent:\n{wrong}");
        ensure!(rejected_total(&page) == 0, "lines were rejected");
        Ok(())
    }
}

impl Cpu {
    /// From an earlier moment to this one.
    pub fn since(self, before: Self) -> Self {
        Self {
            ingest: self.ingest - before.ingest,
            aggregator: self.aggregator - before.aggregator,
            redis: self.redis - before.redis,
            baseline: self.baseline - before.baseline,
            client: self.client - before.client,
        }
    }
}

fn node(folder: &Path, name: &str, listen: &str, port: u16) -> Program {
    let program = Program::new(folder, name, &format!("logtally-{name}"));
    program.args([listen, &local(port)])
}

fn wait_for_page(port: u16, path: &str) {
    until(path, PATIENCE, || {
        let page = http::get(port, path).map_err(|error| error.to_string())?;
        holds(page.status == 200, || page.text())
    });
}
