//! Folding: merging journal entries into the counts hashes.
//!
//! Any number of folders may do this at once, late, twice, across a rollback, or die half way. What
//! makes that harmless: each counts hash carries the place up to which it is folded (its marker), a
//! script writes absolute values over exactly those that they were made from, and the place folded to
//! moves only when every hash with increments up to there contains them.

use ::redis::ScriptInvocation;
use logtally_core::journal::{Entry, Mark};
use logtally_core::limits::{JOURNAL_READ_BYTES_MAX, JOURNAL_READ_MAX, TRIM_ENTRIES_MAX};

use super::counts::{self, Found, Sums, pieces, sums, sums_after};
use super::journal::{self, Page};
use super::keys::Key;
use super::partition::{Head, RedisPartition};
use super::row;
use super::scripts::{FOLD_FINISH, FOLD_PIECE};
use super::value::number;
use crate::error::StoreError;
use crate::model::Folded;
use crate::partition_log::change::Row;

/// How often a round that lost a race is begun again before that is reported.
const RACES_MAX: usize = 8;

/// Entries to merge, in order, all of which continue `from`.
pub(super) struct Round {
    pub from: Mark,
    pub to: Mark,
    pub entries: Vec<Entry>,
    /// The head when the last page was read.
    head: Head,
    /// The store's time when the last page was read.
    read_ms: u64,
    /// Entries in the journal, folded ones included.
    journal: u64,
}

/// What one piece writes into a counts hash: absolute values, and what is gone.
#[derive(Default)]
struct Written<'s> {
    pairs: Vec<(&'s [u8], String)>,
    gone: Vec<&'s [u8]>,
}

/// Merges what is in the journal now, and trims what has been merged for longer than `grace_ms`.
pub(super) async fn fold(place: &RedisPartition<'_>, grace_ms: u64) -> Result<Folded, StoreError> {
    let (mut entries, mut races, mut target) = (0, 0, None);
    loop {
        match fold_round(place, grace_ms).await {
            Ok((to, last, folded)) => {
                entries += folded.entries;
                // Those who commit meanwhile are left to the next fold.
                if to.seq >= last.seq || to.seq >= *target.get_or_insert(last.seq) {
                    return Ok(Folded { entries, ..folded });
                }
            }
            Err(StoreError::Moved(_)) if races < RACES_MAX => races += 1,
            Err(e) => return Err(e),
        }
    }
}

/// One round: bounded in memory, and in the time that each of its scripts takes. Returns the place
/// reached, the end of the journal as it was read, and what was done.
async fn fold_round(
    place: &RedisPartition<'_>,
    grace_ms: u64,
) -> Result<(Mark, Mark, Folded), StoreError> {
    let round = Round::read(place).await?;
    if round.entries.is_empty() && round.journal == 0 {
        return Ok((round.to, round.head.last, Folded::default()));
    }
    let sums = sums(&round.entries);
    for piece in pieces(&sums) {
        round.write(place, piece).await?;
    }
    let folded = round.finish(place, &sums, grace_ms).await?;
    Ok((round.to, round.head.last, folded))
}

impl Round {
    /// Reads the entries after the place folded to, as many as one round may hold.
    pub(super) async fn read(place: &RedisPartition<'_>) -> Result<Self, StoreError> {
        let (head, replies) =
            place.with_head([RedisPartition::on("XLEN", Key::Journal(place.at))]).await?;
        let journal = number(replies.into_iter().next().unwrap_or_default(), "the journal")?;
        let from = head.folded;
        let mut round = Self { from, to: from, entries: Vec::new(), head, read_ms: 0, journal };
        loop {
            let page = journal::page(place, round.to).await?;
            let Some(reached) = page.reached(round.to) else {
                return Err(round.broken(place, &page));
            };
            if page.head.folded != from {
                return Err(moved("another fold came between"));
            }
            round.to = reached;
            round.read_ms = page.now_ms();
            round.head = page.head;
            round.entries.extend(page.entries);
            if round.is_drained() || round.is_full() {
                return Ok(round);
            }
        }
    }

    /// Whether nothing was waiting any more when the last page was read.
    fn is_drained(&self) -> bool {
        self.to.seq >= self.head.last.seq
    }

    /// Why a page does not link. What comes after the place folded to is never trimmed: if it is not
    /// there, and that place was the same before and after, then it was lost.
    fn broken(&self, place: &RedisPartition<'_>, page: &Page) -> StoreError {
        let (at, from, last) = (place.at, self.from, page.head.last);
        if self.to != from || page.head.folded != from || page.folded_then != from {
            return moved("another fold or a rollback came between");
        }
        StoreError::Damaged(format!(
            "the journal of partition {at} does not lead from {from:?} to {last:?}"
        ))
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.entries.iter().map(|e| e.increments.len()).sum();
        self.entries.len() >= JOURNAL_READ_MAX || bytes >= JOURNAL_READ_BYTES_MAX
    }

    /// Writes the sums of some counts hashes, in one script.
    pub(super) async fn write(
        &self,
        place: &RedisPartition<'_>,
        piece: &[Sums<'_>],
    ) -> Result<(), StoreError> {
        let Some(script) = self.script(place, piece).await? else { return Ok(()) };
        let reply = place.link.call(&script).await?;
        if reply.status == "written" { Ok(()) } else { Err(reply.refusal()) }
    }

    /// Reads what the sums are to be added to, and prepares the script that writes the result; `None`
    /// if nothing is left to do.
    pub(super) async fn script(
        &self,
        place: &RedisPartition<'_>,
        piece: &[Sums<'_>],
    ) -> Result<Option<ScriptInvocation<'static>>, StoreError> {
        let mut script = place.invoke(&FOLD_PIECE);
        script.key(Key::Journal(place.at).to_string());
        script.arg(self.from.encode()).arg(self.to.encode());
        let mut needed = false;
        for (sums, found) in piece.iter().zip(counts::found(place, piece).await?) {
            let Some(after) = self.continues(&found)? else { continue };
            let Written { pairs, gone } = self.written(sums, &found, after);
            script.key(Key::Counts(place.at, sums.bucket).to_string());
            script.arg(sums.bucket).arg(found.marker_text()).arg(pairs.len()).arg(gone.len());
            for (series, value) in pairs {
                script.arg(series).arg(value);
            }
            for series in gone {
                script.arg(series);
            }
            needed = true;
        }
        Ok(needed.then_some(script))
    }

    /// The number after which entries are to be added to a counts hash; `None` if it contains all of
    /// this round already, which the last step checks again.
    fn continues(&self, found: &Found) -> Result<Option<u64>, StoreError> {
        match found.marker {
            Some(marker) if marker.seq > self.to.seq || marker == self.to => Ok(None),
            // Left behind by a folder that died half way, or that is at work right now.
            Some(marker) if marker.seq > self.from.seq => {
                let known = self.entries.iter().any(|entry| entry.mark == marker);
                known.then_some(Some(marker.seq)).ok_or_else(|| moved("another history"))
            }
            // Nothing was to be added between an older marker and the place folded to.
            _ => Ok(Some(self.from.seq)),
        }
    }

    /// What to write into a counts hash.
    fn written<'s>(&self, sums: &'s Sums<'_>, found: &Found, after: u64) -> Written<'s> {
        let is_ahead = after > self.from.seq;
        let rest = is_ahead.then(|| sums_after(&self.entries, sums.bucket, after));
        let mut written = Written::default();
        for ((series, whole), current) in sums.series.iter().zip(&found.counts) {
            let change = rest.as_ref().map_or(Some(*whole), |rest| rest.get(series));
            match change.map(|change| change.applied_to(*current)) {
                Some(Row::Holds(count)) => {
                    written.pairs.push((series, row::encode(series, count)));
                }
                Some(Row::Gone) => written.gone.push(series),
                None => {}
            }
        }
        written
    }

    /// Moves the place folded to, and trims.
    pub(super) async fn finish(
        &self,
        place: &RedisPartition<'_>,
        sums: &[Sums<'_>],
        grace_ms: u64,
    ) -> Result<Folded, StoreError> {
        let mut script = place.invoke(&FOLD_FINISH);
        script.key(Key::Journal(place.at).to_string());
        for sums in sums {
            script.key(Key::Counts(place.at, sums.bucket).to_string());
        }
        script.arg(self.from.encode()).arg(self.to.encode()).arg(grace_ms).arg(TRIM_ENTRIES_MAX);
        let reply = place.link.call(&script).await?;
        if reply.status != "folded" {
            return Err(reply.refusal());
        }
        let [last, folded, journal, now_ms] = reply.fixed()?;
        let counted = |value| number(value, "a script's reply");
        let waiting = counted(last)?.saturating_sub(counted(folded)?);
        let age_ms = counted(now_ms)?.saturating_sub(self.oldest_waiting_ms());
        Ok(Folded {
            entries: self.entries.len() as u64,
            waiting,
            journal: counted(journal)?,
            lag_ms: if waiting == 0 { 0 } else { age_ms },
        })
    }

    /// When the oldest entry that waits after this round was committed, at the earliest: after the
    /// last one merged, and if that was the end of the journal, after it was read.
    fn oldest_waiting_ms(&self) -> u64 {
        match self.entries.last() {
            Some(merged) if !self.is_drained() => merged.time_ms,
            _ => self.read_ms,
        }
    }
}

fn moved(why: &str) -> StoreError {
    StoreError::Moved(why.to_owned())
}
