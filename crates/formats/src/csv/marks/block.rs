//! One block of text and what is special in it: the words that finding and classifying share.

/// Bytes of one block: as many as a mask has bits.
pub(super) const BLOCK: usize = 64;

/// The special bytes of one block: bit `i` tells of byte `i`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Masks {
    /// Line feeds.
    pub lines: u64,
    /// Delimiters.
    pub delimiters: u64,
    /// Quotes.
    pub quotes: u64,
}

/// The bytes that are looked for besides the line feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Special {
    pub delimiter: u8,
    pub quote: Option<u8>,
}

/// Takes the masks of one block after the other. It becomes a part of the loop over the blocks, and so
/// is compiled for the same instructions.
pub(super) trait Visit {
    /// The next block, and for each byte whether the number of quotes up to it is odd.
    fn block(&mut self, masks: Masks, parity: u64);
}
