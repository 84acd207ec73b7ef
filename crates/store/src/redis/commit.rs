//! The write side without folding: committing a batch, opening a source, and what is asked about one.
//!
//! Nothing here decides about a delta: the script tells whether all of them continue what is stored,
//! and `logtally_core` says from the same states which case each one is.

use std::collections::BTreeMap;

use ::redis::Value;
use logtally_core::batch::{Batch, decide};
use logtally_core::delta::Delta;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::series::Increments;
use logtally_core::source::{SourceId, SourceState};

use super::keys::Key;
use super::partition::{RedisPartition, id_text, lost};
use super::scripts::{APPEND, COMMIT, FORGET_SOURCE, OPEN, REPORT};
use super::value::{fixed, list, number, pairs, text, unreadable, word};
use crate::error::StoreError;
use crate::model::{Committed, Opened, Opening, PageCursor, SOURCES_PAGE, SourcesPage};

/// Fields asked for in one command.
const FIELDS_MAX: usize = 2_000;

impl RedisPartition<'_> {
    /// Applies a batch whole or not at all.
    pub(super) async fn commit(
        &self,
        batch: &Batch,
        nonce: Nonce,
    ) -> Result<Committed, StoreError> {
        assert!(!batch.is_empty(), "an empty batch has nothing to commit");
        let mut script = self.invoke(&COMMIT);
        for key in [Key::Positions, Key::Families, Key::Recovering, Key::Journal] {
            script.key(key(self.at).to_string());
        }
        script.arg(id_text(nonce.0)).arg(&batch.increments().as_bytes()[..]);
        script.arg(batch.families().len());
        for family in batch.families() {
            script.arg(family.id().as_bytes()).arg(family.encode());
        }
        for delta in batch.deltas() {
            let records = delta.records;
            script.arg(delta.source.as_str()).arg(before(delta)).arg(after(delta));
            script.arg(records.counted).arg(records.filtered).arg(records.rejected);
        }
        let reply = self.link.call(&script).await?;
        let applied = match reply.status.as_str() {
            "applied" => true,
            "refused" => false,
            _ => return Err(reply.refusal()),
        };
        let [seq, states] = reply.fixed()?;
        let seq = number(seq, "a sequence number")?;
        committed(batch, applied.then_some(Mark { seq, nonce }), &states_of(states)?)
    }

    /// Opens a generation of a source.
    pub(super) async fn open(&self, opening: &Opening) -> Result<Opened, StoreError> {
        let mut script = self.invoke(&OPEN);
        for key in [Key::Positions, Key::Recovering] {
            script.key(key(self.at).to_string());
        }
        script.arg(opening.source.as_str());
        script.arg(opening.expected.map(|state| place_of(&state)).unwrap_or_default());
        script.arg(opening.fresh.encode());
        let reply = self.link.call(&script).await?;
        let installed = match reply.status.as_str() {
            "installed" => true,
            "kept" => false,
            _ => return Err(reply.refusal()),
        };
        let [stored] = reply.fixed()?;
        Ok(Opened { installed, stored: state_of(stored)? })
    }

    /// The stored states of sources, in order.
    pub(super) async fn states(
        &self,
        sources: &[SourceId],
    ) -> Result<Vec<Option<SourceState>>, StoreError> {
        let key = Key::Positions(self.at);
        let chunks = sources.chunks(FIELDS_MAX).map(|chunk| {
            let names: Vec<&str> = chunk.iter().map(SourceId::as_str).collect();
            Self::on("HMGET", key).arg(names).take()
        });
        let commands = std::iter::once(Self::on("HLEN", key)).chain(chunks);
        let (head, replies) = self.with_head(commands).await?;
        let mut replies = replies.into_iter();
        let known = number(replies.next().unwrap_or_default(), "the number of positions")?;
        if known < head.sources {
            return Err(lost(key, known, head.sources));
        }
        let mut states = Vec::with_capacity(sources.len());
        for reply in replies {
            states.extend(states_of(reply)?);
        }
        Ok(states)
    }

    /// Appends an entry that moves no source.
    pub(super) async fn append(
        &self,
        block: &Increments,
        nonce: Nonce,
    ) -> Result<Mark, StoreError> {
        let mut script = self.invoke(&APPEND);
        script.key(Key::Journal(self.at).to_string());
        script.arg(id_text(nonce.0)).arg(&block.as_bytes()[..]);
        let reply = self.link.call(&script).await?;
        if reply.status != "applied" {
            return Err(reply.refusal());
        }
        let [seq] = reply.fixed()?;
        Ok(Mark { seq: number(seq, "a sequence number")?, nonce })
    }

    /// Removes the position of a source, if its whole stored state is the expected one.
    pub(super) async fn forget_source(
        &self,
        source: &SourceId,
        expected: &SourceState,
    ) -> Result<bool, StoreError> {
        let mut script = self.invoke(&FORGET_SOURCE);
        for key in [Key::Positions, Key::Recovering] {
            script.key(key(self.at).to_string());
        }
        script.arg(source.as_str()).arg(expected.encode());
        let reply = self.link.call(&script).await?;
        match reply.status.as_str() {
            "forgotten" => Ok(true),
            "kept" => Ok(false),
            _ => Err(reply.refusal()),
        }
    }

    /// All sources and their states, by name, read in pieces.
    pub(super) async fn sources(&self) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        // While a hash grows, a piece may tell of a source again.
        let (mut sources, mut from) = (BTreeMap::new(), None);
        loop {
            let page = self.sources_page(from.as_ref()).await?;
            sources.extend(page.sources);
            from = page.next;
            if from.is_none() {
                return Ok(sources.into_iter().collect());
            }
        }
    }

    /// Some sources and their states: a cursor is the server's.
    pub(super) async fn sources_page(
        &self,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError> {
        const WHAT: &str = "the positions";
        let key = Key::Positions(self.at);
        let mut scan = Self::on("HSCAN", key);
        scan.arg(from.map_or("0", |cursor| &cursor.0)).arg("COUNT").arg(SOURCES_PAGE);
        let (head, replies) = self.with_head([Self::on("HLEN", key), scan]).await?;
        let [known, page] = fixed(Value::Array(replies), WHAT)?;
        let known = number(known, WHAT)?;
        if known < head.sources {
            return Err(lost(key, known, head.sources));
        }
        let [next, page] = fixed(page, WHAT)?;
        let mut sources = Vec::new();
        for (source, state) in pairs(page, WHAT)? {
            let source = SourceId::new(&word(source, "the name of a source")?);
            let source = source.map_err(|e| StoreError::Damaged(e.to_string()))?;
            sources.extend(state_of(state)?.map(|state| (source, state)));
        }
        let next = Some(word(next, WHAT)?).filter(|cursor| cursor != "0").map(PageCursor);
        Ok(SourcesPage { sources, next })
    }

    /// Marks a source as recovering, if the store is behind what was acknowledged.
    pub(super) async fn report(
        &self,
        source: &SourceId,
        acknowledged: &SourceState,
    ) -> Result<bool, StoreError> {
        let mut script = self.invoke(&REPORT);
        for key in [Key::Positions, Key::Recovering] {
            script.key(key(self.at).to_string());
        }
        script.arg(source.as_str()).arg(id_text(acknowledged.generation.0));
        script.arg(acknowledged.position);
        let reply = self.link.call(&script).await?;
        match reply.status.as_str() {
            "behind" => Ok(true),
            "level" => Ok(false),
            _ => Err(reply.refusal()),
        }
    }
}

/// The first three words of a stored state, which are what a compare-and-set compares.
fn place_of(state: &SourceState) -> String {
    format!("{} {} {}", id_text(state.generation.0), state.position, id_text(state.tail.0))
}

/// How a state begins that `delta` continues.
fn before(delta: &Delta) -> String {
    let position = delta.span.from();
    format!("{} {position} {}", id_text(delta.generation.0), id_text(delta.tail_before.0))
}

/// The state after `delta`, without the end, which the script keeps, and the records, which it adds up.
fn after(delta: &Delta) -> String {
    let note = delta.note.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let position = delta.span.to();
    let tail = id_text(delta.tail_after.0);
    format!("{} {position} {tail} {note}", id_text(delta.generation.0))
}

/// Works out the verdicts from the states that the script found, and holds its decision against ours.
fn committed(
    batch: &Batch,
    applied: Option<Mark>,
    stored: &[Option<SourceState>],
) -> Result<Committed, StoreError> {
    if stored.len() != batch.deltas().len() {
        return Err(unreadable("a script's reply"));
    }
    let (admitted, verdicts) = decide(batch, stored);
    if admitted != applied.is_some() {
        // Only a state in another spelling than ours (`007`) compares as text and as number differently.
        return Err(StoreError::Damaged("a stored position is not as this build writes it".into()));
    }
    Ok(Committed { applied, verdicts })
}

fn states_of(reply: Value) -> Result<Vec<Option<SourceState>>, StoreError> {
    list(reply, "stored states")?.into_iter().map(state_of).collect()
}

/// A stored state; nothing where there is nothing (scripts say '').
fn state_of(value: Value) -> Result<Option<SourceState>, StoreError> {
    match text(value, "a stored state")? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => {
            SourceState::decode(&text).map(Some).map_err(|e| StoreError::Damaged(e.to_string()))
        }
    }
}
