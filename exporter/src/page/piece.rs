//! One piece of the page as text, kept up to date as its values change.
//!
//! What is being sent to somebody is never changed: it is copied then.

use std::sync::Arc;

use logtally_patchgzip::{PatchableBlock, put_in_place};

use super::edits::Edit;
use super::text::Text;
use super::writer::Writer;

/// A piece that is written.
#[derive(Default)]
pub(super) struct RenderedPiece {
    /// Which piece it is; 0 if it has to be written anew.
    pub(super) revision: u64,
    /// Whether times of creation are in it.
    pub(super) has_created: bool,
    /// When a line of it will be hidden.
    pub(super) hides_at: u64,
    text: Arc<Vec<u8>>,
    values: Vec<u32>,
    compressed: Option<PatchableBlock>,
    /// Whether the compressed text is that of this text.
    is_compressed: bool,
}

/// A value that takes more or less room than the one before.
struct Splice {
    index: usize,
    from: usize,
    to: usize,
    value: std::ops::Range<usize>,
}

impl RenderedPiece {
    /// The text.
    pub(super) fn text(&self) -> &Arc<Vec<u8>> {
        &self.text
    }

    /// The text, compressed.
    pub(super) fn compressed(&mut self) -> &PatchableBlock {
        let block = self.compressed.get_or_insert_default();
        if !std::mem::replace(&mut self.is_compressed, true) {
            block.set(&self.text, &self.values);
        }
        block
    }

    /// Forgets the compressed text.
    pub(super) fn drop_compressed(&mut self) {
        (self.compressed, self.is_compressed) = (None, false);
    }

    /// Takes other text.
    pub(super) fn replace(&mut self, text: &Text) {
        self.hides_at = text.hides_at;
        if *self.text == text.bytes && self.values == text.values {
            return;
        }
        put_in_place(&mut self.text, &text.bytes);
        self.values.clear();
        self.values.reserve_exact(text.values.len());
        self.values.extend_from_slice(&text.values);
        self.is_compressed = false;
    }

    /// Brings some values up to date. `false` if the piece has to be written anew instead.
    pub(super) fn patch(&mut self, writer: &Writer<'_>, edits: &[Edit]) -> bool {
        let place = |edit: &Edit| self.values.get(edit.index as usize).copied();
        // Lines of several series, or a hidden one that comes back.
        if edits.iter().any(|edit| place(edit).is_none_or(|at| at == Text::HIDDEN)) {
            return false;
        }
        // One that was forgotten in a partition may be hidden earlier than before.
        let hides_at = edits.iter().map(|edit| writer.hides_at(edit.slot)).min();
        self.hides_at = self.hides_at.min(hides_at.unwrap_or(u64::MAX));
        if writer.is_past(self.hides_at) {
            return false;
        }
        let (mut buffer, mut splices) = (Vec::new(), Vec::new());
        for edit in edits {
            let begin = buffer.len();
            writer.push_value_of(edit.slot, &mut buffer);
            let index = edit.index as usize;
            let from = self.values[index] as usize;
            let len = self.text[from..].iter().take_while(|byte| **byte != b'\n').count();
            let (to, value) = (from + len, &buffer[begin..]);
            if value.len() != len {
                splices.push(Splice { index, from, to, value: begin..buffer.len() });
                continue;
            }
            if self.text[from..to] != *value {
                if let Some(block) = self.compressed.as_mut().filter(|_| self.is_compressed) {
                    block.replace(index, &self.text[from..to], value, self.text.len() - to);
                }
                Arc::make_mut(&mut self.text)[from..to].copy_from_slice(value);
            }
            buffer.truncate(begin);
        }
        if !splices.is_empty() {
            self.splice(&buffer, &splices);
        }
        true
    }

    /// Replaces values by some of other widths, in the order of the text.
    fn splice(&mut self, values: &[u8], splices: &[Splice]) {
        let grown: usize = splices.iter().map(|splice| splice.value.len()).sum();
        let mut text = Vec::with_capacity(self.text.len() + grown);
        let mut copied = 0;
        let mut moved = 0;
        for splice in splices {
            text.extend_from_slice(&self.text[copied..splice.from]);
            // From the value behind the last splice to this one.
            let by = text.len() as i64 - splice.from as i64;
            shift(&mut self.values[moved..=splice.index], by);
            text.extend_from_slice(&values[splice.value.clone()]);
            (copied, moved) = (splice.to, splice.index + 1);
        }
        let by = text.len() as i64 - copied as i64;
        shift(&mut self.values[moved..], by);
        text.extend_from_slice(&self.text[copied..]);
        put_in_place(&mut self.text, &text);
        self.is_compressed = false;
    }
}

fn shift(values: &mut [u32], by: i64) {
    for at in values.iter_mut().filter(|at| **at != Text::HIDDEN) {
        *at = at.wrapping_add_signed(by as i32);
    }
}
