//! The rows of a store in memory: plain maps.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use logtally_core::journal::Entry;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, FamilyId};
use logtally_core::source::{SourceId, SourceState};

use crate::error::StoreError;
use crate::identity::{Meta, Root, RootMut, explain_absent_head};
use crate::partition_log::block::Block;
use crate::partition_log::{Head, ReadLimit, Reported, Rows, RowsMut};

/// Everything that a store in memory holds.
#[derive(Clone, Default)]
pub struct MemoryContent {
    meta: Option<Meta>,
    heads: BTreeMap<Partition, Head>,
    shelves: BTreeMap<Partition, Shelf>,
}

/// What a partition holds besides its head.
#[derive(Clone, Default)]
struct Shelf {
    states: BTreeMap<SourceId, SourceState>,
    families: BTreeMap<FamilyId, Family>,
    journal: BTreeMap<u64, Entry>,
    /// By the hash that they begin at.
    blocks: BTreeMap<u64, Block>,
    reported: HashMap<SourceId, Reported>,
}

impl MemoryContent {
    /// Takes the metadata away, as damage for a test.
    pub fn remove_meta(&mut self) {
        self.meta = None;
    }

    /// Takes the head of a partition away, as damage for a test.
    pub fn remove_head(&mut self, at: Partition) {
        self.heads.remove(&at);
    }

    /// Takes an entry out of a journal, as damage for a test.
    pub fn remove_entry(&mut self, at: Partition, seq: u64) {
        if let Some(shelf) = self.shelves.get_mut(&at) {
            shelf.journal.remove(&seq);
        }
    }

    /// Runs a step on a partition; if it fails, the counts are what they were before.
    pub(super) fn whole_or_not<T>(
        &mut self,
        at: Partition,
        step: impl FnOnce(&mut Part<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut part = self.part(at)?;
        // The rows themselves are shared.
        let before = part.shelf.blocks.clone();
        let result = step(&mut part);
        if result.is_err() {
            part.shelf.blocks = before;
        }
        result
    }

    /// The rows of a partition.
    pub(super) fn part(&mut self, at: Partition) -> Result<Part<'_>, StoreError> {
        if !self.heads.contains_key(&at) {
            return Err(explain_absent_head(self, at));
        }
        let head = self.heads.entry(at).or_insert(Head::fresh(0));
        Ok(Part { head, shelf: self.shelves.entry(at).or_default() })
    }
}

impl Root for MemoryContent {
    const LAYOUT: u32 = 2;

    fn meta(&self) -> Result<Option<Meta>, StoreError> {
        Ok(self.meta)
    }

    fn head_id(&self, at: Partition) -> Result<Option<u64>, StoreError> {
        Ok(self.heads.get(&at).map(|head| head.state_id))
    }

    fn holds_rows(&self) -> Result<bool, StoreError> {
        Ok(!(self.heads.is_empty() && self.shelves.is_empty()))
    }
}

impl RootMut for MemoryContent {
    fn install(&mut self, meta: &Meta) -> Result<(), StoreError> {
        self.meta = Some(*meta);
        let heads = (0..meta.partitions).map(|p| (Partition(p), Head::fresh(meta.state_id)));
        self.heads = heads.collect();
        Ok(())
    }
}

/// One partition, for as long as the store's lock is held.
pub(super) struct Part<'a> {
    head: &'a mut Head,
    shelf: &'a mut Shelf,
}

impl Rows for Part<'_> {
    fn head(&self) -> Result<Head, StoreError> {
        Ok(*self.head)
    }

    fn state(&self, source: &SourceId) -> Result<Option<SourceState>, StoreError> {
        Ok(self.shelf.states.get(source).copied())
    }

    fn sources(&self) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        self.sources_after(None, usize::MAX)
    }

    fn sources_after(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let states = self.shelf.states.range::<str, _>((after, Bound::Unbounded)).take(max);
        Ok(states.map(|(source, state)| (source.clone(), *state)).collect())
    }

    fn families(&self) -> Result<Vec<Family>, StoreError> {
        Ok(self.shelf.families.values().cloned().collect())
    }

    fn entries(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for (_, entry) in self.shelf.journal.range((Bound::Excluded(after), Bound::Unbounded)) {
            if !limit.leaves_room(&entries) {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }

    fn oldest(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.shelf.journal.first_key_value().map(|(seq, _)| *seq))
    }

    fn time_of(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        Ok(self.shelf.journal.get(&seq).map(|entry| entry.time_ms))
    }

    fn block(&self, hash: u64) -> Result<Option<Block>, StoreError> {
        Ok(self.shelf.blocks.range(..=hash).next_back().map(|(_, block)| block.clone()))
    }

    fn has_blocks(&self) -> Result<bool, StoreError> {
        Ok(!self.shelf.blocks.is_empty())
    }

    fn blocks(&self) -> Result<Vec<Block>, StoreError> {
        Ok(self.shelf.blocks.values().cloned().collect())
    }

    fn reported(&self, source: &SourceId) -> Result<Option<Reported>, StoreError> {
        Ok(self.shelf.reported.get(source).copied())
    }

    fn all_reported(&self) -> Result<Vec<Reported>, StoreError> {
        Ok(self.shelf.reported.values().copied().collect())
    }
}

impl RowsMut for Part<'_> {
    fn put_head(&mut self, head: Head) -> Result<(), StoreError> {
        *self.head = head;
        Ok(())
    }

    fn put_state(&mut self, source: &SourceId, state: SourceState) -> Result<(), StoreError> {
        self.shelf.states.insert(source.clone(), state);
        Ok(())
    }

    fn remove_state(&mut self, source: &SourceId) -> Result<(), StoreError> {
        self.shelf.states.remove(source);
        Ok(())
    }

    fn add_family(&mut self, family: &Family) -> Result<(), StoreError> {
        self.shelf.families.entry(family.id()).or_insert_with(|| family.clone());
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> Result<(), StoreError> {
        self.shelf.journal.insert(entry.mark.seq, entry);
        Ok(())
    }

    fn remove_entry(&mut self, seq: u64) -> Result<(), StoreError> {
        self.shelf.journal.remove(&seq);
        Ok(())
    }

    fn put_block(&mut self, block: Block) -> Result<(), StoreError> {
        self.shelf.blocks.insert(block.lower, block);
        Ok(())
    }

    fn remove_block(&mut self, lower: u64) -> Result<(), StoreError> {
        self.shelf.blocks.remove(&lower);
        Ok(())
    }

    fn put_reported(&mut self, source: &SourceId, reported: Reported) -> Result<(), StoreError> {
        self.shelf.reported.insert(source.clone(), reported);
        Ok(())
    }

    fn remove_reported(&mut self, source: &SourceId) -> Result<(), StoreError> {
        self.shelf.reported.remove(source);
        Ok(())
    }
}
