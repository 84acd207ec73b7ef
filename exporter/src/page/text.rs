//! Lines while they are written.

use logtally_patchgzip::PatchableBlock;

/// Some lines of a page.
#[derive(Default)]
pub(super) struct Text {
    /// The text.
    pub(super) bytes: Vec<u8>,
    /// Where the values of the series stand, [`Text::HIDDEN`] for those that are hidden. Empty if the
    /// lines are sums of several series.
    pub(super) values: Vec<u32>,
    /// The earliest time at which one of the lines is hidden if nothing is counted, `u64::MAX` for
    /// never.
    pub(super) hides_at: u64,
}

impl Text {
    /// What stands for the place of a value that is hidden.
    pub(super) const HIDDEN: u32 = PatchableBlock::ABSENT;

    /// No text, in the same buffers.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        self.hides_at = u64::MAX;
    }
}
