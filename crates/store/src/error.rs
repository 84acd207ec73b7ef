//! What can go wrong with a store, and whether trying again can help.

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer: away, loading, refusing connections, timing out. Worth another try.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Nothing has been created at this place (or everything was wiped).
    #[error("the store holds nothing yet: start an aggregator, which creates it")]
    Missing,
    /// A part of the store is gone while others are there: refused, never re-created.
    #[error(
        "the store is damaged: {0}; restore it from a copy, or remove all of it to count again from the sources"
    )]
    Damaged(String),
    /// The store was made for another configuration or by another build.
    #[error("the store does not fit: {0}")]
    Mismatch(String),
    /// The place is in use by another process.
    #[error("the store is in use: {0}")]
    InUse(String),
    /// The store is full or refuses writes.
    #[error("the store refuses writes: {0}")]
    Refused(String),
    /// A journal and its counts do not join; another fold or trim came between. Worth another try.
    #[error("the partition changed while it was read: {0}")]
    Moved(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Moved(_) | Self::Refused(_))
    }
}
