//! The counts hashes: what a fold adds to them, and what stands in them.
//!
//! Nothing here writes.

use std::collections::HashMap;

use ::redis::{Value, pipe};
use logtally_core::journal::{Entry, Mark};
use logtally_core::limits::{FOLD_BYTES_MAX, FOLD_PAIRS_MAX};
use logtally_core::partition::bucket_of;
use logtally_core::series::packed::is_key;

use super::keys::{Key, MARKER};
use super::partition::{Head, RedisPartition};
use super::row;
use super::value::{bytes, list, pairs, unreadable};
use crate::count::Count;
use crate::counts::Counts;
use crate::counts::Packing;
use crate::error::StoreError;
use crate::partition_log::change::{Change, Changes, steps};

/// What some entries do to one counts hash.
pub(super) struct Sums<'e> {
    /// The number of the hash.
    pub bucket: u16,
    /// Every series once.
    pub series: Vec<(&'e [u8], Change)>,
}

/// What stands in a counts hash for the series of some [`Sums`], in their order.
pub(super) struct Found {
    /// Up to where the hash is folded.
    pub marker: Option<Mark>,
    /// The counts.
    pub counts: Vec<Option<Count>>,
}

/// A whole counts hash, and the head of just before.
pub(super) struct Bucket {
    /// The head. The hash contains everything up to the place folded to.
    pub head: Head,
    /// Up to where the hash is folded.
    pub marker: Option<Mark>,
    /// The counts, packed, and not yet joined with those of other hashes.
    pub counts: Counts,
}

/// What `entries` do per counts hash, only of those that they name.
pub(super) fn sums(entries: &[Entry]) -> Vec<Sums<'_>> {
    let mut buckets: HashMap<u16, Changes<'_>> = HashMap::new();
    for (series, change) in entries.iter().flat_map(steps) {
        buckets.entry(bucket_of(series)).or_default().then(series, change);
    }
    let sums = buckets.into_iter();
    sums.map(|(bucket, changes)| Sums { bucket, series: changes.into_vec() }).collect()
}

/// What the entries above `after` do to one counts hash.
pub(super) fn sums_after(entries: &[Entry], bucket: u16, after: u64) -> Changes<'_> {
    let mut changes = Changes::default();
    let late = entries.iter().filter(|entry| entry.mark.seq > after);
    for (series, change) in late.flat_map(steps).filter(|(s, _)| bucket_of(s) == bucket) {
        changes.then(series, change);
    }
    changes
}

/// Cuts sums into pieces of whole hashes that one script may write. A hash that is larger than a
/// piece makes one of its own.
pub(super) fn pieces<'s, 'e>(sums: &'s [Sums<'e>]) -> Vec<&'s [Sums<'e>]> {
    let mut pieces = Vec::new();
    let mut first = 0;
    let (mut pairs, mut bytes) = (0, 0);
    for (at, next) in sums.iter().enumerate() {
        let next_bytes = next.series.iter().map(|(s, _)| s.len() + row::BYTES_MAX).sum::<usize>();
        let full =
            pairs + next.series.len() > FOLD_PAIRS_MAX || bytes + next_bytes > FOLD_BYTES_MAX;
        if full && at > first {
            pieces.push(&sums[first..at]);
            (first, pairs, bytes) = (at, 0, 0);
        }
        pairs += next.series.len();
        bytes += next_bytes;
    }
    if first < sums.len() {
        pieces.push(&sums[first..]);
    }
    pieces
}

/// What stands in the counts hashes of `piece` for its series.
pub(super) async fn found(
    place: &RedisPartition<'_>,
    piece: &[Sums<'_>],
) -> Result<Vec<Found>, StoreError> {
    let mut pipeline = pipe();
    for (sums, chunk) in chunks(piece) {
        let mut command = RedisPartition::on("HMGET", Key::Counts(place.at, sums.bucket));
        command.arg(MARKER);
        for (series, _) in chunk {
            command.arg(*series);
        }
        pipeline.add_command(command);
    }
    let replies = place.link.queries(&pipeline).await?;
    let mut found: Vec<Found> = Vec::with_capacity(piece.len());
    let mut last = None;
    for ((sums, chunk), reply) in chunks(piece).zip(replies) {
        let part = Found::parse(chunk, reply)?;
        match found.last_mut().filter(|_| last == Some(sums.bucket)) {
            None => found.push(part),
            Some(whole) if whole.marker == part.marker => whole.counts.extend(part.counts),
            Some(_) => return Err(StoreError::Moved("a fold came between".to_owned())),
        }
        last = Some(sums.bucket);
    }
    Ok(found)
}

/// A whole counts hash. It must be there if it was ever written.
pub(super) async fn bucket(place: &RedisPartition<'_>, bucket: u16) -> Result<Bucket, StoreError> {
    let key = Key::Counts(place.at, bucket);
    let (head, replies) = place.with_head([RedisPartition::on("HGETALL", key)]).await?;
    let what = key.to_string();
    let rows = pairs(replies.into_iter().next().unwrap_or_default(), &what)?;
    let (mut marker, mut counts) = (None, Packing::default());
    for (field, value) in rows {
        let field = bytes(field, &what)?.unwrap_or_default();
        if field == MARKER {
            marker = mark_of(value)?;
        } else {
            let count = count_of(&field, value)?.filter(|_| is_key(&field));
            counts.push(&field, count.ok_or_else(|| unreadable(&what))?);
        }
    }
    let counts = counts.finish();
    if marker.is_none() && head.has_bucket(bucket) {
        return Err(StoreError::Damaged(format!("{what} is gone")));
    }
    Ok(Bucket { head, marker, counts })
}

/// Parts of sums that one command may read.
fn chunks<'s, 'e>(
    piece: &'s [Sums<'e>],
) -> impl Iterator<Item = (&'s Sums<'e>, &'s [(&'e [u8], Change)])> {
    let of_one = |sums: &'s Sums<'e>| sums.series.chunks(FOLD_PAIRS_MAX).map(move |c| (sums, c));
    piece.iter().flat_map(of_one)
}

impl Found {
    fn parse(series: &[(&[u8], Change)], reply: Value) -> Result<Self, StoreError> {
        let mut values = list(reply, "a counts hash")?.into_iter();
        let marker = mark_of(values.next().unwrap_or_default())?;
        let counts = series.iter().zip(values).map(|((series, _), value)| count_of(series, value));
        Ok(Self { marker, counts: counts.collect::<Result<_, _>>()? })
    }

    /// The marker as it is stored; '' if there is none.
    pub(super) fn marker_text(&self) -> String {
        self.marker.map(Mark::encode).unwrap_or_default()
    }
}

fn mark_of(value: Value) -> Result<Option<Mark>, StoreError> {
    let what = "how far a counts hash is folded";
    let text = super::value::text(value, what)?;
    text.map(|text| Mark::decode(&text).ok_or_else(|| unreadable(what))).transpose()
}

fn count_of(series: &[u8], value: Value) -> Result<Option<Count>, StoreError> {
    let Some(text) = bytes(value, "a count")? else { return Ok(None) };
    let corrupt = || {
        let series = String::from_utf8_lossy(series);
        unreadable(&format!("the count of {series:?}"))
    };
    row::decode(series, &text).map(Some).ok_or_else(corrupt)
}
