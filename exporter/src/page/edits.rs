//! Which values of which pieces may have changed.

use crate::layout::{Arranged, PieceId};
use crate::state::{DirtySet, SeriesSlot};

/// A series of a piece whose value may have changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    /// The piece.
    pub(super) piece: u32,
    /// The number of the series in the piece.
    pub(super) index: u32,
    /// The series.
    pub(super) slot: SeriesSlot,
}

/// What is to be changed in some pieces, by piece.
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// The changes of some series; none if it may be any, because all pieces are written anew then.
    pub(super) fn new(view: Arranged<'_>, changed: &DirtySet) -> Self {
        let DirtySet::These(slots) = changed else { return Self(Vec::new()) };
        let mut edits = Vec::with_capacity(slots.len());
        for slot in slots {
            if let Some(place) = view.pieces().place(*slot) {
                let piece = place.piece.index() as u32;
                edits.push(Edit { piece, index: place.index, slot: *slot });
            }
        }
        edits.sort_unstable();
        edits.dedup();
        Self(edits)
    }

    /// The changes in one piece.
    pub(super) fn of(&self, piece: PieceId) -> &[Edit] {
        let piece = piece.index() as u32;
        let begin = self.0.partition_point(|edit| edit.piece < piece);
        let len = self.0[begin..].partition_point(|edit| edit.piece == piece);
        &self.0[begin..begin + len]
    }
}
