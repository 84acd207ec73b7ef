//! Merging journal entries into the counts, and trimming what is merged.
//!
//! One round is one transaction with bounded work; if it fails, its caller must take back what it has
//! written. A fold never writes a count without moving
//! `folded` in the same transaction, and never trims what is not folded.

use logtally_core::journal::{Entry, Mark, follow};
use logtally_core::limits::{FOLD_ENTRIES_MAX, FOLD_ROUND_BYTES_MAX};

use super::merge::merge;
use super::ordered::Ordered;
use super::rows::{Head, ReadLimit, Rows, RowsMut};
use crate::error::StoreError;
use crate::model::Folded;
use crate::pace::TRIM_GRACE_MS;

/// What is read of a journal at once.
const ROUND: ReadLimit = ReadLimit { entries: FOLD_ENTRIES_MAX, bytes: FOLD_ROUND_BYTES_MAX };

/// What one round did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Round {
    /// Entries merged.
    pub merged: u64,
    /// Entries trimmed.
    pub trimmed: usize,
    /// The last entry merged so far.
    pub folded: Mark,
}

impl Round {
    /// Whether a fold that wants to reach `target` needs no further round. One that merged nothing
    /// has reached the end, wherever that is after a rollback.
    pub(crate) fn is_last(&self, target: Mark) -> bool {
        let merged_all = self.merged == 0 || self.folded.seq >= target.seq;
        merged_all && self.trimmed < FOLD_ENTRIES_MAX
    }
}

/// The end of the journal if a fold would change anything, told without writing.
pub(crate) fn target(rows: &impl Rows, now_ms: u64) -> Result<Option<Mark>, StoreError> {
    let head = rows.head()?;
    let due = head.folded != head.last || !trimmable(rows, head, now_ms, 1)?.is_empty();
    Ok(due.then_some(head.last))
}

/// Merges the next entries and trims old ones.
pub(crate) fn round(rows: &mut impl RowsMut, now_ms: u64) -> Result<Round, StoreError> {
    let head = rows.head()?;
    let entries = rows.entries(head.folded.seq, ROUND)?;
    let folded = joined(head.folded, &entries, head)?;
    merge(rows, Ordered::of(&entries))?;
    let head = Head { folded, ..head };
    rows.put_head(head)?;
    let old = trimmable(rows, head, now_ms, FOLD_ENTRIES_MAX)?;
    for seq in &old {
        rows.remove_entry(*seq)?;
    }
    Ok(Round { merged: entries.len() as u64, trimmed: old.len(), folded })
}

/// Where the journal stands after a fold that merged `entries` entries.
pub(crate) fn progress(rows: &impl Rows, entries: u64, now_ms: u64) -> Result<Folded, StoreError> {
    let head = rows.head()?;
    let waits_since = rows.time_of(head.folded.seq + 1)?;
    let trimmed = rows.oldest()?.map_or(head.last.seq, |oldest| oldest.saturating_sub(1));
    Ok(Folded {
        entries,
        waiting: head.last.seq.saturating_sub(head.folded.seq),
        journal: head.last.seq.saturating_sub(trimmed),
        lag_ms: waits_since.map_or(0, |time| now_ms.saturating_sub(time)),
    })
}

/// Checks that `entries` continue `at` inside the journal that `head` describes. Within one
/// transaction nothing can come between, so a broken link means that rows are lost.
pub(crate) fn joined(at: Mark, entries: &[Entry], head: Head) -> Result<Mark, StoreError> {
    let reached = follow(at, entries).filter(|to| to.seq < head.last.seq || *to == head.last);
    let stuck = entries.is_empty() && at != head.last;
    reached.filter(|_| !stuck).ok_or_else(|| {
        StoreError::Damaged(format!("the journal does not lead from {at:?} to {:?}", head.last))
    })
}

/// The first folded entries that are older than the grace time, at most `max` of them.
fn trimmable(
    rows: &impl Rows,
    head: Head,
    now_ms: u64,
    max: usize,
) -> Result<Vec<u64>, StoreError> {
    let Some(oldest) = rows.oldest()? else { return Ok(Vec::new()) };
    let mut old = Vec::new();
    for seq in (oldest..=head.folded.seq).take(max) {
        match rows.time_of(seq)? {
            Some(time) if time.saturating_add(TRIM_GRACE_MS) < now_ms => old.push(seq),
            _ => break,
        }
    }
    Ok(old)
}
