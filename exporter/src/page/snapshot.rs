//! A page as somebody gets it.

use std::sync::Arc;

use bytes::Bytes;

/// A page for somebody, in parts that stand one behind the other. It never changes.
pub struct PageSnapshot {
    parts: Vec<Arc<Vec<u8>>>,
    len: usize,
}

impl PageSnapshot {
    /// A page of these parts.
    pub(super) fn new(mut parts: Vec<Arc<Vec<u8>>>) -> Self {
        parts.retain(|part| !part.is_empty());
        let len = parts.iter().map(|part| part.len()).sum();
        Self { parts, len }
    }

    /// Bytes of the page.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The parts.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| part.as_slice())
    }

    /// The part with a number.
    pub(super) fn part(&self, at: usize) -> Option<&Arc<Vec<u8>>> {
        self.parts.get(at)
    }

    /// The page in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.len);
        self.parts().for_each(|part| bytes.extend_from_slice(part));
        bytes.into()
    }
}
