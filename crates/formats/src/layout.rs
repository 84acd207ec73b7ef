//! Where the wanted columns are in the rows of a source, as its last header told.

/// Where the wanted columns are. Only CSV has more than one layout.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    known: bool,
    width: Option<usize>,
    indexes: Vec<Option<usize>>,
    /// Column and slot, by column: the order in which a row is walked through.
    order: Vec<(usize, usize)>,
}

impl Layout {
    /// No header has told yet.
    pub(crate) fn unknown(slots: usize) -> Self {
        Self { indexes: vec![None; slots], ..Self::default() }
    }

    pub(crate) fn new(width: Option<usize>, indexes: Vec<Option<usize>>) -> Self {
        let mut order: Vec<(usize, usize)> =
            indexes.iter().enumerate().filter_map(|(slot, at)| Some(((*at)?, slot))).collect();
        order.sort_unstable();
        Self { known: true, width, indexes, order }
    }

    /// The index of the column of each wanted name, if it has one (`@line` has none).
    pub fn indexes(&self) -> &[Option<usize>] {
        &self.indexes
    }

    /// Whether it is known where the columns are. If not, every record is rejected (`NoHeader`).
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// How many columns the rows should have, if anything tells.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    pub(crate) fn order(&self) -> &[(usize, usize)] {
        &self.order
    }
}
