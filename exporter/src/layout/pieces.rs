//! The series of the page in pieces, each small enough to be written anew when one of its series
//! comes or goes.
//!
//! Where one piece ends and the next one begins must depend on the series that are there and on
//! nothing else, so that replicas cut alike: a piece ends behind a label set whose hash says so. A
//! series that comes or goes then changes its own piece and no other, or joins two, or makes two.
//! The slots of a piece never change; there is another piece instead.

use logtally_core::hash::hash64;

use crate::state::SeriesSlot;

/// The number of a piece in this process. Numbers are used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PieceId(u32);

impl PieceId {
    const NONE: Self = Self(u32::MAX);

    /// The piece with an index.
    pub(crate) fn of_index(index: u32) -> Self {
        Self(index)
    }

    /// The piece as an index into vectors with one item per piece.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a series stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PiecePlace {
    /// The piece.
    pub(crate) piece: PieceId,
    /// Its number in the piece.
    pub(crate) index: u32,
}

/// A run of series in the order of the page.
#[derive(Default)]
struct Piece {
    slots: Box<[SeriesSlot]>,
    /// Never the same for two pieces; 0 if there is no such piece.
    revision: u64,
    /// Whether one of its series is to be taken out.
    is_dirty: bool,
}

/// All pieces, and the place of each series in them.
#[derive(Default)]
pub(crate) struct Pieces {
    all: Vec<Piece>,
    free: Vec<PieceId>,
    places: Vec<PiecePlace>,
    last_revision: u64,
    /// Whether any piece is dirty.
    is_dirty: bool,
}

impl Pieces {
    /// Where a series stands, if it does.
    pub(crate) fn place(&self, slot: SeriesSlot) -> Option<PiecePlace> {
        self.places.get(slot.index()).copied().filter(|place| place.piece != PieceId::NONE)
    }

    /// The series of a piece, in their order.
    pub(crate) fn slots(&self, piece: PieceId) -> &[SeriesSlot] {
        &self.all[piece.index()].slots
    }

    /// Tells a piece from all others that had or will have its number; 0 if it is not there.
    pub(crate) fn revision(&self, piece: PieceId) -> u64 {
        self.all.get(piece.index()).map_or(0, |piece| piece.revision)
    }

    /// How many numbers are in use, or were.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a piece of these series, which stand nowhere.
    pub(super) fn add(&mut self, slots: &[SeriesSlot]) -> PieceId {
        self.last_revision += 1;
        let piece = Piece { slots: slots.into(), revision: self.last_revision, is_dirty: false };
        let id = if let Some(id) = self.free.pop() {
            self.all[id.index()] = piece;
            id
        } else {
            self.all.push(piece);
            PieceId(self.all.len() as u32 - 1)
        };
        if let Some(last) = slots.iter().map(|slot| slot.index()).max()
            && last >= self.places.len()
        {
            self.places.resize(last + 1, PiecePlace { piece: PieceId::NONE, index: 0 });
        }
        for (index, slot) in (0..).zip(slots) {
            self.places[slot.index()] = PiecePlace { piece: id, index };
        }
        id
    }

    /// Takes a piece away. Its series stand nowhere then.
    pub(super) fn remove(&mut self, piece: PieceId) -> Box<[SeriesSlot]> {
        let Piece { slots, .. } = std::mem::take(&mut self.all[piece.index()]);
        for slot in &slots {
            self.places[slot.index()].piece = PieceId::NONE;
        }
        self.free.push(piece);
        slots
    }

    /// Notes that a series of a piece is to be taken out.
    pub(super) fn mark_dirty(&mut self, piece: PieceId) {
        self.all[piece.index()].is_dirty = true;
        self.is_dirty = true;
    }

    /// Whether a series of this piece is to be taken out.
    pub(super) fn is_dirty(&self, piece: PieceId) -> bool {
        self.all[piece.index()].is_dirty
    }

    /// Whether a series of any piece was to be taken out, since this was asked last.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.is_dirty)
    }
}

/// Where to cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    /// So that whoever chooses label values does not know where they are cut.
    pub(super) seed: u64,
    /// Lines of a piece, on average.
    pub(super) lines: usize,
}

impl Cut {
    /// Whether a piece ends behind a label set that is told by `id` and has some lines.
    pub(super) fn is_behind(self, id: &[u8], lines: usize) -> bool {
        let sets = (self.lines / lines.max(1)).max(1) as u64;
        let mixed = (hash64(id) ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The upper half is the better mixed one.
        (mixed >> 32).is_multiple_of(sets)
    }
}
