//! Why bytes from outside are not families, keys or increments.

/// Why a family, a key or a block of increments is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    /// A family description that cannot be read.
    #[error("unreadable family: {0}")]
    Family(String),
    /// A key that does not begin with a family id.
    #[error("series key without a family id")]
    Key,
    /// The block ends inside an increment, or has an unknown version.
    #[error("increments are cut off or of an unknown version at byte {0}")]
    Cut(usize),
    /// A value of 0 or of 2^53 and more.
    #[error("increment out of range at byte {0}")]
    Range(usize),
}
