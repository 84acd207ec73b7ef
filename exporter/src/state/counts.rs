//! The counts of all series over all partitions, and what this replica has served of them.

use hashbrown::HashMap;
use logtally_core::journal::{Entry, Mark, follow};
use logtally_core::partition::Partition;
use logtally_core::series::{Family, FamilyId, Value};

use super::dirty_set::DirtySet;
use super::families::{Families, FamilyEntry, Knowledge};
use super::ids::{FamilyIx, SeriesSlot};
use super::labels::{push_text, split};
use super::partition::{PartitionState, merge};
use super::series_table::SeriesTable;
use super::totals::{MembershipChange, Totals};

/// What is known of all counts.
#[derive(Default)]
pub struct CountState {
    pub(super) table: SeriesTable,
    families: Families,
    pub(super) totals: Totals,
    /// By slot: the earliest creation in any partition, 0 for none. As long as it must be.
    created_ms: Vec<u64>,
    /// The values of series that have one beside their records, merged over all partitions.
    values: HashMap<SeriesSlot, Value>,
    /// The latest increment in any partition of series whose family has a time-to-live.
    touched_ms: HashMap<SeriesSlot, u64>,
    pub(super) partitions: Vec<Option<PartitionState>>,
    pub(super) changes: LayoutChanges,
    pub(super) version: u64,
}

/// What a layout has not taken in yet.
#[derive(Default)]
pub(crate) struct LayoutChanges {
    /// Series that may have come or gone.
    pub(crate) membership: DirtySet,
    /// Series whose lines changed in more than their values.
    pub(crate) rewritten: DirtySet,
}

/// What is needed after something was taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The families of the partition: there is a series of a family that is not known.
    Families,
}

/// The entries do not continue what is known of the partition: load it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal entries do not continue the view")]
pub struct NotLinked;

/// Series whose totals are below what was served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shortfall {
    /// The first one, as on the page.
    pub series: String,
    /// What was served of it.
    pub served: u64,
    /// What it is now.
    pub total: u64,
    /// How many there are.
    pub count: usize,
}

impl CountState {
    /// Begins with a store of so many partitions, of which nothing is known yet. If there was another
    /// store before, its counts are forgotten, but not what was served of them.
    pub fn reset(&mut self, partitions: u16) {
        self.partitions.clear();
        self.partitions.resize_with(usize::from(partitions), || None);
        self.totals.clear();
        self.families.clear_series();
        self.created_ms.fill(0);
        self.values.clear();
        self.touched_ms.clear();
        self.changes.membership = DirtySet::Any;
        self.version += 1;
    }

    /// The place in the journal up to which a partition is taken in, `None` if it must be loaded.
    pub(crate) fn mark(&self, of: Partition) -> Option<Mark> {
        self.partitions.get(usize::from(of.0))?.as_ref().map(|partition| partition.at)
    }

    /// Grows with every change of what a page shows.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Series that have a total.
    pub(crate) fn series(&self) -> u64 {
        self.families.iter().map(|(_, entry)| entry.series).sum()
    }

    /// Series that were ever met.
    pub(crate) fn size(&self) -> usize {
        self.table.len()
    }

    /// How many series may have changed since the last page, `None` if it may be any.
    pub(crate) fn pending(&self) -> Option<usize> {
        Some(self.totals.changed()? + self.changes.membership.listed()?)
    }

    /// Takes in the journal entries of a partition that follow its mark.
    pub fn apply(&mut self, of: Partition, entries: &[Entry]) -> Result<Needs, NotLinked> {
        let at = self.mark(of).ok_or(NotLinked)?;
        let reached = follow(at, entries).ok_or(NotLinked)?;
        let taken = self.partitions[usize::from(of.0)].take();
        let Some(mut partition) = taken else { return Err(NotLinked) };
        let mut unknown = false;
        for entry in entries {
            unknown |= self.apply_entry(&mut partition, entry);
        }
        partition.at = reached;
        self.partitions[usize::from(of.0)] = Some(partition);
        Ok(needs(unknown))
    }

    /// Whether there is a family among them that is not known.
    fn apply_entry(&mut self, partition: &mut PartitionState, entry: &Entry) -> bool {
        let mut unknown = false;
        partition.time_ms = entry.time_ms;
        for (key, amount) in entry.amounts() {
            if amount.count == 0 {
                self.forget(partition, key);
                continue;
            }
            let slot = self.slot(key);
            if partition.add(slot, amount.count) && has_created(key) {
                partition.set_created(slot, entry.time_ms);
                self.note_created(slot, entry.time_ms);
            }
            self.raise(slot, amount.count);
            if amount.value != Value::None {
                partition.add_value(slot, amount.value);
                self.note_value(slot, amount.value);
            }
            if has_ttl(key) {
                partition.set_touched(slot, entry.time_ms);
                self.note_touched(slot, entry.time_ms);
            }
            unknown |= self.is_unknown(slot);
        }
        // Where something can be hidden, an entry that only tells the time can change the page.
        let is_news = !entry.increments.is_empty() || !self.touched_ms.is_empty();
        self.version += u64::from(is_news);
        unknown
    }

    /// Takes the row of a series out of a partition, and out of what was served.
    fn forget(&mut self, partition: &mut PartitionState, key: &[u8]) {
        let Some(slot) = self.table.find(self.table.hash(key), key) else { return };
        let Some(records) = partition.remove(slot) else { return };
        let change = self.totals.forget(slot, records);
        self.count_series(slot, change);
        self.recompute(slot);
    }

    /// Takes in descriptions of families.
    pub(crate) fn learn(&mut self, families: &[Family]) {
        let had_slots = self.table.len() > 0;
        let mut news = false;
        for family in families {
            news |= self.families.learn(family);
        }
        if news && had_slots {
            self.describe_all();
            self.version += 1;
        }
    }

    /// Whether there is a series whose family should be read again.
    pub(crate) fn asks_for_families(&self) -> bool {
        let asks = |entry: &FamilyEntry| matches!(entry.knowledge, Knowledge::Unknown);
        self.families.iter().any(|(_, entry)| entry.series > 0 && asks(entry))
    }

    /// Leaves out the families that were not found, and does not ask for them any more.
    pub(crate) fn stop_asking_for_families(&mut self) {
        self.families.give_up();
    }

    /// The first series below what was served, and how many there are.
    pub(crate) fn below_high_water(&self) -> Option<Shortfall> {
        if self.totals.below() == 0 {
            return None;
        }
        let is_below = |slot: &SeriesSlot| self.totals.get(*slot) < self.totals.high_water(*slot);
        let slot = self.table.slots().find(is_below)?;
        Some(Shortfall {
            series: self.name_of(slot),
            served: self.totals.high_water(slot),
            total: self.totals.get(slot),
            count: self.totals.below(),
        })
    }

    /// Remembers everything as served. The series that may have changed since the last time.
    ///
    /// # Panics
    /// If a series is below its high-water mark: then nothing may be served.
    pub(crate) fn mark_served(&mut self) -> DirtySet {
        self.totals.raise_high_water()
    }

    /// Gives up what was served and is not there any more.
    pub(crate) fn accept_loss(&mut self) {
        self.totals.lower_high_water();
    }

    /// What has changed for a layout since this was asked last.
    pub(crate) fn take_layout_changes(&mut self) -> LayoutChanges {
        std::mem::take(&mut self.changes)
    }

    /// All series keys that were ever met.
    pub(crate) fn table(&self) -> &SeriesTable {
        &self.table
    }

    /// All families.
    pub(crate) fn families(&self) -> &Families {
        &self.families
    }

    /// The number of records of a series, the exact sum over partitions; 0 means that the series does
    /// not exist.
    pub(crate) fn total(&self, slot: SeriesSlot) -> u64 {
        self.totals.get(slot)
    }

    /// When a series began in any partition, 0 if that is not known.
    pub(crate) fn created_ms(&self, slot: SeriesSlot) -> u64 {
        self.created_ms.get(slot.index()).copied().unwrap_or(0)
    }

    /// What a series holds beside its records, for kinds that have it.
    pub(crate) fn value(&self, slot: SeriesSlot) -> Option<Value> {
        self.values.get(&slot).copied()
    }

    /// The latest increment of a series in any partition, for families with a time-to-live; 0 if that
    /// is not known.
    pub(crate) fn touched_ms(&self, slot: SeriesSlot) -> u64 {
        self.touched_ms.get(&slot).copied().unwrap_or(0)
    }

    /// The time of everything that is taken in: the latest entry's, so that replicas that took in the
    /// same entries agree on it.
    pub(crate) fn now_ms(&self) -> u64 {
        self.partitions.iter().flatten().map(|partition| partition.time_ms).max().unwrap_or(0)
    }

    /// Puts together again what a slot has beside its total, from the partitions that are there.
    pub(super) fn recompute(&mut self, slot: SeriesSlot) {
        let partitions = || self.partitions.iter().flatten();
        let created = partitions().filter_map(|partition| partition.created_ms(slot)).min();
        let value =
            partitions().filter_map(|partition| partition.value(slot)).reduce(Value::merge_sticky);
        let touched = partitions().filter_map(|partition| partition.touched_ms(slot)).max();
        self.set_created(slot, created.unwrap_or(0));
        self.values.remove(&slot);
        self.values.extend(value.map(|value| (slot, value)));
        self.touched_ms.remove(&slot);
        self.touched_ms.extend(touched.map(|touched| (slot, touched)));
    }

    pub(super) fn raise(&mut self, slot: SeriesSlot, by: u64) {
        let change = self.totals.raise(slot, by);
        self.count_series(slot, change);
    }

    pub(super) fn count_series(&mut self, slot: SeriesSlot, change: MembershipChange) {
        if change != MembershipChange::Stayed {
            self.changes.membership.note(slot, self.table.len());
        }
        let entry = self.families.entry_mut(self.table.family(slot));
        match change {
            MembershipChange::Appeared => entry.series += 1,
            MembershipChange::Vanished => entry.series -= 1,
            MembershipChange::Stayed => {}
        }
    }

    pub(super) fn note_created(&mut self, slot: SeriesSlot, created_ms: u64) {
        self.set_created(slot, earlier(self.created_ms(slot), created_ms));
    }

    fn set_created(&mut self, slot: SeriesSlot, created_ms: u64) {
        if created_ms > 0 && slot.index() >= self.created_ms.len() {
            self.created_ms.resize(self.table.len(), 0);
        }
        let Some(created) = self.created_ms.get_mut(slot.index()) else { return };
        if std::mem::replace(created, created_ms) != created_ms {
            self.note_rewritten(slot);
        }
    }

    /// Notes a change that a page does not see in the totals. After a load all of it is written anew,
    /// so nothing need be noted.
    fn note_rewritten(&mut self, slot: SeriesSlot) {
        if self.totals.changed().is_some() {
            self.changes.rewritten.note(slot, self.table.len());
        }
    }

    pub(super) fn note_value(&mut self, slot: SeriesSlot, value: Value) {
        if value != Value::None {
            merge(&mut self.values, slot, value);
        }
    }

    pub(super) fn note_touched(&mut self, slot: SeriesSlot, touched_ms: u64) {
        if touched_ms > 0 {
            let latest = self.touched_ms.entry(slot).or_default();
            *latest = touched_ms.max(*latest);
        }
    }

    /// The slot of a key, added if it was never met.
    pub(super) fn slot(&mut self, key: &[u8]) -> SeriesSlot {
        let hash = self.table.hash(key);
        if let Some(slot) = self.table.find(hash, key) {
            return slot;
        }
        let family = self.families.of_key(key);
        let slot = self.table.add(hash, key, family);
        self.totals.grow();
        self.describe(slot);
        slot
    }

    /// Makes a slot a stray if it does not fit to its family, as far as that is known.
    fn describe(&mut self, slot: SeriesSlot) {
        let Some(family) = self.families.known(self.table.family(slot)) else { return };
        if split(self.table.values(slot)).count() != family.labels.len() {
            self.make_stray(slot);
        }
    }

    /// The same for all slots, some of which had to wait for their families.
    fn describe_all(&mut self) {
        for slot in self.table.slots() {
            self.describe(slot);
        }
    }

    fn make_stray(&mut self, slot: SeriesSlot) {
        let counted = u64::from(self.totals.get(slot) > 0);
        self.families.entry_mut(self.table.family(slot)).series -= counted;
        self.families.entry_mut(FamilyIx::STRAY).series += counted;
        self.table.set_family(slot, FamilyIx::STRAY);
        self.changes.membership.note(slot, self.table.len());
    }

    pub(super) fn is_unknown(&self, slot: SeriesSlot) -> bool {
        let entry = self.families.entry(self.table.family(slot));
        matches!(entry.knowledge, Knowledge::Unknown)
    }

    fn name_of(&self, slot: SeriesSlot) -> String {
        match self.families.known(self.table.family(slot)) {
            Some(family) => {
                let mut name = family.name.clone().into_bytes();
                push_text(&mut name, family.labels_without_bucket(), self.table.values(slot));
                String::from_utf8_lossy(&name).into_owned()
            }
            None => String::from_utf8_lossy(self.table.key(slot)).replace('\0', "|"),
        }
    }
}

pub(super) fn needs(unknown: bool) -> Needs {
    if unknown { Needs::Families } else { Needs::Nothing }
}

fn has_created(key: &[u8]) -> bool {
    FamilyId::of_key(key).is_some_and(|id| id.kind().has_created())
}

/// Asked for every increment, and nearly always answered by the first byte.
fn has_ttl(key: &[u8]) -> bool {
    key.first().is_some_and(u8::is_ascii_uppercase)
        && FamilyId::of_key(key).is_some_and(|id| id.has_ttl())
}

/// The earlier of two times, of which 0 is none.
pub(crate) fn earlier(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, time) | (time, 0) => time,
        (a, b) => a.min(b),
    }
}
