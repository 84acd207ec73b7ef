//! The view: this replica's picture of all counts, in the order of the page.

use logtally_core::limits::PAGE_PIECE_LINES;

use super::arrangement::{Arrangement, LeftOut};
use super::lines::Arranged;
use super::pieces::Cut;
use crate::state::CountState;

/// What is known of all counts, and how it stands on the page.
pub struct View {
    /// What is known.
    pub state: CountState,
    arrangement: Arrangement,
    left_out: LeftOut,
    /// How often the page was cut by another seed.
    cuts: u64,
}

impl Default for View {
    fn default() -> Self {
        Self::in_pieces_of(PAGE_PIECE_LINES)
    }
}

impl View {
    /// A view whose page has pieces of about so many lines.
    pub(crate) fn in_pieces_of(lines: usize) -> Self {
        Self {
            state: CountState::default(),
            arrangement: Arrangement::new(Cut { seed: 0, lines }),
            left_out: LeftOut::default(),
            cuts: 0,
        }
    }

    /// Cuts the page by another seed, which all replicas must have in common and nobody else should
    /// know.
    pub(crate) fn cut_by(&mut self, seed: u64) {
        let cut = self.arrangement.cut();
        if cut.seed != seed {
            // It is empty, so everything gets a new place.
            self.arrangement = Arrangement::new(Cut { seed, ..cut });
            self.cuts += 1;
        }
    }

    /// Grows with every change of what a page shows.
    pub(crate) fn version(&self) -> u64 {
        self.state.version() + self.cuts
    }

    /// What the page leaves out, as of the last [`View::arrange`].
    pub(crate) fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Puts everything in the order of the page.
    pub fn arrange(&mut self) -> Arranged<'_> {
        let changes = self.state.take_layout_changes();
        self.left_out = self.arrangement.update(&self.state, changes);
        Arranged::new(&self.state, &self.arrangement)
    }
}
