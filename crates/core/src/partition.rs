//! Where a source is stored, and in which bucket a series lies. Fixed functions of pinned hashes:
//! they are independent of who works (the ring).

use std::fmt;

use crate::hash::scale;
use crate::limits::COUNTS_BUCKETS;
use crate::source::SourceId;

/// A fixed share of the sources.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:03}", self.0)
    }
}

/// The partition of a source among `partitions`.
pub fn partition_of(source: &SourceId, partitions: u16) -> Partition {
    Partition(scale(source.hash64(), u64::from(partitions)) as u16)
}

/// The counts bucket of a series key.
pub fn bucket_of(series: &[u8]) -> u16 {
    scale(crate::hash::hash64(series), u64::from(COUNTS_BUCKETS)) as u16
}

/// The static shard (of `total`) that reads a source. The source's hash is mixed once more, so that
/// shards and partitions do not coincide.
pub fn shard_of(source: &SourceId, total: u32) -> u32 {
    let mixed = crate::hash::hash64(&source.hash64().to_le_bytes());
    scale(mixed, u64::from(total)) as u32
}
