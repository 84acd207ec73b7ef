//! The totals of all series, and the floor under them: what this replica has served.
//!
//! Whether a total is below its floor is known at every moment without looking at all of them, so
//! that a scrape pays for what changed only.

use super::table::Slot;
use super::touched::Touched;

/// What a changed total means for whether its series is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// From nothing to something.
    Appeared,
    /// From something to nothing.
    Vanished,
    /// Neither.
    Stayed,
}

/// Totals and floors, by slot.
#[derive(Default)]
pub(super) struct Totals {
    total: Vec<u64>,
    floor: Vec<u64>,
    /// How many totals are below their floors.
    below: usize,
    /// The slots that may have changed since the floors were raised.
    changed: Touched,
}

impl Totals {
    /// Adds a slot, which has no total and no floor.
    pub(super) fn grow(&mut self) {
        self.total.push(0);
        self.floor.push(0);
    }

    /// The total of a slot; 0 means that the series does not exist.
    pub(super) fn get(&self, slot: Slot) -> u64 {
        self.total[slot.index()]
    }

    /// What this replica has served of a slot.
    pub(super) fn floor(&self, slot: Slot) -> u64 {
        self.floor[slot.index()]
    }

    /// How many totals are below their floors.
    pub(super) fn below(&self) -> usize {
        self.below
    }

    /// How many totals may have changed since the floors were raised, `None` if it may be any.
    pub(super) fn changed(&self) -> Option<usize> {
        self.changed.listed()
    }

    /// Adds to a total.
    ///
    /// # Panics
    /// At 2^64, of which 1,024 partitions that count up to 2^53 each are far away.
    pub(super) fn raise(&mut self, slot: Slot, by: u64) -> Turn {
        self.set(slot, self.get(slot).checked_add(by).expect("totals stay below 2^64"))
    }

    /// Takes from a total, which happens in loads only: call [`Totals::expect_any`] before.
    ///
    /// # Panics
    /// If that much was never added.
    pub(super) fn lower(&mut self, slot: Slot, by: u64) -> Turn {
        self.set(slot, self.get(slot).checked_sub(by).expect("a share is a part of the total"))
    }

    /// Takes a forgotten row from a total, and from its floor: that it is gone is no loss.
    ///
    /// # Panics
    /// If that much was never added.
    pub(super) fn forget(&mut self, slot: Slot, by: u64) -> Turn {
        let new = self.get(slot).checked_sub(by).expect("a share is a part of the total");
        let floor = self.floor[slot.index()];
        if floor > new {
            self.below -= usize::from(self.get(slot) < floor);
            self.floor[slot.index()] = new;
        }
        // It is not told by its floor that it changed, which went with it.
        self.changed.note(slot, self.total.len());
        self.set(slot, new)
    }

    /// From here until the next mark any total may change.
    pub(super) fn expect_any(&mut self) {
        self.changed = Touched::Any;
    }

    /// No series has a total any more; the floors stay.
    pub(super) fn clear(&mut self) {
        self.expect_any();
        self.total.fill(0);
        self.below = self.floor.iter().filter(|floor| **floor > 0).count();
    }

    /// Raises every floor to its total, because that is what is served now. The slots that may have
    /// changed since the last time.
    ///
    /// # Panics
    /// If a total is below its floor: then nothing may be served.
    pub(super) fn raise_floors(&mut self) -> Touched {
        assert_eq!(self.below, 0, "nothing below the floor is served");
        let changed = std::mem::take(&mut self.changed);
        match &changed {
            Touched::Any => self.floor.copy_from_slice(&self.total),
            Touched::These(slots) => {
                for slot in slots {
                    self.floor[slot.index()] = self.total[slot.index()];
                }
            }
        }
        changed
    }

    /// Lowers the floors of all totals that are below them.
    pub(super) fn lower_floors(&mut self) {
        for (floor, total) in self.floor.iter_mut().zip(&self.total) {
            *floor = (*floor).min(*total);
        }
        self.below = 0;
    }

    fn set(&mut self, slot: Slot, new: u64) -> Turn {
        let floor = self.floor[slot.index()];
        let old = std::mem::replace(&mut self.total[slot.index()], new);
        self.below += usize::from(new < floor);
        self.below -= usize::from(old < floor);
        // A slot that is listed already differs from its floor: outside of loads totals only rise, or
        // are forgotten.
        if old == floor {
            self.changed.note(slot, self.total.len());
        }
        match (old, new) {
            (0, 1..) => Turn::Appeared,
            (1.., 0) => Turn::Vanished,
            _ => Turn::Stayed,
        }
    }
}
