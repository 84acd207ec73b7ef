//! Parts of a page, compressed: each is a stream of its own, and one behind the other they are one
//! gzip member (RFC 1952). Several members would be shorter to explain, but some clients read the
//! first one only.
//!
//! Must never say anything of the replica or of the time, so that equal pages are equal after
//! compression, too.

use std::io::Write;
use std::sync::Arc;

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};

use super::crc::{difference, joined};
use super::deflate::{END, code_of, deflate};
use super::put_in_place;
use crate::render::Text;

/// Deflate, no name, no time, unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A compressed part, in which values can be replaced.
#[derive(Default)]
pub(super) struct Zipped {
    bytes: Arc<Vec<u8>>,
    /// At which bit each value begins.
    values: Vec<u32>,
    /// Checksum and length of the text.
    sum: u32,
    len: usize,
}

impl Zipped {
    /// Compresses a part with values at some places.
    pub(super) fn new(text: &[u8], values: &[u32]) -> Self {
        let mut zipped = Self::default();
        zipped.set(text, values);
        zipped
    }

    /// Compresses another text instead.
    pub(super) fn set(&mut self, text: &[u8], values: &[u32]) {
        let shown = values.iter().filter(|at| **at != Text::HIDDEN).map(|at| *at as usize);
        let stream = deflate(text, shown);
        put_in_place(&mut self.bytes, &stream.bytes);
        let mut bits = stream.values.into_iter();
        let bit = |at: &u32| if *at == Text::HIDDEN { 0 } else { bits.next().unwrap_or(0) };
        self.values.clear();
        self.values.reserve_exact(values.len());
        self.values.extend(values.iter().map(bit));
        let mut crc = Crc::new();
        crc.update(text);
        (self.sum, self.len) = (crc.sum(), text.len());
    }

    /// Replaces a value, which so many bytes stand behind, by one of the same width.
    pub(super) fn replace(&mut self, index: usize, before: &[u8], after: &[u8], behind: usize) {
        let bytes = Arc::make_mut(&mut self.bytes);
        let bit = self.values[index] as usize;
        for (i, byte) in after.iter().enumerate() {
            put_code(bytes, bit + 8 * i, *byte);
        }
        self.sum ^= difference(before, after, behind);
    }
}

/// A member, put together from its parts.
pub(super) struct Member {
    parts: Vec<Arc<Vec<u8>>>,
    sum: u32,
    len: usize,
}

impl Member {
    /// A member of so many parts, of which there are none yet.
    pub(super) fn new(parts: usize) -> Self {
        let mut all = Vec::with_capacity(parts + 2);
        all.push(Arc::new(HEAD.to_vec()));
        Self { parts: all, sum: 0, len: 0 }
    }

    /// Appends a part.
    pub(super) fn push(&mut self, part: &Zipped) {
        self.parts.push(Arc::clone(&part.bytes));
        self.sum = joined(self.sum, part.sum, part.len);
        self.len += part.len;
    }

    /// The whole member.
    pub(super) fn finish(mut self) -> Vec<Arc<Vec<u8>>> {
        let (sum, len) = (self.sum.to_le_bytes(), (self.len as u32).to_le_bytes());
        self.parts.push(Arc::new([&END[..], &sum, &len].concat()));
        self.parts
    }
}

/// Replaces the eight bits of a code.
pub(super) fn put_code(bytes: &mut [u8], bit: usize, byte: u8) {
    let code = u16::from(code_of(byte)) << (bit % 8);
    let mask = 0xff_u16 << (bit % 8);
    let pair = &mut bytes[bit / 8..];
    pair[0] = pair[0] & !(mask as u8) | code as u8;
    // There is a byte behind every code: at least those of the stored block.
    pair[1] = pair[1] & !((mask >> 8) as u8) | (code >> 8) as u8;
}

/// Compresses a short page as a whole: it repeats itself in what parts tear apart.
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
