//! Which bytes stand inside quotes, from the masks of block after block.
//!
//! A quote opens a field only where the field begins. So an opening quote must follow a delimiter, a
//! line feed, or the closing quote of a pair (`""`); any other one is data. Blocks whose quotes all
//! keep to that take a few steps; in others each quote is looked at.

use super::block::{BLOCK, Masks};

/// What is known at the beginning of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    /// All ones inside quotes, else 0.
    inside: u64,
    /// 1 if a quote at the block's first byte opens a field when outside quotes, else 0.
    may_open: u64,
}

impl Quotes {
    /// The beginning of a record.
    pub(crate) fn at_record() -> Self {
        Self { inside: 0, may_open: 1 }
    }

    /// The bytes of the next block that stand inside quotes; of the quotes, those that open. `parity` is
    /// the [`running_parity`] of the block's quotes.
    ///
    /// Without a branch for blocks that have no quotes: where some have, it would be guessed wrong.
    #[inline(always)]
    pub(crate) fn inside(&mut self, masks: &Masks, parity: u64) -> u64 {
        let ends = masks.lines | masks.delimiters;
        let mut turns = masks.quotes;
        let mut inside = parity ^ self.inside;
        let may_open = (ends | turns) << 1 | self.may_open;
        if turns & inside & !may_open != 0 {
            turns = self.turns(masks.quotes, ends);
            inside = running_parity(turns) ^ self.inside;
        }
        self.may_open = (ends | turns) >> (BLOCK - 1);
        // The sign of the last byte, over the whole word.
        self.inside = (inside.cast_signed() >> (BLOCK - 1)).cast_unsigned();
        inside
    }

    /// The quotes that open or close, when there are others, too.
    #[cold]
    fn turns(&self, mut quotes: u64, ends: u64) -> u64 {
        let (mut turns, mut is_inside) = (0_u64, self.inside != 0);
        while quotes != 0 {
            let quote = quotes & quotes.wrapping_neg();
            quotes ^= quote;
            let may_open = (ends | turns) << 1 | self.may_open;
            if is_inside || quote & may_open != 0 {
                turns |= quote;
                is_inside = !is_inside;
            }
        }
        turns
    }
}

/// Bit `i` is the parity of bits `0..=i`.
#[inline(always)]
pub(super) fn running_parity(mut mask: u64) -> u64 {
    if mask == 0 {
        return 0;
    }
    for shift in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << shift;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_runs() {
        assert_eq!(running_parity(0), 0);
        assert_eq!(running_parity(0b1001_0010), u64::MAX << 7 | 0b0000_1110);
        assert_eq!(running_parity(1), u64::MAX);
        assert_eq!(running_parity(0b101), 0b011);
    }
}
