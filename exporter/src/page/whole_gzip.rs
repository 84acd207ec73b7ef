//! Short pages, compressed as a whole: they repeat themselves in what parts tear apart.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses a page at once.
pub(super) fn compress<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    // The fastest level: a page lives for seconds, and repeats itself so much that more effort
    // gains little.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let write = || -> std::io::Result<Vec<u8>> {
        for part in parts {
            encoder.write_all(part)?;
        }
        encoder.finish()
    };
    write().expect("writing to a vector does not fail")
}
