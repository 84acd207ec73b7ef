//! The masks of special bytes, by the best instructions that the machine has. Nothing here knows what
//! the bytes mean.

#[cfg(target_arch = "x86_64")]
mod x86;

mod portable;

use super::{BLOCK, Masks};

/// The bytes that are looked for besides the line feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Special {
    pub delimiter: u8,
    pub quote: Option<u8>,
}

/// A set of instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instructions {
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
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "nothing to add"))]
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(is_x86_feature_detected!("avx2").then_some(Self::Avx2));
            all.extend(is_x86_feature_detected!("avx512bw").then_some(Self::Avx512));
        }
        all
    }

    /// The best ones.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::Portable)
    }
}

/// Finds the special bytes of `text`. A block at the end that is not full has no bits behind the text.
pub(super) fn classify(
    instructions: Instructions,
    text: &[u8],
    special: Special,
    out: &mut Vec<Masks>,
) {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // Every entry is written below, so what is there already need not be cleared.
    out.resize(blocks.len() + usize::from(!rest.is_empty()), Masks::default());
    let (whole, last) = out.split_at_mut(blocks.len());
    match instructions {
        Instructions::Portable => portable::classify(blocks, special, whole),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::classify_avx2(blocks, special, whole),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => x86::classify_avx512(blocks, special, whole),
    }
    if let [last] = last {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        portable::classify(&[block], special, std::slice::from_mut(last));
        let there = (1 << rest.len()) - 1;
        last.lines &= there;
        last.delimiters &= there;
        last.quotes &= there;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                let mut found = vec![Masks { lines: 7, delimiters: 7, quotes: 7 }; 3];
                classify(instructions, &text, Special { delimiter, quote }, &mut found);
                prop_assert_eq!(&found, &expected, "{:?}", instructions);
            }
        }
    }
}
