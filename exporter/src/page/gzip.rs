//! Parts of a page, compressed: each is a member of its own, and a page is many members (RFC 1952,
//! 2.2).
//!
//! Must never say anything of the replica or of the time, so that equal pages are equal after
//! compression, too.

use std::io::Write;
use std::sync::Arc;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use super::crc::difference;
use super::deflate::{code_of, deflate};
use crate::render::Text;

/// Deflate, no name, no time, unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A checksum and a length, 32 bits each.
const TAIL_BYTES: usize = 8;

/// A compressed part, in which values can be replaced.
pub(super) struct Zipped {
    bytes: Arc<Vec<u8>>,
    /// At which bit each value begins.
    values: Vec<u32>,
}

impl Zipped {
    /// Compresses a part with values at some places.
    pub(super) fn new(text: &[u8], values: &[u32]) -> Self {
        let shown = values.iter().filter(|at| **at != Text::HIDDEN).map(|at| *at as usize);
        let mut stream = deflate(&HEAD, text, shown);
        stream.bytes.extend_from_slice(&sum(text).to_le_bytes());
        stream.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        stream.bytes.shrink_to_fit();
        let mut bits = stream.values.into_iter();
        let bit = |at: &u32| if *at == Text::HIDDEN { 0 } else { bits.next().unwrap_or(0) };
        let values = values.iter().map(bit).collect();
        Self { bytes: Arc::new(stream.bytes), values }
    }

    /// Replaces a value, which so many bytes stand behind, by one of the same width.
    pub(super) fn replace(&mut self, index: usize, before: &[u8], after: &[u8], behind: usize) {
        let bytes = Arc::make_mut(&mut self.bytes);
        let bit = self.values[index] as usize;
        for (i, byte) in after.iter().enumerate() {
            put_code(bytes, bit + 8 * i, *byte);
        }
        let at = bytes.len() - TAIL_BYTES;
        let change = difference(before, after, behind).to_le_bytes();
        for (byte, change) in bytes[at..].iter_mut().zip(change) {
            *byte ^= change;
        }
    }

    /// The member.
    pub(super) fn member(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }
}

/// Replaces the eight bits of a code.
pub(super) fn put_code(bytes: &mut [u8], bit: usize, byte: u8) {
    let code = u16::from(code_of(byte)) << (bit % 8);
    let mask = 0xff_u16 << (bit % 8);
    let pair = &mut bytes[bit / 8..];
    pair[0] = pair[0] & !(mask as u8) | code as u8;
    // There is a byte behind every code: at least that of the end of the block.
    pair[1] = pair[1] & !((mask >> 8) as u8) | (code >> 8) as u8;
}

fn sum(text: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(text);
    crc.sum()
}

/// Compresses a short page in one member: it repeats itself in what parts tear apart.
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
