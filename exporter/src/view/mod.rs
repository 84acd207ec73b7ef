//! The view: the exporter's picture of all counts, as the sum over partitions.
//!
//! It takes in snapshots and journal entries and says what a page shows. It does no I/O, has no
//! clock and knows no format. It must never show a total that is not the exact sum of what the
//! partitions hold, and never hide that a total fell below what was served.

mod arrangement;

mod families;

mod histogram;

mod labels;

mod lines;

mod share;

mod table;

mod totals;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod kinds_tests;

use hashbrown::HashMap;
use logtally_core::journal::{Entry, Mark, follow};
use logtally_core::partition::Partition;
use logtally_core::series::{FAMILY_ID_BYTES, Family, FamilyId, Value};
use logtally_store::Snapshot;

use self::arrangement::Arrangement;
pub use self::arrangement::LeftOut;
use self::families::{Families, FamilyIx, Knowledge};
pub use self::histogram::{Bound, HistogramLine};
pub use self::lines::{Arranged, Line, MetricLines};
use self::share::{Share, merge};
use self::table::{Slot, Table};
use self::totals::{Totals, Turn};

/// The picture of all counts, and the floor under it: what this replica has served.
#[derive(Default)]
pub struct View {
    table: Table,
    families: Families,
    totals: Totals,
    /// By slot: the earliest creation in any partition, 0 for none.
    created_ms: Vec<u64>,
    /// The values of series that have one beside their records, merged over all partitions.
    values: HashMap<Slot, Value>,
    /// The latest increment in any partition of series whose family has a time-to-live.
    touched_ms: HashMap<Slot, u64>,
    shares: Vec<Option<Share>>,
    /// Slots that the arrangement has not seen yet.
    fresh: Vec<Slot>,
    arrangement: Arrangement,
    left_out: LeftOut,
    version: u64,
}

/// What the view needs after it has taken something in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The families of the partition: there is a series of a family that the view does not know.
    Families,
}

/// The entries do not continue what the view has of the partition: load it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the journal entries do not continue the view")]
pub struct NotLinked;

/// Series whose totals are below what was served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Below {
    /// The first one, as on the page.
    pub series: String,
    /// What was served of it.
    pub served: u64,
    /// What it is now.
    pub total: u64,
    /// How many there are.
    pub count: usize,
}

impl View {
    /// A view of a store with `partitions`, of which it knows none yet. Called on a view that had
    /// another store, it forgets all counts, but not the floor.
    pub fn reset(&mut self, partitions: u16) {
        self.shares.clear();
        self.shares.resize_with(usize::from(partitions), || None);
        self.totals.clear();
        self.families.clear_series();
        self.created_ms.fill(0);
        self.values.clear();
        self.touched_ms.clear();
        self.version += 1;
    }

    /// The place up to which a partition is taken in, `None` if it must be loaded.
    pub fn mark(&self, of: Partition) -> Option<Mark> {
        self.shares.get(usize::from(of.0))?.as_ref().map(|share| share.at)
    }

    /// Whether every partition is taken in.
    pub fn is_complete(&self) -> bool {
        !self.shares.is_empty() && self.shares.iter().all(Option::is_some)
    }

    /// Grows with every change of what a page shows.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Series that have a total.
    pub fn series(&self) -> u64 {
        self.families.iter().map(|(_, entry)| entry.series).sum()
    }

    /// What the page leaves out, as of the last [`View::arrange`].
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Takes in a whole partition, in place of what the view had of it.
    pub fn load(&mut self, of: Partition, snapshot: Snapshot) -> Needs {
        self.version += 1;
        self.totals.expect_any();
        self.learn(&snapshot.families);
        self.take_away(of);
        let mut rows: Vec<_> = snapshot.counts.iter().collect();
        // In the order of the page, so that rendering walks through memory in order, too.
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut share = Share::new(snapshot.at, snapshot.time_ms, rows.len());
        let mut unknown = false;
        for (key, count) in rows.iter().copied().filter(|(_, count)| count.amount.count > 0) {
            let slot = self.slot(key);
            share.insert(slot, count);
            self.raise(slot, count.amount.count);
            self.note_created(slot, count.created_ms);
            self.note_value(slot, count.amount.value);
            self.note_touched(slot, count.touched_ms);
            unknown |= self.is_unknown(slot);
        }
        self.shares[usize::from(of.0)] = Some(share);
        needs(unknown)
    }

    /// Takes in the journal entries of a partition that follow its mark.
    pub fn apply(&mut self, of: Partition, entries: &[Entry]) -> Result<Needs, NotLinked> {
        let at = self.mark(of).ok_or(NotLinked)?;
        let reached = follow(at, entries).ok_or(NotLinked)?;
        let Some(mut share) = self.shares[usize::from(of.0)].take() else { return Err(NotLinked) };
        let mut unknown = false;
        for entry in entries {
            unknown |= self.apply_entry(&mut share, entry);
        }
        share.at = reached;
        self.shares[usize::from(of.0)] = Some(share);
        Ok(needs(unknown))
    }

    /// Whether there is a family among them that the view does not know.
    fn apply_entry(&mut self, share: &mut Share, entry: &Entry) -> bool {
        let mut unknown = false;
        share.time_ms = entry.time_ms;
        for (key, amount) in entry.amounts() {
            if amount.count == 0 {
                self.forget(share, key);
                continue;
            }
            let slot = self.slot(key);
            if share.add(slot, amount.count) && has_created(key) {
                share.set_created(slot, entry.time_ms);
                self.note_created(slot, entry.time_ms);
            }
            self.raise(slot, amount.count);
            if amount.value != Value::None {
                share.add_value(slot, amount.value);
                self.note_value(slot, amount.value);
            }
            if has_ttl(key) {
                share.set_touched(slot, entry.time_ms);
                self.note_touched(slot, entry.time_ms);
            }
            unknown |= self.is_unknown(slot);
        }
        // Where something can be hidden, an entry that only tells the time can change the page.
        let is_news = !entry.increments.is_empty() || !self.touched_ms.is_empty();
        self.version += u64::from(is_news);
        unknown
    }

    /// Takes the row of a series out of a share, and out of the floor.
    fn forget(&mut self, share: &mut Share, key: &[u8]) {
        let Some(slot) = self.table.find(key) else { return };
        let Some(records) = share.remove(slot) else { return };
        let turn = self.totals.forget(slot, records);
        self.count_series(slot, turn);
        self.recompute(slot);
    }

    /// Takes in descriptions of families.
    pub fn learn(&mut self, families: &[Family]) {
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
    pub fn asks_for_families(&self) -> bool {
        let asks = |entry: &families::Entry| matches!(entry.knowledge, Knowledge::Unknown);
        self.families.iter().any(|(_, entry)| entry.series > 0 && asks(entry))
    }

    /// Leaves out the families that were not found, and does not ask for them any more.
    pub fn stop_asking_for_families(&mut self) {
        self.families.give_up();
    }

    /// The first series below what was served, and how many there are.
    pub fn below_floor(&self) -> Option<Below> {
        if self.totals.below() == 0 {
            return None;
        }
        let is_below = |slot: &Slot| self.totals.get(*slot) < self.totals.floor(*slot);
        let slot = self.table.slots().find(is_below)?;
        Some(Below {
            series: self.name_of(slot),
            served: self.totals.floor(slot),
            total: self.totals.get(slot),
            count: self.totals.below(),
        })
    }

    /// Remembers everything as served.
    ///
    /// # Panics
    /// If a series is below the floor: then nothing may be served.
    pub fn mark_served(&mut self) {
        self.totals.raise_floors();
    }

    /// Gives up what was served and is not there any more.
    pub fn accept_loss(&mut self) {
        self.totals.lower_floors();
    }

    /// Puts everything in the order of the page.
    pub fn arrange(&mut self) -> Arranged<'_> {
        let fresh = std::mem::take(&mut self.fresh);
        self.left_out = self.arrangement.update(&self.families, &self.table, &fresh);
        Arranged { view: self, now_ms: self.now_ms() }
    }

    /// The time of everything that is taken in: the latest entry's, so that replicas that took in the
    /// same entries agree on it.
    fn now_ms(&self) -> u64 {
        self.shares.iter().flatten().map(|share| share.time_ms).max().unwrap_or(0)
    }

    fn take_away(&mut self, of: Partition) {
        let Some(share) = self.shares[usize::from(of.0)].take() else { return };
        for (slot, value) in share.rows() {
            let turn = self.totals.lower(slot, value);
            self.count_series(slot, turn);
        }
        for slot in share.with_more() {
            self.recompute(slot);
        }
    }

    /// Puts together again what a slot has beside its total, from the shares that are there.
    fn recompute(&mut self, slot: Slot) {
        let shares = || self.shares.iter().flatten();
        let created = shares().filter_map(|share| share.created_ms(slot)).min();
        let value = shares().filter_map(|share| share.value(slot)).reduce(Value::merge_sticky);
        let touched = shares().filter_map(|share| share.touched_ms(slot)).max();
        self.created_ms[slot.index()] = created.unwrap_or(0);
        self.values.remove(&slot);
        self.values.extend(value.map(|value| (slot, value)));
        self.touched_ms.remove(&slot);
        self.touched_ms.extend(touched.map(|touched| (slot, touched)));
    }

    fn raise(&mut self, slot: Slot, by: u64) {
        let turn = self.totals.raise(slot, by);
        self.count_series(slot, turn);
    }

    fn count_series(&mut self, slot: Slot, turn: Turn) {
        let entry = self.families.entry_mut(self.table.family(slot));
        match turn {
            Turn::Appeared => entry.series += 1,
            Turn::Vanished => entry.series -= 1,
            Turn::Stayed => {}
        }
    }

    fn note_created(&mut self, slot: Slot, created_ms: u64) {
        let earliest = &mut self.created_ms[slot.index()];
        *earliest = earlier(*earliest, created_ms);
    }

    fn note_value(&mut self, slot: Slot, value: Value) {
        if value != Value::None {
            merge(&mut self.values, slot, value);
        }
    }

    fn note_touched(&mut self, slot: Slot, touched_ms: u64) {
        if touched_ms > 0 {
            let latest = self.touched_ms.entry(slot).or_default();
            *latest = touched_ms.max(*latest);
        }
    }

    /// The slot of a key, added if it was never met.
    fn slot(&mut self, key: &[u8]) -> Slot {
        if let Some(slot) = self.table.find(key) {
            return slot;
        }
        let id = FamilyId::of_key(key);
        let family = id.map_or(FamilyIx::STRAY, |id| self.families.of_id(id));
        let slot = self.table.add(key, family);
        self.totals.grow();
        self.created_ms.push(0);
        self.fresh.push(slot);
        self.describe(slot);
        slot
    }

    /// Writes the label text of a slot whose family is known.
    fn describe(&mut self, slot: Slot) {
        let Some(family) = self.families.known(self.table.family(slot)) else { return };
        if labels::split(self.table.values(slot)).count() == family.labels.len() {
            let names = lines::shown_labels(family);
            self.table.set_text(slot, |out, key| {
                labels::push_text(out, names, &key[FAMILY_ID_BYTES..]);
            });
        } else {
            self.make_stray(slot);
        }
    }

    /// Describes all slots that had to wait for their families.
    fn describe_all(&mut self) {
        for slot in self.table.slots() {
            if self.table.text(slot).is_empty() {
                self.describe(slot);
            }
        }
    }

    fn make_stray(&mut self, slot: Slot) {
        let counted = u64::from(self.totals.get(slot) > 0);
        self.families.entry_mut(self.table.family(slot)).series -= counted;
        self.families.entry_mut(FamilyIx::STRAY).series += counted;
        self.table.set_family(slot, FamilyIx::STRAY);
    }

    fn is_unknown(&self, slot: Slot) -> bool {
        let entry = self.families.entry(self.table.family(slot));
        matches!(entry.knowledge, Knowledge::Unknown)
    }

    fn name_of(&self, slot: Slot) -> String {
        match self.families.known(self.table.family(slot)) {
            Some(family) => family.name.clone() + &String::from_utf8_lossy(self.table.text(slot)),
            None => String::from_utf8_lossy(self.table.key(slot)).replace('\0', "|"),
        }
    }
}

fn needs(unknown: bool) -> Needs {
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
fn earlier(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, time) | (time, 0) => time,
        (a, b) => a.min(b),
    }
}
