//! The side of logtally: whole commits, folded from time to time as an aggregator does it.

use anyhow::Result;
use logtally_core::series::{Increments, SeriesKey};

use super::load::Load;
use super::server::Server;
use crate::writer::Writer;

/// Commits after which an aggregator folds at the latest.
pub const FOLD_AT: usize = 64;

/// Processor time of Redis per increment (microseconds).
pub struct Commits {
    /// Of the commits.
    pub commit: f64,
    /// Of folding.
    pub fold: f64,
}

/// Commits everything to a fresh server.
pub fn measure(load: &Load, keys: &[SeriesKey]) -> Result<Commits> {
    let server = Server::start()?;
    let mut writer = Writer::new(&server.url(), Some(1), 1)?;
    let begun = server.cpu()?;
    let mut fold = 0.0;
    for (n, commit) in load.commits().enumerate() {
        let pairs = commit.iter().map(|(series, amount)| (keys[*series].as_bytes(), *amount));
        writer.commit(0, Increments::pack(pairs))?;
        if (n + 1).is_multiple_of(FOLD_AT) {
            fold += folding(&server, &writer)?;
        }
    }
    fold += folding(&server, &writer)?;
    let commit = server.cpu()? - begun - fold;
    writer.check(keys, &load.sums())?;
    Ok(Commits { commit: load.micros(commit), fold: load.micros(fold) })
}

fn folding(server: &Server, writer: &Writer) -> Result<f64> {
    let begun = server.cpu()?;
    writer.fold()?;
    Ok(server.cpu()? - begun)
}
