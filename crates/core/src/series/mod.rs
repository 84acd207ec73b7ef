//! Series: what is counted, how it is named, and how increments of it travel.
//!
//! A series key is `family id NUL value NUL value …` — the same bytes in the ingest's table, in a
//! delta, in the journal and in the store, so that no step translates. Label values hold no NUL
//! (such records are rejected), which makes the key unambiguous without escaping.

mod amount;

mod error;

mod family;

mod hiding;

mod increments;

mod key;

pub mod packed;

pub use amount::{Amount, Latest, Unmergeable, Value};
pub use error::InvalidSeries;
pub use family::{FAMILY_ID_BYTES, Family, FamilyId, Kind};
pub use hiding::{NEVER_HIDES, hides_at, is_hidden};
pub use increments::{Increments, Packer};
pub use key::{SeriesKey, split_bucket};

#[cfg(test)]
mod tests;
