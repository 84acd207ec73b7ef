//! One gzip member (RFC 1952) of blocks that stand one behind the other. Several members would be
//! shorter to explain, but some clients read the first one only.
//!
//! Must never say anything of the process or of the time, so that equal texts give equal members.

use std::sync::Arc;

use crate::block::PatchableBlock;
use crate::crc::joined;
use crate::deflate::END;

/// Deflate, no name, no time, unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A member, put together from its blocks, whose bytes it shares.
pub struct Member {
    parts: Vec<Arc<Vec<u8>>>,
    sum: u32,
    len: usize,
}

impl Member {
    /// A member without blocks, with room for so many.
    pub fn with_capacity(blocks: usize) -> Self {
        let mut parts = Vec::with_capacity(blocks + 2);
        parts.push(Arc::new(HEAD.to_vec()));
        Self { parts, sum: 0, len: 0 }
    }

    /// Appends a block.
    pub fn push(&mut self, block: &PatchableBlock) {
        self.parts.push(Arc::clone(block.bytes()));
        self.sum = joined(self.sum, block.sum(), block.text_len());
        self.len += block.text_len();
    }

    /// The parts of the whole member, in their order.
    pub fn finish(mut self) -> Vec<Arc<Vec<u8>>> {
        let (sum, len) = (self.sum.to_le_bytes(), (self.len as u32).to_le_bytes());
        self.parts.push(Arc::new([&END[..], &sum, &len].concat()));
        self.parts
    }
}
