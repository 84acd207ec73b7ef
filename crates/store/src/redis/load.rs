//! Reading a partition: as a whole, and what happened since.
//!
//! A load takes many steps while commits, folds and trims go on, and still stands at exactly one place
//! of the journal: each counts hash is read together with the place that it contains, and the journal
//! is followed from the first of these places on, link by link. Nothing here writes.

use std::collections::HashMap;

use ::redis::{Value, cmd};
use futures::future::try_join_all;
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::limits::{CHANGES_BYTES_MAX, COUNTS_BUCKETS};
use logtally_core::partition::bucket_of;
use logtally_core::series::{Family, SeriesKey};

use super::counts::{self, Bucket};
use super::journal;
use super::keys::Key;
use super::partition::{RedisPartition, lost};
use super::value::{list, time_ms, word};
use crate::counts::Counts;
use crate::counts::Packing;
use crate::error::StoreError;
use crate::model::{Changes, Recovering, Snapshot, StoreClock};
use crate::partition_log::change::{Change, Row, steps};

/// How often a load begins again when the partition changed under it.
const ATTEMPTS_MAX: usize = 3;

/// Counts hashes asked for at a time. Their replies are in memory together, and a commit waits at the
/// server for those before it.
const BUCKETS_AT_ONCE: usize = 4;

/// A whole partition at one place of its journal.
pub(super) async fn load(place: &RedisPartition<'_>) -> Result<Snapshot, StoreError> {
    let mut attempts = 1;
    loop {
        match try_load(place).await {
            Err(StoreError::Moved(_)) if attempts < ATTEMPTS_MAX => attempts += 1,
            result => return result,
        }
    }
}

async fn try_load(place: &RedisPartition<'_>) -> Result<Snapshot, StoreError> {
    let mut loading = Loading::begin(place).await?;
    let numbers: Vec<u16> = (0..COUNTS_BUCKETS).collect();
    for group in numbers.chunks(BUCKETS_AT_ONCE) {
        loading.read(place, group).await?;
    }
    loading.finish(place).await
}

/// What happened after `since`.
pub(super) async fn changes(
    place: &RedisPartition<'_>,
    since: Mark,
) -> Result<Changes, StoreError> {
    let (mut at, mut entries, mut bytes) = (since, Vec::new(), 0);
    loop {
        let mut page = journal::page(place, at).await?;
        let Some(reached) = page.reached(at) else { return Ok(Changes::Broken) };
        at = reached;
        bytes += page.entries.iter().map(|e| e.increments.len()).sum::<usize>();
        entries.append(&mut page.entries);
        if at.seq >= page.head.last.seq {
            return Ok(Changes::Linked { entries, recovering: page.recovering });
        }
        if bytes > CHANGES_BYTES_MAX {
            return Ok(Changes::Broken);
        }
    }
}

/// The time of the journal.
pub(super) async fn clock(place: &RedisPartition<'_>) -> Result<StoreClock, StoreError> {
    let (head, replies) = place.with_head([cmd("TIME")]).await?;
    let now_ms = time_ms(replies.into_iter().next().unwrap_or_default())?;
    Ok(StoreClock { time_ms: head.time_ms, now_ms })
}

/// The families registered in a partition, ordered by id.
pub(super) async fn families(place: &RedisPartition<'_>) -> Result<Vec<Family>, StoreError> {
    let key = Key::Families(place.at);
    let (head, replies) = place.with_head([RedisPartition::on("HVALS", key)]).await?;
    let stored = list(replies.into_iter().next().unwrap_or_default(), "the families")?;
    if (stored.len() as u64) < head.families {
        return Err(lost(key, stored.len() as u64, head.families));
    }
    let mut families = stored.into_iter().map(family_of).collect::<Result<Vec<_>, _>>()?;
    families.sort_by_key(Family::id);
    Ok(families)
}

fn family_of(value: Value) -> Result<Family, StoreError> {
    let text = word(value, "a family")?;
    Family::decode(&text).map_err(|e| StoreError::Damaged(e.to_string()))
}

/// A load under way.
pub(super) struct Loading {
    /// The counts hashes as they were read.
    counts: Vec<Counts>,
    /// What the journal does to them.
    changes: HashMap<SeriesKey, Change>,
    /// By counts hash: the place that it contained when it was read.
    starts: Vec<Option<Mark>>,
    /// How far the journal is followed. Hashes that have been read contain everything up to there.
    at: Mark,
    /// The time of the entry at `at`.
    time_ms: u64,
    /// The nonces of the journal as it was followed, which all places in `starts` must be found in.
    chain: HashMap<u64, Nonce>,
    /// Entries followed that a hash yet to be read may not contain: those above `kept_after`.
    kept: Vec<Entry>,
    kept_after: u64,
}

impl Loading {
    /// A load that has read nothing yet.
    pub(super) async fn begin(place: &RedisPartition<'_>) -> Result<Self, StoreError> {
        let head = place.head(place.link.query(&place.head_command()).await?)?;
        Ok(Self {
            counts: Vec::new(),
            changes: HashMap::new(),
            starts: vec![None; usize::from(COUNTS_BUCKETS)],
            at: head.folded,
            time_ms: 0,
            chain: HashMap::from([(head.folded.seq, head.folded.nonce)]),
            kept: Vec::new(),
            kept_after: head.folded.seq,
        })
    }

    /// Reads some counts hashes.
    pub(super) async fn read(
        &mut self,
        place: &RedisPartition<'_>,
        numbers: &[u16],
    ) -> Result<(), StoreError> {
        let buckets = try_join_all(numbers.iter().map(|n| counts::bucket(place, *n))).await?;
        let folded = buckets.iter().map(|b| b.head.folded.seq).max();
        for (number, bucket) in numbers.iter().zip(buckets) {
            self.take(*number, bucket)?;
        }
        // What is folded may be trimmed soon, so that is followed now; what is not folded cannot be.
        self.follow(place, folded).await.map(|_| ())
    }

    /// Follows the journal to its end, and checks that all of it is one history.
    pub(super) async fn finish(
        mut self,
        place: &RedisPartition<'_>,
    ) -> Result<Snapshot, StoreError> {
        let recovering = self.follow(place, None).await?.unwrap_or_default();
        let stands = |start: &Mark| self.chain.get(&start.seq) == Some(&start.nonce);
        if !self.starts.iter().flatten().all(stands) {
            return Err(rolled_back());
        }
        // Read last: every entry that was followed has registered its families before.
        let families = families(place).await?;
        let Self { at, time_ms, counts, mut changes, .. } = self;
        let counts = joined(counts, &mut changes);
        Ok(Snapshot { at, time_ms, counts, families, recovering })
    }

    /// Takes a counts hash, and adds the entries that it does not contain but the others do.
    fn take(&mut self, number: u16, bucket: Bucket) -> Result<(), StoreError> {
        let folded = bucket.head.folded;
        // An older marker than the place folded to: nothing was to be added in between.
        let start = bucket.marker.filter(|marker| marker.seq > folded.seq).unwrap_or(folded);
        if start.seq < self.kept_after {
            return Err(rolled_back());
        }
        self.starts[usize::from(number)] = Some(start);
        self.counts.push(bucket.counts);
        let missing = self.kept.iter().filter(|e| e.mark.seq > start.seq);
        for (series, change) in missing.flat_map(steps) {
            if bucket_of(series) == number {
                then(&mut self.changes, series, change)?;
            }
        }
        Ok(())
    }

    /// Follows the journal to entry `goal`, or to its end as it is now: following those who commit
    /// meanwhile might never end. Returns who was recovering before that end was read.
    async fn follow(
        &mut self,
        place: &RedisPartition<'_>,
        goal: Option<u64>,
    ) -> Result<Option<Recovering>, StoreError> {
        let (mut goal, mut recovering) = (goal, None);
        while goal.is_none_or(|goal| self.at.seq < goal) {
            let page = journal::page(place, self.at).await?;
            self.at = page.reached(self.at).ok_or_else(rolled_back)?;
            let goal = *goal.get_or_insert(page.head.last.seq);
            if page.head.last.seq < goal {
                return Err(rolled_back());
            }
            recovering.get_or_insert(page.recovering);
            // The head's time is that of the head's last entry, which need not be where this load is.
            if page.head.last == self.at {
                self.time_ms = page.head.time_ms;
            }
            for entry in &page.entries {
                self.time_ms = entry.time_ms;
                self.chain.insert(entry.mark.seq, entry.mark.nonce);
                self.apply_entry(entry)?;
            }
            self.kept.extend(page.entries);
            self.kept_after = page.head.folded.seq.min(self.at.seq);
            self.kept.retain(|entry| entry.mark.seq > self.kept_after);
        }
        Ok(recovering)
    }

    /// Adds an entry to the counts hashes that have been read and do not contain it.
    fn apply_entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        for (series, change) in steps(entry) {
            let start = self.starts[usize::from(bucket_of(series))];
            if start.is_some_and(|start| start.seq < entry.mark.seq) {
                then(&mut self.changes, series, change)?;
            }
        }
        Ok(())
    }
}

/// One more change of a row.
fn then(
    changes: &mut HashMap<SeriesKey, Change>,
    series: &[u8],
    change: Change,
) -> Result<(), StoreError> {
    if let Some(known) = changes.get_mut(series) {
        *known = known.then(change);
        return Ok(());
    }
    let key = SeriesKey::parse(series).map_err(|e| StoreError::Damaged(e.to_string()))?;
    changes.insert(key, change);
    Ok(())
}

/// All counts with the changes of the journal in them. What does not change is copied as it is.
fn joined(counts: Vec<Counts>, changes: &mut HashMap<SeriesKey, Change>) -> Counts {
    if changes.is_empty() {
        return Counts::join(counts);
    }
    let mut packing = Packing::default();
    for of_bucket in counts {
        for (series, count) in of_bucket.iter() {
            let row = match changes.remove(series) {
                Some(change) => change.applied_to(Some(count)),
                None => Row::Holds(count),
            };
            packing.push_row(series, row);
        }
    }
    for (series, change) in changes.drain() {
        packing.push_row(series.as_bytes(), change.applied_to(None));
    }
    packing.finish()
}

/// The journal does not link: it was trimmed where it was to be read next, or rolled back.
fn rolled_back() -> StoreError {
    StoreError::Moved("the journal does not link to what was read before".to_owned())
}
