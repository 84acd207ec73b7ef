//! One exporter over a store with all series, scraped again and again.

use std::io::{Read as _, Write as _};

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use logtally_core::series::{Increments, SeriesKey};
use logtally_testkit::RedisServer;
use rand::rngs::StdRng;
use rand::{SeedableRng as _, seq};

use super::exporter::Exporter;
use crate::process;
use crate::series::{self, check_page};
use crate::writer::Writer;

/// Increments of a commit.
const COMMIT: usize = 10_000;

/// Each so many-th series changes.
const CHANGED: usize = 100;

/// Sources that count them.
const SOURCES: usize = 16;

/// What was found: processor time in milliseconds, if nothing else is said.
#[derive(Default)]
pub struct Scrapes {
    /// From the start to the end of the first page (seconds).
    pub starts: Vec<f64>,
    /// The same in processor time.
    pub start_cpu: Vec<f64>,
    /// Nothing has changed.
    pub same: Vec<f64>,
    /// 1 % has changed, all over the page.
    pub scattered: Vec<f64>,
    /// 1 % has changed, in one piece of the page.
    pub together: Vec<f64>,
    /// Resident memory after these (bytes).
    pub resident: Vec<f64>,
    /// Compressing the page as a whole, once and by nobody's exporter.
    pub gzip_all: Vec<f64>,
    /// The first compressed scrape.
    pub gzip_first: Vec<f64>,
    /// The next ones, by what has changed.
    pub gzip_same: Vec<f64>,
    /// 1 % has changed, all over the page.
    pub gzip_scattered: Vec<f64>,
    /// 1 % has changed, in one piece of the page.
    pub gzip_together: Vec<f64>,
    /// The page.
    pub page: Vec<u8>,
}

/// What changes between two scrapes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Nothing,
    Scattered,
    Together,
}

/// Fills a store, starts exporters of it, and scrapes.
pub fn all(redis: &RedisServer, series: usize, scrapes: u32, starts: u32) -> Result<Scrapes> {
    let mut counts = Counts::fill(redis, series)?;
    let mut found = Scrapes::default();
    for _ in 1..starts {
        start(redis, &counts, &mut found)?;
    }
    let mut exporter = start(redis, &counts, &mut found)?;
    let plain = |counts: &mut Counts, exporter: &mut Exporter, change| {
        (0..scrapes).map(|_| scrape(exporter, counts, change, false)).collect::<Result<Vec<_>>>()
    };
    // Once each, unmeasured: what is allocated then is there for good.
    for change in [Change::Nothing, Change::Scattered, Change::Together] {
        scrape(&mut exporter, &mut counts, change, false)?;
    }
    found.same = plain(&mut counts, &mut exporter, Change::Nothing)?;
    found.scattered = plain(&mut counts, &mut exporter, Change::Scattered)?;
    found.together = plain(&mut counts, &mut exporter, Change::Together)?;
    found.resident = vec![exporter.resident()?];
    found.page = exporter.scrape(false)?.to_vec();
    found.gzip_all = (0..scrapes.min(3)).map(|_| compress(&found.page)).collect::<Result<_>>()?;
    found.gzip_first = vec![scrape(&mut exporter, &mut counts, Change::Nothing, true)?];
    let scrapes = scrapes.min(5);
    let mut gzip = |change| {
        let scrapes = (0..scrapes).map(|_| scrape(&mut exporter, &mut counts, change, true));
        scrapes.collect::<Result<Vec<_>>>()
    };
    found.gzip_same = gzip(Change::Nothing)?;
    found.gzip_together = gzip(Change::Together)?;
    found.gzip_scattered = gzip(Change::Scattered)?;
    Ok(found)
}

fn start(redis: &RedisServer, counts: &Counts, found: &mut Scrapes) -> Result<Exporter> {
    let exporter = Exporter::start(&redis.url(), false)?;
    found.starts.push(exporter.started);
    found.start_cpu.push(exporter.cpu()?);
    check_page(&exporter.client.body, &counts.values)?;
    Ok(exporter)
}

/// Changes something, and scrapes. Returns the processor time of both.
fn scrape(exporter: &mut Exporter, counts: &mut Counts, change: Change, gzip: bool) -> Result<f64> {
    let begun = exporter.cpu()?;
    counts.change(change)?;
    exporter.scrape(gzip)?;
    let used = exporter.cpu()? - begun;
    let body = &exporter.client.body;
    if gzip {
        let mut page = Vec::new();
        MultiGzDecoder::new(&body[..]).read_to_end(&mut page)?;
        check_page(&page, &counts.values)?;
    } else {
        check_page(body, &counts.values)?;
    }
    Ok(used)
}

/// Processor time (milliseconds).
fn compress(page: &[u8]) -> Result<f64> {
    let begun = process::cpu_seconds(std::process::id())?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(page)?;
    std::hint::black_box(encoder.finish()?);
    Ok((process::cpu_seconds(std::process::id())? - begun) * 1e3)
}

/// What the store holds.
struct Counts {
    writer: Writer,
    keys: Vec<SeriesKey>,
    values: Vec<u64>,
    rng: StdRng,
}

impl Counts {
    /// A store where each series has a count, all of them folded.
    fn fill(redis: &RedisServer, series: usize) -> Result<Self> {
        ensure!(series >= CHANGED, "too few series");
        let writer = Writer::new(&redis.url(), None, SOURCES)?;
        let keys = (0..series).map(series::key).collect();
        let rng = StdRng::seed_from_u64(1);
        let mut counts = Self { writer, keys, values: vec![0; series], rng };
        let all: Vec<usize> = (0..series).collect();
        for (n, which) in all.chunks(COMMIT).enumerate() {
            counts.commit(n % SOURCES, which, series::first)?;
            if n % 32 == 31 {
                counts.writer.fold()?;
            }
        }
        counts.writer.fold()?;
        Ok(counts)
    }

    fn commit(&mut self, source: usize, which: &[usize], by: fn(usize) -> u64) -> Result<()> {
        for series in which {
            self.values[*series] += by(*series);
        }
        let pairs = which.iter().map(|series| (self.keys[*series].as_bytes(), by(*series)));
        self.writer.commit(source, Increments::pack(pairs))
    }

    /// Counts 1 % of the series once more.
    fn change(&mut self, change: Change) -> Result<()> {
        let (all, some) = (self.keys.len(), self.keys.len() / CHANGED);
        let which: Vec<usize> = match change {
            Change::Nothing => return Ok(()),
            Change::Scattered => seq::index::sample(&mut self.rng, all, some).into_vec(),
            Change::Together => (all / 2..all / 2 + some).collect(),
        };
        which.chunks(COMMIT).try_for_each(|which| self.commit(0, which, |_| 1))
    }
}
