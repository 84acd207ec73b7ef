//! Lines that are appended to a file that is followed.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logtally_e2e::cluster::{Cluster, START};
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::wait::{holds, until};
use rand::Rng as _;
use rand::rngs::StdRng;

use super::layout::layout;
use super::page::{LINE, Page};
use super::times::Times;

/// Longest pause before a line.
const PAUSE_MAX: Duration = Duration::from_millis(300);

/// Time between two scrapes.
const SCRAPE_EVERY: Duration = Duration::from_millis(5);

/// Appends lines to a file that one process follows.
pub fn one_process(lines: u32, rng: &mut StdRng) -> Result<Times> {
    let folder = tempfile::tempdir()?;
    let file = begin(folder.path())?;
    let inputs = [folder.path().join("*.csv")];
    let mut process = OneProcess::new(folder.path(), "store", &inputs);
    process.program.start();
    measure(file, process.port, lines, rng)
}

/// Appends lines to a file that an ingest follows.
pub fn distributed(lines: u32, rng: &mut StdRng) -> Result<Times> {
    let mut cluster = Cluster::prepare(layout());
    let file = begin(&cluster.logs())?;
    cluster.start();
    measure(file, cluster.scrape_ports()[0], lines, rng)
}

/// A file with one line.
fn begin(folder: &Path) -> Result<File> {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("a.csv"))?;
    writeln!(file, "{LINE}")?;
    Ok(file)
}

fn measure(mut file: File, port: u16, lines: u32, rng: &mut StdRng) -> Result<Times> {
    let mut page = until("the first line", START, || {
        let mut page = Page::connect(port).map_err(|error| error.to_string())?;
        let value = page.value().map_err(|error| error.to_string())?;
        holds(value == 1, || format!("{value} lines are on the page")).map(|()| page)
    });
    let mut append = |n: u64| {
        std::thread::sleep(PAUSE_MAX.mul_f64(rng.random()));
        writeln!(file, "{LINE}")?;
        let appended = Instant::now();
        loop {
            let value = page.value()?;
            let time = appended.elapsed();
            ensure!(value <= n, "{value} of {n} lines are on the page");
            ensure!(time < START, "line {n} is not on the page");
            if value == n {
                return Ok(time.as_secs_f64() * 1e3);
            }
            std::thread::sleep(SCRAPE_EVERY);
        }
    };
    (2..).take(lines as usize).map(&mut append).collect::<Result<_>>().map(Times)
}
