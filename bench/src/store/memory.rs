//! What stored counts take, and how long single commands take while they are written and loaded.
//! Every series has been counted by one of many sources, and is folded.

use anyhow::Result;
use logtally_core::series::{Increments, SeriesKey};

use super::server::Server;
use crate::series;
use crate::writer::Writer;

/// Series of each source.
const SERIES_PER_SOURCE: usize = 1_000;

/// What was found.
pub struct Memory {
    /// Memory of the server per series in a partition.
    pub bytes_per_row: f64,
    /// The longest command of writing and folding (milliseconds).
    pub write_ms: f64,
    /// The longest command of a cold load (milliseconds).
    pub load_ms: f64,
    /// Processor time of Redis for a cold load (seconds).
    pub load_cpu: f64,
}

/// Writes so many series to a fresh server, and loads them.
pub fn measure(series: usize) -> Result<Memory> {
    let mut server = Server::start()?;
    let keys: Vec<SeriesKey> = (0..series).map(series::key).collect();
    let sources = series.div_ceil(SERIES_PER_SOURCE);
    drop(Writer::new(&server.url(), None, 0)?);
    let empty = server.memory()?;
    server.watch()?;
    write(&server, &keys, sources)?;
    let write_ms = server.longest_ms()?;
    let bytes = server.memory()?.saturating_sub(empty);
    server.watch()?;
    let begun = server.cpu()?;
    let reader = Writer::new(&server.url(), None, 0)?;
    for at in reader.partitions() {
        std::hint::black_box(reader.load(at)?);
    }
    let load_cpu = server.cpu()? - begun;
    let load_ms = server.longest_ms()?;
    reader.check(&keys, &vec![1; series])?;
    Ok(Memory { bytes_per_row: bytes as f64 / series as f64, write_ms, load_ms, load_cpu })
}

/// The connections are closed at the end, so that their buffers are not counted.
fn write(server: &Server, keys: &[SeriesKey], sources: usize) -> Result<()> {
    let mut writer = Writer::new(&server.url(), None, sources)?;
    for (source, keys) in keys.chunks(SERIES_PER_SOURCE).enumerate() {
        writer.commit(source, Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))))?;
        if (source + 1).is_multiple_of(super::commits::FOLD_AT) {
            writer.fold()?;
        }
    }
    writer.fold()
}
