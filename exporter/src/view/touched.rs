//! Lists of slots that something happened to, which never grow longer than the table.

use super::table::Slot;

/// Slots since some moment. One may occur several times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Touched {
    /// These and no others.
    These(Vec<Slot>),
    /// Any: after a load, or because the list would be as long as the table.
    Any,
}

impl Default for Touched {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl Touched {
    /// Notes a slot of a table of `all`.
    pub(super) fn note(&mut self, slot: Slot, all: usize) {
        /// Below that a list is short whatever the table is.
        const SHORT: usize = 1024;
        let Self::These(slots) = self else { return };
        if slots.len() < all.max(SHORT) {
            slots.push(slot);
        } else {
            *self = Self::Any;
        }
    }

    /// How many are listed, `None` if it may be any.
    pub fn listed(&self) -> Option<usize> {
        match self {
            Self::These(slots) => Some(slots.len()),
            Self::Any => None,
        }
    }
}
