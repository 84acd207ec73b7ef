//! The totals of all series, and their high-water marks: what this replica has served.
//!
//! Whether a total is below its high-water mark is known at every moment without looking at all of
//! them, so that a scrape pays for what changed only.

use super::dirty_set::DirtySet;
use super::ids::SeriesSlot;

/// What a changed total means for whether its series is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MembershipChange {
    /// From nothing to something.
    Appeared,
    /// From something to nothing.
    Vanished,
    /// Neither.
    Stayed,
}

/// Totals and high-water marks, by slot.
#[derive(Default)]
pub(crate) struct Totals {
    total: Vec<u64>,
    high_water: Vec<u64>,
    /// How many totals are below their high-water marks.
    below: usize,
    /// The slots that may have changed since the high-water marks were raised.
    changed: DirtySet,
}

impl Totals {
    /// Adds a slot, which has no total and no high-water mark.
    pub(super) fn grow(&mut self) {
        self.total.push(0);
        self.high_water.push(0);
    }

    /// The total of a slot; 0 means that the series does not exist.
    pub(crate) fn get(&self, slot: SeriesSlot) -> u64 {
        self.total[slot.index()]
    }

    /// What this replica has served of a slot.
    pub(super) fn high_water(&self, slot: SeriesSlot) -> u64 {
        self.high_water[slot.index()]
    }

    /// How many totals are below their high-water marks.
    pub(super) fn below(&self) -> usize {
        self.below
    }

    /// How many totals may have changed since the high-water marks were raised, `None` if it may be
    /// any.
    pub(super) fn changed(&self) -> Option<usize> {
        self.changed.listed()
    }

    /// Adds to a total.
    ///
    /// # Panics
    /// At 2^64, of which 1,024 partitions that count up to 2^53 each are far away.
    pub(super) fn raise(&mut self, slot: SeriesSlot, by: u64) -> MembershipChange {
        self.set(slot, self.get(slot).checked_add(by).expect("totals stay below 2^64"))
    }

    /// Takes from a total, which happens in loads only: call [`Totals::expect_any`] before.
    ///
    /// # Panics
    /// If that much was never added.
    pub(super) fn lower(&mut self, slot: SeriesSlot, by: u64) -> MembershipChange {
        self.set(slot, self.get(slot).checked_sub(by).expect("a partition is a part of the total"))
    }

    /// Takes a forgotten row from a total, and from its high-water mark: that it is gone is not a loss.
    ///
    /// # Panics
    /// If that much was never added.
    pub(super) fn forget(&mut self, slot: SeriesSlot, by: u64) -> MembershipChange {
        let new = self.get(slot).checked_sub(by).expect("a partition is a part of the total");
        let mark = self.high_water[slot.index()];
        if mark > new {
            self.below -= usize::from(self.get(slot) < mark);
            self.high_water[slot.index()] = new;
        }
        // Its high-water mark went with it, so that does not tell that it changed.
        self.changed.note(slot, self.total.len());
        self.set(slot, new)
    }

    /// From here until the next mark any total may change.
    pub(super) fn expect_any(&mut self) {
        self.changed = DirtySet::Any;
    }

    /// No series has a total any more; the high-water marks stay.
    pub(super) fn clear(&mut self) {
        self.expect_any();
        self.total.fill(0);
        self.below = self.high_water.iter().filter(|mark| **mark > 0).count();
    }

    /// Raises every high-water mark to its total, because that is what is served now. The slots that
    /// may have changed since the last time.
    ///
    /// # Panics
    /// If a total is below its high-water mark: then nothing may be served.
    pub(super) fn raise_high_water(&mut self) -> DirtySet {
        assert_eq!(self.below, 0, "nothing below the high-water mark is served");
        let changed = std::mem::take(&mut self.changed);
        match &changed {
            DirtySet::Any => self.high_water.copy_from_slice(&self.total),
            DirtySet::These(slots) => {
                for slot in slots {
                    self.high_water[slot.index()] = self.total[slot.index()];
                }
            }
        }
        changed
    }

    /// Lowers the high-water marks of all totals that are below them.
    pub(super) fn lower_high_water(&mut self) {
        for (mark, total) in self.high_water.iter_mut().zip(&self.total) {
            *mark = (*mark).min(*total);
        }
        self.below = 0;
    }

    fn set(&mut self, slot: SeriesSlot, new: u64) -> MembershipChange {
        let mark = self.high_water[slot.index()];
        let old = std::mem::replace(&mut self.total[slot.index()], new);
        self.below += usize::from(new < mark);
        self.below -= usize::from(old < mark);
        // A slot that is listed already differs from its high-water mark: outside of loads totals only rise, or
        // are forgotten.
        if old == mark {
            self.changed.note(slot, self.total.len());
        }
        match (old, new) {
            (0, 1..) => MembershipChange::Appeared,
            (1.., 0) => MembershipChange::Vanished,
            _ => MembershipChange::Stayed,
        }
    }
}
