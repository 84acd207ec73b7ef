//! The other side: one `HINCRBY` per increment, pipelined, in one hash. What one would write first,
//! and what counts twice when an answer is lost.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use logtally_core::series::SeriesKey;

use super::load::Load;
use super::server::Server;

/// The hash.
const KEY: &str = "counts";

/// Increments everything on a fresh server. Returns the processor time per increment (microseconds).
pub fn measure(load: &Load, keys: &[SeriesKey]) -> Result<f64> {
    let mut server = Server::start()?;
    let begun = server.cpu()?;
    for commit in load.commits() {
        let mut pipe = redis::pipe();
        for (series, amount) in commit {
            pipe.cmd("HINCRBY").arg(KEY).arg(keys[*series].as_bytes()).arg(*amount).ignore();
        }
        pipe.query::<()>(&mut server.connection)?;
    }
    let cpu = server.cpu()? - begun;
    let stored: HashMap<Vec<u8>, u64> =
        redis::cmd("HGETALL").arg(KEY).query(&mut server.connection)?;
    for (key, sum) in keys.iter().zip(load.sums()) {
        let got = stored.get(key.as_bytes()).copied().unwrap_or(0);
        ensure!(got == sum, "{key:?} is {got} and not {sum}");
    }
    Ok(load.micros(cpu))
}
