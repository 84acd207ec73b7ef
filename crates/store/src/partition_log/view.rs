//! Reading a partition: as a whole, and what happened since.
//!
//! Both answers stand at exactly one place of the journal. Nothing here writes.

use logtally_core::journal::{Mark, follow};
use logtally_core::limits::{CHANGES_BYTES_MAX, FOLD_ROUND_BYTES_MAX};

use super::block::Block;
use super::fold::joined;
use super::merge::{check, gap, merged};
use super::ordered::Ordered;
use super::rows::{ReadLimit, Rows};
use crate::counts::Counts;
use crate::error::StoreError;
use crate::model::{
    Changes, PageCursor, Recovering, SOURCES_PAGE, Snapshot, SourcesPage, StoreClock,
};

/// What a load reads of the journal at once.
const LOAD: ReadLimit = ReadLimit { entries: usize::MAX, bytes: FOLD_ROUND_BYTES_MAX };

const CHANGES: ReadLimit = ReadLimit { entries: usize::MAX, bytes: CHANGES_BYTES_MAX };

/// The counts as folded, and the rest of the journal on top of them.
pub(crate) fn load(rows: &impl Rows, now_ms: u64) -> Result<Snapshot, StoreError> {
    let head = rows.head()?;
    let mut blocks = whole(rows.blocks()?)?;
    let mut at = head.folded;
    if at == head.last {
        check(&blocks)?;
    }
    while at != head.last {
        let entries = rows.entries(at.seq, LOAD)?;
        at = joined(at, &entries, head)?;
        blocks = merged(blocks, &mut Ordered::of(&entries))?;
    }
    let counts = Counts::of_checked(blocks.into_iter().map(|block| block.rows).collect());
    let recovering = recovering(rows, now_ms)?;
    Ok(Snapshot { at, time_ms: head.time_ms, counts, families: rows.families()?, recovering })
}

/// The blocks of a partition, if none is gone; one that is empty if nothing was folded.
fn whole(blocks: Vec<Block>) -> Result<Vec<Block>, StoreError> {
    if blocks.is_empty() {
        return Ok(vec![Block::default()]);
    }
    let mut next = Some(0);
    for block in &blocks {
        if next != Some(block.lower) {
            return Err(gap(next.unwrap_or(block.lower)));
        }
        next = block.upper;
    }
    next.map_or(Ok(blocks), |hash| Err(gap(hash)))
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

/// The time of the journal.
pub(crate) fn clock(rows: &impl Rows, now_ms: u64) -> Result<StoreClock, StoreError> {
    Ok(StoreClock { time_ms: rows.head()?.time_ms, now_ms })
}

/// A page of sources, by name: a cursor is the last name of the page before.
pub(crate) fn sources_page(
    rows: &impl Rows,
    from: Option<&PageCursor>,
) -> Result<SourcesPage, StoreError> {
    rows.head()?;
    let sources = rows.sources_after(from.map(|cursor| cursor.0.as_str()), SOURCES_PAGE)?;
    let is_full = sources.len() >= SOURCES_PAGE;
    let last = sources.last().filter(|_| is_full).map(|(source, _)| source.as_str().to_owned());
    Ok(SourcesPage { sources, next: last.map(PageCursor) })
}

fn recovering(rows: &impl Rows, now_ms: u64) -> Result<Recovering, StoreError> {
    let reported = rows.all_reported()?;
    let latest_ms = reported.iter().map(|r| r.time_ms).max().unwrap_or(0);
    Ok(Recovering { sources: reported.len() as u64, latest_ms, now_ms })
}

#[cfg(test)]
mod tests {
    use logtally_core::batch::Batch;
    use logtally_core::delta::{Delta, Span};
    use logtally_core::journal::Nonce;
    use logtally_core::limits::DELTA_BYTES_TARGET;
    use logtally_core::partition::Partition;
    use logtally_core::series::{Family, Increments, Kind, SeriesKey};
    use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};

    use super::*;
    use crate::memory::MemoryStore;
    use crate::model::Opening;
    use crate::traits::{CountStore, SnapshotReader};

    const P: Partition = Partition(0);

    /// A delta as large as an ingest makes them.
    fn large_delta(source: &SourceId, from: u64) -> Delta {
        let family = Family::new("n", Kind::Counter, "", &["host"]);
        let series = (0..DELTA_BYTES_TARGET / 1000).map(|i| format!("{i}-{}", "x".repeat(1000)));
        let keys: Vec<_> = series.map(|host| SeriesKey::new(family.id(), [&*host])).collect();
        Delta {
            source: source.clone(),
            generation: Generation(1),
            span: Span::new(from, from + 1).expect("valid"),
            tail_before: Tail::empty(),
            tail_after: Tail::empty(),
            note: None,
            records: RecordCounts::default(),
            families: Vec::new(),
            limits: Vec::new(),
            increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))),
        }
    }

    #[tokio::test]
    async fn a_reader_far_behind_is_sent_to_load() {
        let store = MemoryStore::new();
        store.create(None).await.expect("creates");
        let source = SourceId::new("a").expect("valid");
        let fresh = SourceState::start(Generation(1));
        let opening = Opening { source: source.clone(), expected: None, fresh };
        store.open(P, &opening).await.expect("opens");
        let mut places = vec![Mark::default()];
        let commits = (CHANGES_BYTES_MAX / DELTA_BYTES_TARGET) as u64 + 3;
        for from in 0..commits {
            let (batch, _) = Batch::build([large_delta(&source, from)]);
            let committed = store.commit(P, &batch, Nonce(from + 1)).await.expect("commits");
            places.extend(committed.applied);
        }
        let is_broken = async |place: Mark| {
            let changes = store.changes(P, place).await.expect("answers");
            matches!(changes, Changes::Broken)
        };
        assert!(is_broken(places[0]).await, "more than {CHANGES_BYTES_MAX} bytes behind");
        assert!(!is_broken(places[places.len() / 2]).await);
        let counts = store.load(P).await.expect("loads").counts;
        assert!(counts.iter().all(|(_, count)| count.amount.count == commits));
    }
}
