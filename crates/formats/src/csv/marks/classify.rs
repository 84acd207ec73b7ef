//! The masks of special bytes, by the best instructions that the machine has. Nothing here knows what
//! the bytes mean.

#[cfg(target_arch = "x86_64")]
mod x86;

mod portable;

use super::block::{BLOCK, Masks, Special, Visit};
use super::quotes::running_parity;

/// A set of instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Instructions {
    /// What every machine has, eight bytes at a time.
    Portable,
    /// 32 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// All that this machine has, the best one last.
    pub(crate) fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "nothing to add"))]
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(x86::has_avx2().then_some(Self::Avx2));
            all.extend(x86::has_avx512().then_some(Self::Avx512));
        }
        all
    }

    /// The best ones.
    pub(crate) fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

/// Finds the special bytes of `text`. A block at the end that is not full has no bits behind the text.
pub(super) fn classify(
    instructions: Instructions,
    text: &[u8],
    special: Special,
    visit: &mut impl Visit,
) {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    match instructions {
        Instructions::Portable => portable::classify(blocks, special, visit),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::classify_avx2(blocks, special, visit),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => x86::classify_avx512(blocks, special, visit),
    }
    if !rest.is_empty() {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        let Masks { lines, delimiters, quotes } = portable::masks(&block, special);
        let there = (1 << rest.len()) - 1;
        let quotes = quotes & there;
        let masks = Masks { lines: lines & there, delimiters: delimiters & there, quotes };
        visit.block(masks, running_parity(quotes));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct All(Vec<Masks>);

    impl Visit for All {
        fn block(&mut self, masks: Masks, parity: u64) {
            assert_eq!(parity, running_parity(masks.quotes));
            self.0.push(masks);
        }
    }

    proptest! {
        /// Every set of instructions finds what a look at each byte finds.
        #[test]
        fn all_instructions_find_the_same(
            text in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"')], 0..300),
            delimiter in prop_oneof![Just(b','), Just(0), Just(0xff), any::<u8>()],
            quote in prop_oneof![Just(None), Just(Some(b'"')), any::<u8>().prop_map(Some)],
        ) {
            let mask = |block: &[u8], wanted: Option<u8>| {
                let bit = |(i, byte): (usize, &u8)| u64::from(Some(*byte) == wanted) << i;
                block.iter().enumerate().map(bit).sum::<u64>()
            };
            let naive = |block: &[u8]| Masks {
                lines: mask(block, Some(b'\n')),
                delimiters: mask(block, Some(delimiter)),
                quotes: mask(block, quote),
            };
            let expected: Vec<Masks> = text.chunks(BLOCK).map(naive).collect();
            for instructions in Instructions::available() {
                let mut found = All(Vec::new());
                classify(instructions, &text, Special { delimiter, quote }, &mut found);
                prop_assert_eq!(&found.0, &expected, "{:?}", instructions);
            }
        }
    }
}
