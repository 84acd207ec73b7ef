//! A part of the page that does not change often.

use std::sync::Arc;

use logtally_patchgzip::PatchableBlock;

/// The head of a metric, or the end of the page.
pub(super) struct StaticPart {
    text: Arc<Vec<u8>>,
    compressed: Option<PatchableBlock>,
}

impl StaticPart {
    /// A part with this text.
    pub(super) fn new(text: Vec<u8>) -> Self {
        Self { text: Arc::new(text), compressed: None }
    }

    /// The text.
    pub(super) fn text(&self) -> &Arc<Vec<u8>> {
        &self.text
    }

    /// The text, compressed.
    pub(super) fn compressed(&mut self) -> &PatchableBlock {
        self.compressed.get_or_insert_with(|| PatchableBlock::new(&self.text, &[]))
    }
}
