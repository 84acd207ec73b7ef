//! How late a journal is folded and trimmed. What is bounded here bounds memory and time, never what is
//! counted.

use std::time::Duration;

use logtally_core::limits::{
    UNFOLDED_BYTES_MAX, UNFOLDED_MAX, UNFOLDED_ON_DISK_BYTES_MAX, UNFOLDED_ON_DISK_MAX,
};

/// When a partition's journal is to be folded. Folding late is cheaper, because increments of one series
/// meet first; how late is a question of what an unfolded entry costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// How often when little happens.
    pub every: Duration,
    /// Entries after which folding does not wait any longer.
    pub entries: u64,
    /// Increments (bytes) after which it does not.
    pub bytes: u64,
    /// Unfolded entries above which nothing more is committed.
    pub entries_max: u64,
    /// Unfolded increments (bytes) above which nothing more is committed.
    pub bytes_max: u64,
}

impl Pace {
    /// For journals in memory.
    pub const IN_MEMORY: Self = Self {
        every: Duration::from_secs(2),
        entries: UNFOLDED_MAX / 4,
        bytes: UNFOLDED_BYTES_MAX / 4,
        entries_max: UNFOLDED_MAX,
        bytes_max: UNFOLDED_BYTES_MAX,
    };

    /// For journals on disk. A fold writes every block that has a change, however small that is, so it is
    /// worth waiting for many.
    pub const ON_DISK: Self = Self {
        every: Duration::from_secs(30),
        entries: UNFOLDED_ON_DISK_MAX / 4,
        bytes: UNFOLDED_ON_DISK_BYTES_MAX / 2,
        entries_max: UNFOLDED_ON_DISK_MAX,
        bytes_max: UNFOLDED_ON_DISK_BYTES_MAX,
    };
}

/// How long a folded entry stays in the journal (milliseconds), so that exporters that were briefly
/// away need no cold load.
pub const TRIM_GRACE_MS: u64 = 10_000;
