//! The rows of one partition: what a store with transactions has to bring.
//!
//! Nothing here knows how a row is encoded.

use logtally_core::journal::{Entry, Mark};
use logtally_core::series::Family;
use logtally_core::source::{Generation, SourceId, SourceState};

use super::block::Block;
use crate::error::StoreError;

/// Where a partition's journal stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The store that the partition belongs to.
    pub state_id: u64,
    /// The last entry.
    pub last: Mark,
    /// The last entry that is merged into the counts.
    pub folded: Mark,
    /// The time of the last entry, milliseconds since 1970; 0 before the first.
    pub time_ms: u64,
}

impl Head {
    /// The head of an empty partition.
    pub(crate) fn fresh(state_id: u64) -> Self {
        Self { state_id, last: Mark::default(), folded: Mark::default(), time_ms: 0 }
    }
}

/// What a reader reported as acknowledged, while the store was behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reported {
    /// The generation of the source.
    pub generation: Generation,
    /// The position to be reached again.
    pub position: u64,
    /// The store's time of the latest report, milliseconds since 1970.
    pub time_ms: u64,
}

impl Reported {
    pub(crate) fn is_reached_by(&self, state: &SourceState) -> bool {
        self.generation == state.generation && self.position <= state.position
    }
}

/// How much of a journal to read at once. The first entry is read whatever its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadLimit {
    /// Entries.
    pub entries: usize,
    /// Encoded increments, bytes.
    pub bytes: usize,
}

impl ReadLimit {
    /// Whether another entry may be read after these.
    pub(crate) fn leaves_room(&self, entries: &[Entry]) -> bool {
        let bytes: usize = entries.iter().map(|e| e.increments.len()).sum();
        entries.len() < self.entries && bytes < self.bytes
    }
}

/// The rows of one partition inside one transaction.
pub(crate) trait Rows {
    /// The head; its absence is an error that says why.
    fn head(&self) -> Result<Head, StoreError>;
    /// The state of a source.
    fn state(&self, source: &SourceId) -> Result<Option<SourceState>, StoreError>;
    /// All sources and their states, ordered by name.
    fn sources(&self) -> Result<Vec<(SourceId, SourceState)>, StoreError>;
    /// The first sources with names after `after`, ordered by name, at most `max`.
    fn sources_after(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(SourceId, SourceState)>, StoreError>;
    /// The families, ordered by id.
    fn families(&self) -> Result<Vec<Family>, StoreError>;
    /// Journal entries with a sequence number above `after`, in order.
    fn entries(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, StoreError>;
    /// The sequence number of the oldest entry.
    fn oldest(&self) -> Result<Option<u64>, StoreError>;
    /// The time of an entry.
    fn time_of(&self, seq: u64) -> Result<Option<u64>, StoreError>;
    /// The last block of counts that begins at a hash or before; `None` if there is none.
    fn block(&self, hash: u64) -> Result<Option<Block>, StoreError>;
    /// Whether there are any blocks of counts.
    fn has_blocks(&self) -> Result<bool, StoreError>;
    /// All blocks of counts, as folded so far, in order.
    fn blocks(&self) -> Result<Vec<Block>, StoreError>;
    /// What was reported for a source that is behind.
    fn reported(&self, source: &SourceId) -> Result<Option<Reported>, StoreError>;
    /// What was reported for all sources that are behind.
    fn all_reported(&self) -> Result<Vec<Reported>, StoreError>;
}

/// [`Rows`] for writing.
pub(crate) trait RowsMut: Rows {
    /// Replaces the head.
    fn put_head(&mut self, head: Head) -> Result<(), StoreError>;
    /// Replaces the state of a source.
    fn put_state(&mut self, source: &SourceId, state: SourceState) -> Result<(), StoreError>;
    /// Removes the state of a source.
    fn remove_state(&mut self, source: &SourceId) -> Result<(), StoreError>;
    /// Adds a family if its id is not there.
    fn add_family(&mut self, family: &Family) -> Result<(), StoreError>;
    /// Adds a journal entry.
    fn append(&mut self, entry: Entry) -> Result<(), StoreError>;
    /// Removes a journal entry.
    fn remove_entry(&mut self, seq: u64) -> Result<(), StoreError>;
    /// Replaces the block of counts that begins where this one does.
    fn put_block(&mut self, block: Block) -> Result<(), StoreError>;
    /// Removes the block of counts that begins at a hash.
    fn remove_block(&mut self, lower: u64) -> Result<(), StoreError>;
    /// Replaces what was reported for a source.
    fn put_reported(&mut self, source: &SourceId, reported: Reported) -> Result<(), StoreError>;
    /// Forgets what was reported for a source.
    fn remove_reported(&mut self, source: &SourceId) -> Result<(), StoreError>;
}
