//! Bytes that may still be on their way to somebody.

use std::sync::Arc;

/// Puts other bytes in place of a part, in the same memory if nobody else holds the old ones. Other
/// memory would come from another thread's part of the heap, and leave holes in this one's.
#[inline]
pub fn put_in_place(part: &mut Arc<Vec<u8>>, bytes: &[u8]) {
    if let Some(part) = Arc::get_mut(part) {
        part.clear();
        part.reserve_exact(bytes.len());
        part.extend_from_slice(bytes);
    } else {
        *part = Arc::new(bytes.to_vec());
    }
}
