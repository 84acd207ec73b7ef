//! The series of one metric in their order, cut into pieces.
//!
//! What comes and goes costs the pieces that it concerns and a look at each other piece, never a
//! look at each series.

use std::cmp::Ordering;

use logtally_core::series::Kind;

use super::bounds::Bound;
use super::pieces::{Cut, PieceId, Pieces};
use super::rank::Rank;
use crate::state::{CountState, Families, FamilyIx, SeriesSlot};

/// The series of one metric that have a total, in the order of the page.
pub(super) struct Metric {
    /// The families shown, by id; the first one gives help and type.
    pub(super) families: Vec<FamilyIx>,
    /// The bounds shown of a histogram.
    pub(super) bounds: Vec<Bound>,
    /// Whether several series can make one label set.
    pub(super) has_sets: bool,
    pub(super) pieces: Vec<PieceId>,
    /// Lines of a label set.
    set_lines: usize,
}

impl Metric {
    /// A metric without series.
    pub(super) fn new(families: &Families, shown: Vec<FamilyIx>, bounds: Vec<Bound>) -> Self {
        let kind = shown.first().and_then(|ix| families.kind(*ix));
        let is_histogram = kind == Some(Kind::Histogram);
        let has_sets = shown.len() > 1 || is_histogram;
        // With the infinite bucket, the sum and the count.
        let set_lines = if is_histogram { bounds.len() + 3 } else { 1 };
        Self { families: shown, bounds, has_sets, pieces: Vec::new(), set_lines }
    }

    /// Takes all series out.
    pub(super) fn clear(&mut self, pieces: &mut Pieces) {
        for piece in self.pieces.drain(..) {
            pieces.remove(piece);
        }
    }

    /// Takes those out that do not belong here any more, and new ones in.
    pub(super) fn merge(
        &mut self,
        state: &CountState,
        pieces: &mut Pieces,
        cut: Cut,
        mut new: Vec<SeriesSlot>,
    ) {
        let rank = Rank::new(state);
        let compare = rank.comparing(&self.families);
        let sets = rank.comparing_sets(&self.families);
        new.sort_by(|a, b| compare(*a, *b));
        let before = std::mem::take(&mut self.pieces);
        let mut new = &new[..];
        // What has no end yet.
        let mut open = Vec::new();
        for (at, piece) in before.iter().enumerate() {
            let next = before.get(at + 1).map(|next| pieces.slots(*next)[0]);
            // By label set, so that none is torn apart.
            let is_before_next =
                |slot: &SeriesSlot| next.is_none_or(|next| sets(*slot, next).is_lt());
            let here = new.iter().take_while(|slot| is_before_next(slot)).count();
            let (here, later) = new.split_at(here);
            new = later;
            if open.is_empty() && here.is_empty() && !pieces.is_dirty(*piece) {
                self.pieces.push(*piece);
                continue;
            }
            let slots = pieces.remove(*piece);
            let stays = |slot: &SeriesSlot| {
                state.total(*slot) > 0 && self.families.contains(&state.table().family(*slot))
            };
            open.extend(slots.iter().copied().filter(stays));
            open.extend_from_slice(here);
            // Two runs in order, so this merges them.
            open.sort_by(|a, b| compare(*a, *b));
            self.close(state, pieces, cut, &mut open);
        }
        open.extend_from_slice(new);
        self.close(state, pieces, cut, &mut open);
        if !open.is_empty() {
            self.pieces.push(pieces.add(&open));
        }
    }

    /// Makes pieces of what is open up to the last cut, and leaves the rest open.
    fn close(
        &mut self,
        state: &CountState,
        pieces: &mut Pieces,
        cut: Cut,
        open: &mut Vec<SeriesSlot>,
    ) {
        let rank = Rank::new(state);
        let sets = rank.comparing_sets(&self.families);
        let (mut id, mut begin) = (Vec::new(), 0);
        for end in 1..=open.len() {
            let last = open[end - 1];
            let same = |next: &SeriesSlot| self.has_sets && sets(last, *next) == Ordering::Equal;
            if open.get(end).is_some_and(same) {
                continue;
            }
            let is_end = if self.has_sets {
                rank.set_id(last, &mut id);
                cut.is_behind(&id, self.set_lines)
            } else {
                cut.is_behind(state.table().values(last), self.set_lines)
            };
            if is_end {
                self.pieces.push(pieces.add(&open[begin..end]));
                begin = end;
            }
        }
        open.drain(..begin);
    }
}
