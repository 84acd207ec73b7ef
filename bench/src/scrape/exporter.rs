//! An exporter as a process of its own, and what its scrapes cost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logtally_e2e::program::Program;
use logtally_testkit::{free_port, local};
use tempfile::TempDir;

use crate::client::Client;
use crate::process;

/// How long it may take to its first page.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is asked until then.
const POLL: Duration = Duration::from_millis(2);

/// The process. It goes with its folder when it is dropped.
pub struct Exporter {
    program: Program,
    /// A scraper of it.
    pub client: Client,
    /// From the start to the end of the first page (seconds).
    pub started: f64,
    _folder: TempDir,
}

impl Exporter {
    /// Starts one, and waits for its first page.
    pub fn start(store: &str, gzip: bool) -> Result<Self> {
        let (folder, port) = (tempfile::tempdir()?, free_port());
        let mut program = Program::new(folder.path(), "exporter", "logtally-exporter")
            .args(["--store", store, "--web.listen-address", &local(port)])
            .args(["--admin.listen-address", &local(free_port())]);
        let begun = Instant::now();
        program.start();
        loop {
            if let Some(client) = first_page(port, gzip) {
                let started = begun.elapsed().as_secs_f64();
                return Ok(Self { program, client, started, _folder: folder });
            }
            ensure!(begun.elapsed() < PATIENCE, "no page:\n{}", program.output());
            std::thread::sleep(POLL);
        }
    }

    /// Its processor time so far (milliseconds).
    pub fn cpu(&self) -> Result<f64> {
        Ok(process::cpu_seconds(self.program.pid())? * 1e3)
    }

    /// Its resident memory (bytes).
    pub fn resident(&self) -> Result<f64> {
        Ok(process::resident_bytes(self.program.pid())? as f64)
    }

    /// Scrapes once.
    pub fn scrape(&mut self, gzip: bool) -> Result<&[u8]> {
        let status = self.client.get(gzip)?;
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&self.client.body));
        Ok(&self.client.body)
    }
}

fn first_page(port: u16, gzip: bool) -> Option<Client> {
    let mut client = Client::connect(port).ok()?;
    let status = client.get(gzip).ok()?;
    (status == 200).then_some(client)
}
