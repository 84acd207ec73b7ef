//! What goes into a store and comes out of it: plain data, the same for all stores.

use std::collections::HashMap;

use logtally_core::batch::Verdict;
use logtally_core::journal::{Entry, Mark};
use logtally_core::series::{Family, FamilyId};
use logtally_core::source::{SourceId, SourceState};

use crate::counts::Counts;

/// Some sources of a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourcesPage {
    /// About [`SOURCES_PAGE`] of them and their states, in any order.
    pub sources: Vec<(SourceId, SourceState)>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<PageCursor>,
}

/// Where a page of sources begins. It means something only to the store that gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageCursor(pub(crate) String);

/// Sources that are read at once: some hundred kilobytes.
pub const SOURCES_PAGE: usize = 1_000;

/// Who a store is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreInfo {
    /// Random id, given at creation: another id is another store, whatever its address.
    pub state_id: u64,
    /// Number of partitions, fixed at creation.
    pub partitions: u16,
    /// When it was created, milliseconds since 1970.
    pub created_ms: u64,
    /// Changes when the serving process was replaced (restart, failover): what was read before may
    /// be gone. Constant for stores inside the process.
    pub server: u64,
}

/// The outcome of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The place of the new journal entry, or `None` if nothing was applied.
    pub applied: Option<Mark>,
    /// One verdict per delta, in order.
    pub verdicts: Vec<Verdict>,
}

/// A request to open a generation of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The source.
    pub source: SourceId,
    /// The whole stored state that the opener saw, `None` if the source was not registered.
    pub expected: Option<SourceState>,
    /// The state to install: a fresh generation at its start.
    pub fresh: SourceState,
}

/// The outcome of an opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Whether the fresh state was installed.
    pub installed: bool,
    /// The state stored now.
    pub stored: Option<SourceState>,
}

/// The outcome of a fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Folded {
    /// Entries merged into the counts by this call.
    pub entries: u64,
    /// Entries that still wait to be folded.
    pub waiting: u64,
    /// Entries in the journal, folded ones within the grace time included.
    pub journal: u64,
    /// Age of the oldest entry that waits, milliseconds.
    pub lag_ms: u64,
}

/// A partition at one place of its journal.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The place.
    pub at: Mark,
    /// The time of the entry at that place, milliseconds since 1970; 0 before the first one. Times in a
    /// journal never go back.
    pub time_ms: u64,
    /// Everything counted up to there.
    pub counts: Counts,
    /// The families of the partition.
    pub families: Vec<Family>,
    /// Sources whose acknowledged state has not been reached again after a rollback.
    pub recovering: Recovering,
}

/// The time of a journal beside the time of its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreClock {
    /// The time of the last entry, milliseconds since 1970; 0 before the first.
    pub time_ms: u64,
    /// The store's time now, milliseconds since 1970.
    pub now_ms: u64,
}

/// What happened in a partition after a place.
#[derive(Clone, Debug)]
pub enum Changes {
    /// The entries after the place, which link to it.
    Linked {
        /// The entries in order; empty if nothing happened.
        entries: Vec<Entry>,
        /// Sources still recovering.
        recovering: Recovering,
    },
    /// The place is not in this journal's history any more (trimmed or rolled back), or so far back
    /// that the changes would exceed [`logtally_core::limits::CHANGES_BYTES_MAX`]: load again.
    Broken,
}

/// Sources that are behind what was acknowledged to their readers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovering {
    /// How many.
    pub sources: u64,
    /// The store's time of the latest report, milliseconds since 1970.
    pub latest_ms: u64,
    /// The store's time now, milliseconds since 1970.
    pub now_ms: u64,
}

/// The families by id, which is how series keys name them.
pub fn by_id(families: &[Family]) -> HashMap<FamilyId, Family> {
    families.iter().map(|f| (f.id(), f.clone())).collect()
}
