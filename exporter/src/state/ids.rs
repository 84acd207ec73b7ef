//! The numbers of series and families in this process. They say nothing outside: another replica
//! numbers differently.

/// The number of a series: where it stands in the table of all series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct SeriesSlot(u32);

impl SeriesSlot {
    /// The slot with a number.
    pub(super) fn new(number: u32) -> Self {
        Self(number)
    }

    /// All slots from the one with this index on.
    pub(super) fn all_from(index: usize) -> impl Iterator<Item = Self> {
        (index as u32..).map(Self)
    }

    /// The slot as an index into vectors with one item per series.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FamilyIx(u32);

impl FamilyIx {
    /// Of series that belong to no family: keys with more or fewer values than their family has
    /// labels, or without a family id. Only a damaged store has such.
    pub(crate) const STRAY: Self = Self(0);

    /// The family with a number.
    pub(super) fn new(number: u32) -> Self {
        Self(number)
    }

    /// The family as an index into vectors with one item per family.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}
