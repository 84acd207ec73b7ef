//! An ingest that reads one large file from its beginning to its end.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use logtally_e2e::cluster::Cluster;

use super::layout::layout;
use crate::client::Client;
use crate::series::{check_page, labels};

/// Series of the file.
const SERIES: usize = 10_000;

/// How long reading may take.
const PATIENCE: Duration = Duration::from_mins(3);

/// Returns the largest resident memory (MiB).
pub fn measure(megabytes: u64) -> Result<f64> {
    let mut cluster = Cluster::prepare(layout());
    let values = write(&cluster.logs().join("large.csv"), megabytes * 1_000_000)?;
    cluster.start();
    cluster.wait_for_records(values.iter().sum(), PATIENCE);
    let peak = cluster.ingests[0].program.peak_memory_kib().context("the ingest has ended")?;
    let mut client = Client::connect(cluster.scrape_ports()[0])?;
    client.get(false)?;
    check_page(&client.body, &values)?;
    Ok(peak as f64 / 1024.0)
}

/// Writes about so many bytes. Returns how often each series is there.
fn write(path: &Path, bytes: u64) -> Result<Vec<u64>> {
    let lines: Vec<String> = (0..SERIES)
        .map(|series| {
            let (host, job) = labels(series);
            format!("{host},{job}\n")
        })
        .collect();
    let (mut file, mut values) = (BufWriter::new(File::create(path)?), vec![0; SERIES]);
    let (mut written, mut which) = (0, 0);
    while written < bytes {
        // Far from the one before, and every one as often.
        which = (which + 7_919) % SERIES;
        file.write_all(lines[which].as_bytes())?;
        written += lines[which].len() as u64;
        values[which] += 1;
    }
    file.flush()?;
    Ok(values)
}
