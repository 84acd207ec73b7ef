//! More partitions, and more exporters, of a store in Redis.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use logtally_e2e::http;
use logtally_e2e::program::Program;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::data::{Shape, line};
use super::experiment::{Experiment, rows};
use super::size::Size;
use crate::cpu;
use crate::files::distributed::System;
use crate::table::grouped;

/// Series that exporters show.
const SERIES: u64 = 10_000;

/// Lines that are new at every scrape.
const NEW_LINES: u64 = 1_000;

/// Time for these lines to be committed.
const COMMITTED_WITHIN: Duration = Duration::from_millis(150);

/// The same lines, in more and more partitions.
pub fn partitions(folder: &Path, size: Size, runs: u32) -> Result<Experiment> {
    let (lines, files, sizes): (_, _, &[u64]) = match size {
        Size::Short => (20_000, 10, &[1, 16]),
        _ => (5_000_000, 1_000, &[1, 4, 16, 64, 256]),
    };
    let shape = Shape { files, lines, series: SERIES };
    let ns = |seconds: f64| seconds * 1e9 / lines as f64;
    let measure = |partitions: u64| {
        let files = shape.prepare(folder)?;
        eprintln!("counting {} into {partitions} partitions", files.display());
        let partitions = u16::try_from(partitions).context("too many partitions")?;
        let mut system = System::start(&files.display().to_string(), Some(partitions))?;
        let (spent, shares) = system.finish(lines)?;
        Ok([spent.cpu(), shares.ingest, shares.aggregator, shares.redis].map(ns).to_vec())
    };
    Ok(Experiment {
        title: format!("CPU per line (ns), {} lines in {files} files", grouped(lines)),
        grows: "partitions",
        figures: vec!["all", "ingest", "aggregator", "Redis"],
        rows: rows(sizes, runs, measure)?,
    })
}

/// The same page, from more and more exporters, with new lines before every scrape.
pub fn replicas(size: Size, runs: u32) -> Result<Experiment> {
    let (lines, scrapes) = if size == Size::Short { (20_000, 3) } else { (500_000, 50) };
    let folder = tempfile::tempdir()?;
    let mut log = Log::begin(folder.path(), lines)?;
    let mut system = System::start(&log.path.display().to_string(), None)?;
    system.finish(lines)?;
    let measure = |replicas: u64| {
        eprintln!("scraping {replicas} exporters");
        let alone = scrape(&system, &mut log, 0, scrapes)?.1;
        let (exporters, redis) = scrape(&system, &mut log, replicas, scrapes)?;
        let all = (replicas * scrapes) as f64;
        Ok(vec![exporters * 1e6 / all, (redis - alone).max(0.0) * 1e6 / all])
    };
    Ok(Experiment {
        title: format!("CPU per scrape (µs), {} series that change", grouped(SERIES)),
        grows: "exporters",
        figures: vec!["exporter", "Redis"],
        rows: rows(&[1, 2, 4], runs, measure)?,
    })
}

/// Scrapes so many exporters so many times. Returns the processor time of all of them, and that of
/// Redis, which includes the commits of the new lines.
fn scrape(system: &System, log: &mut Log, replicas: u64, scrapes: u64) -> Result<(f64, f64)> {
    let exporters: Vec<(Program, u16)> =
        (0..replicas).map(|n| system.exporter(&format!("exporter{n}"))).collect();
    let redis = system.redis().context("Redis is down")?;
    let used = || -> Result<(f64, f64)> {
        let each = exporters.iter().map(|(program, _)| cpu::exactly_used(program.pid()));
        Ok((each.sum::<Result<f64>>()?, cpu::exactly_used(redis)?))
    };
    let before = used()?;
    for _ in 0..scrapes {
        log.append(NEW_LINES)?;
        sleep(COMMITTED_WITHIN);
        for (_, port) in &exporters {
            let page = http::get(*port, "/metrics")?;
            ensure!(page.status == 200, "status {}: {}", page.status, page.text());
        }
    }
    let after = used()?;
    Ok((after.0 - before.0, after.1 - before.1))
}

/// A file that grows.
struct Log {
    path: std::path::PathBuf,
    rng: StdRng,
}

impl Log {
    fn begin(folder: &Path, lines: u64) -> Result<Self> {
        let path = folder.join("growing.csv");
        std::fs::write(&path, "host,job_name\n")?;
        let mut log = Self { path, rng: StdRng::seed_from_u64(1) };
        log.append(lines)?;
        Ok(log)
    }

    fn append(&mut self, lines: u64) -> Result<()> {
        let mut to = BufWriter::new(OpenOptions::new().append(true).open(&self.path)?);
        (0..lines).try_for_each(|_| line(&mut to, self.rng.random_range(0..SERIES)))?;
        Ok(to.flush()?)
    }
}
