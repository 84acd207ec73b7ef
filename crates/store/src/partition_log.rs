//! What happens to the rows of one partition: admitting a batch, opening a generation of a source,
//! remembering what was acknowledged, folding, reading. The same for every store that has
//! transactions; a store only brings the rows ([`Rows`], [`RowsMut`]) and runs each function here in
//! one transaction, which it commits if the function succeeds and changed something.
//!
//! Nothing here decides about a delta (that is `logtally_core`), knows how a row is encoded, or asks
//! for the time or a random number.

pub(crate) mod rows;

pub(crate) mod block;

pub(crate) mod change;

pub(crate) mod ordered;

pub(crate) mod merge;

pub(crate) mod fold;

pub(crate) mod view;

use logtally_core::admission::may_open;
use logtally_core::batch::{Batch, decide};
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::recovery::is_behind;
use logtally_core::series::Increments;
use logtally_core::source::{SourceId, SourceState};

pub(crate) use self::rows::{Head, ReadLimit, Reported, Rows, RowsMut};
use crate::error::StoreError;
use crate::model::{Committed, Opened, Opening};

/// Applies a batch whole or not at all. Nothing is written before everything is decided.
///
/// # Panics
/// If the batch is empty.
pub(crate) fn commit(
    rows: &mut impl RowsMut,
    batch: &Batch,
    nonce: Nonce,
    now_ms: u64,
) -> Result<Committed, StoreError> {
    assert!(!batch.is_empty(), "an empty batch has nothing to commit");
    let head = rows.head()?;
    let stored = states(rows, batch.deltas().iter().map(|d| &d.source))?;
    let (admitted, verdicts) = decide(batch, &stored);
    if !admitted {
        return Ok(Committed { applied: None, verdicts });
    }
    for (delta, verdict) in batch.deltas().iter().zip(&verdicts) {
        let state = verdict.stored.expect("an admitted delta has a stored state");
        reach(rows, &delta.source, state)?;
    }
    for family in batch.families() {
        rows.add_family(family)?;
    }
    let mark = append(rows, head, batch.increments(), nonce, now_ms)?;
    Ok(Committed { applied: Some(mark), verdicts })
}

/// Appends an entry that moves no source: one that forgets series, or an empty one.
pub(crate) fn append_alone(
    rows: &mut impl RowsMut,
    increments: &Increments,
    nonce: Nonce,
    now_ms: u64,
) -> Result<Mark, StoreError> {
    let head = rows.head()?;
    append(rows, head, increments, nonce, now_ms)
}

/// Removes the position of a source, if its whole stored state is the expected one.
pub(crate) fn forget_source(
    rows: &mut impl RowsMut,
    source: &SourceId,
    expected: &SourceState,
) -> Result<bool, StoreError> {
    rows.head()?;
    if rows.state(source)?.as_ref() != Some(expected) {
        return Ok(false);
    }
    rows.remove_state(source)?;
    // Whoever forgets a source does not wait for it to come back.
    rows.remove_reported(source)?;
    Ok(true)
}

/// [`forget_source`] for some sources. How many were removed.
pub(crate) fn forget_sources(
    rows: &mut impl RowsMut,
    sources: &[(SourceId, SourceState)],
) -> Result<u64, StoreError> {
    let mut removed = 0;
    for (source, expected) in sources {
        removed += u64::from(forget_source(rows, source, expected)?);
    }
    Ok(removed)
}

fn reach(rows: &mut impl RowsMut, source: &SourceId, state: SourceState) -> Result<(), StoreError> {
    rows.put_state(source, state)?;
    match rows.reported(source)? {
        Some(reported) if reported.is_reached_by(&state) => rows.remove_reported(source),
        _ => Ok(()),
    }
}

fn append(
    rows: &mut impl RowsMut,
    head: Head,
    increments: &Increments,
    nonce: Nonce,
    now_ms: u64,
) -> Result<Mark, StoreError> {
    let mark = Mark { seq: head.last.seq + 1, nonce };
    // A clock that was set back waits in the journal: whoever compares times of entries relies on it.
    let time_ms = head.time_ms.max(now_ms);
    let increments = increments.clone();
    rows.append(Entry { mark, previous: head.last.nonce, time_ms, increments })?;
    rows.put_head(Head { last: mark, time_ms, ..head })?;
    Ok(mark)
}

/// The states of sources, in order.
pub(crate) fn states<'a>(
    rows: &impl Rows,
    sources: impl Iterator<Item = &'a SourceId>,
) -> Result<Vec<Option<SourceState>>, StoreError> {
    sources.map(|source| rows.state(source)).collect()
}

/// Opens a generation of a source, if the stored state is still the one that the opener saw.
pub(crate) fn open(rows: &mut impl RowsMut, opening: &Opening) -> Result<Opened, StoreError> {
    rows.head()?;
    let stored = rows.state(&opening.source)?;
    if !may_open(stored.as_ref(), opening.expected.as_ref()) {
        return Ok(Opened { installed: false, stored });
    }
    rows.put_state(&opening.source, opening.fresh)?;
    match (stored, rows.reported(&opening.source)?) {
        // The store has forgotten the source: its new generation has to come as far as the old one.
        (None, Some(reported)) => {
            let generation = opening.fresh.generation;
            rows.put_reported(&opening.source, Reported { generation, ..reported })?;
        }
        // The content was replaced: what the older generation had reached cannot be reached any more.
        _ => rows.remove_reported(&opening.source)?,
    }
    Ok(Opened { installed: true, stored: Some(opening.fresh) })
}

/// Remembers what was acknowledged, if the store is behind it. Returns whether it is.
pub(crate) fn report(
    rows: &mut impl RowsMut,
    source: &SourceId,
    acknowledged: &SourceState,
    now_ms: u64,
) -> Result<bool, StoreError> {
    rows.head()?;
    let stored = rows.state(source)?;
    if !is_behind(stored.as_ref(), acknowledged) {
        return Ok(false);
    }
    let generation = acknowledged.generation;
    // A report that was under way for long must not lower what is to be reached.
    let known = rows.reported(source)?.filter(|r| r.generation == generation);
    let position = known.map_or(0, |r| r.position).max(acknowledged.position);
    rows.put_reported(source, Reported { generation, position, time_ms: now_ms })?;
    Ok(true)
}
