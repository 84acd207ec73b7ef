//! The wanted values of one record: where they are, without copying what need not be copied.
//!
//! Never allocates in steady state: everything is reused from record to record.

use std::ops::Range;
use std::sync::Arc;

use regex::bytes::{CaptureLocations, Regex};

/// The name of the whole record, which every format has.
pub const LINE: &str = "@line";

/// Where a value is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere.
    #[default]
    Absent,
    /// In the record.
    Record(Range<usize>),
    /// In the scratch buffer, because it had to be unescaped.
    Scratch(Range<usize>),
    /// Nowhere in any input.
    Text(&'static str),
}

/// The wanted values of one record. Made once, filled by [`crate::Format::cells`] again and again,
/// for any format.
#[derive(Debug, Default)]
pub struct Cells {
    places: Vec<Place>,
    pub(crate) scratch: Vec<u8>,
    /// Per slot, how deep in a JSON object its value was found.
    pub(crate) depths: Vec<usize>,
    /// Where the groups of a match are, with the expression that this is room for: the last one used.
    pub(crate) captures: Option<(Arc<Regex>, CaptureLocations)>,
}

impl Cells {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a wanted column, by its index, in the record that the cells were filled from.
    pub fn get<'a>(&'a self, record: &'a [u8], slot: usize) -> Option<&'a [u8]> {
        match self.places.get(slot)? {
            Place::Absent => None,
            Place::Record(range) => record.get(range.clone()),
            Place::Scratch(range) => self.scratch.get(range.clone()),
            Place::Text(text) => Some(text.as_bytes()),
        }
    }

    pub(crate) fn reset(&mut self, slots: usize) {
        self.places.clear();
        self.places.resize(slots, Place::Absent);
        self.scratch.clear();
    }

    pub(crate) fn reset_depths(&mut self, depth: usize) {
        self.depths.clear();
        self.depths.resize(self.places.len(), depth);
    }

    pub(crate) fn put(&mut self, slot: usize, place: Place) {
        if let Some(at) = self.places.get_mut(slot) {
            *at = place;
        }
    }

    /// Puts the same value into all of these slots.
    pub(crate) fn put_all(&mut self, slots: &[usize], place: &Place) {
        for &slot in slots {
            self.put(slot, place.clone());
        }
    }
}
