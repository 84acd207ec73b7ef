//! Sets of series that something happened to, which never grow longer than the table of all series.

use super::ids::SeriesSlot;

/// What happened since some moment. A series may occur several times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DirtySet {
    /// These and no others.
    These(Vec<SeriesSlot>),
    /// Any: after a load, or because the list would be as long as the table.
    Any,
}

impl Default for DirtySet {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl DirtySet {
    /// Notes a series, of which there are `all`.
    pub(super) fn note(&mut self, slot: SeriesSlot, all: usize) {
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
    pub(crate) fn listed(&self) -> Option<usize> {
        match self {
            Self::These(slots) => Some(slots.len()),
            Self::Any => None,
        }
    }
}
