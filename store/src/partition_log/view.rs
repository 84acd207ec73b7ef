//! Reading a partition: as a whole, and what happened since.
//!
//! Both answers stand at exactly one place of the journal. Nothing here writes.

use std::collections::HashMap;

use logtally_core::journal::{Mark, follow};
use logtally_core::limits::CHANGES_BYTES_MAX;
use logtally_core::series::SeriesKey;

use super::fold::{ROUND, addends, joined, plus};
use super::{ReadLimit, Rows};
use crate::{Changes, Count, Recovering, Snapshot, StoreError};

const CHANGES: ReadLimit = ReadLimit { entries: usize::MAX, bytes: CHANGES_BYTES_MAX };

/// The counts as folded, and the rest of the journal on top of them.
pub(crate) fn load(rows: &impl Rows, now_ms: u64) -> Result<Snapshot, StoreError> {
    let head = rows.head()?;
    let mut counts = rows.counts()?;
    let mut at = head.folded;
    while at != head.last {
        let entries = rows.entries(at.seq, ROUND)?;
        at = joined(at, &entries, head)?;
        for (series, addend) in entries.iter().flat_map(addends) {
            add(&mut counts, series, addend)?;
        }
    }
    let recovering = recovering(rows, now_ms)?;
    Ok(Snapshot { at, counts, families: rows.families()?, recovering })
}

/// The entries after `since`, if they link to it and lead to the end of the journal.
pub(crate) fn changes(rows: &impl Rows, since: Mark, now_ms: u64) -> Result<Changes, StoreError> {
    let head = rows.head()?;
    let entries = rows.entries(since.seq, CHANGES)?;
    if follow(since, &entries) != Some(head.last) {
        return Ok(Changes::Broken);
    }
    Ok(Changes::Linked { entries, recovering: recovering(rows, now_ms)? })
}

fn add(
    counts: &mut HashMap<SeriesKey, Count>,
    series: &[u8],
    addend: Count,
) -> Result<(), StoreError> {
    if let Some(count) = counts.get_mut(series) {
        *count = plus(*count, addend)?;
        return Ok(());
    }
    let key = SeriesKey::parse(series).map_err(|e| StoreError::Damaged(e.to_string()))?;
    counts.insert(key, addend);
    Ok(())
}

fn recovering(rows: &impl Rows, now_ms: u64) -> Result<Recovering, StoreError> {
    let reported = rows.all_reported()?;
    let latest_ms = reported.iter().map(|r| r.time_ms).max().unwrap_or(0);
    Ok(Recovering { sources: reported.len() as u64, latest_ms, now_ms })
}
