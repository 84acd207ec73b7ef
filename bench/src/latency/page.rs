//! One series on a page that is scraped again and again.

use anyhow::{Context as _, Result, ensure};
use logtally_e2e::exposition;

use crate::client::Client;

/// The only host and job.
pub const HOST: &str = "server1";
pub const JOB: &str = "backup";

/// The line that counts them.
pub const LINE: &str = "server1,backup";

/// A scraper.
pub struct Page {
    client: Client,
    before: String,
}

impl Page {
    /// A scraper of a program on this machine.
    pub fn connect(port: u16) -> Result<Self> {
        let before = format!("{} ", exposition::series(HOST, JOB));
        Ok(Self { client: Client::connect(port)?, before })
    }

    /// What the series is now; 0 if it is not there.
    pub fn value(&mut self) -> Result<u64> {
        let status = self.client.get(false)?;
        let text = std::str::from_utf8(&self.client.body)?;
        ensure!(status == 200, "{status}: {text}");
        let value = text.lines().find_map(|line| line.strip_prefix(&self.before));
        value.map_or(Ok(0), |value| value.parse().with_context(|| value.to_owned()))
    }
}
