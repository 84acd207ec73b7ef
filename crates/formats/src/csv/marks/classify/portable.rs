//! Eight bytes at a time, with what every machine has.

use crate::csv::marks::block::{BLOCK, Masks, Special, Visit};
use crate::csv::marks::quotes::running_parity;

const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

pub(super) fn classify(blocks: &[[u8; BLOCK]], special: Special, visit: &mut impl Visit) {
    for block in blocks {
        let masks = masks(block, special);
        visit.block(masks, running_parity(masks.quotes));
    }
}

/// The special bytes of one block.
pub(super) fn masks(block: &[u8; BLOCK], special: Special) -> Masks {
    Masks {
        lines: equal(block, b'\n'),
        delimiters: equal(block, special.delimiter),
        quotes: special.quote.map_or(0, |quote| equal(block, quote)),
    }
}

/// Bit `i` tells whether byte `i` is the wanted one.
fn equal(block: &[u8; BLOCK], wanted: u8) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    let wanted = u64::from_le_bytes([wanted; 8]);
    let bits = |word: &[u8; 8]| high_bits(zero_bytes(u64::from_le_bytes(*word) ^ wanted));
    words.iter().rev().fold(0, |mask, word| mask << 8 | bits(word))
}

/// The high bit of every byte that is zero, and no other bit: without a carry from byte to byte.
fn zero_bytes(word: u64) -> u64 {
    !(((word & LOW) + LOW) | word | LOW)
}

/// The high bits of all bytes, side by side: the product puts bit `8 i + 7` at `56 + i`.
fn high_bits(word: u64) -> u64 {
    (word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
