//! The key of a series, and what it says without its family's description.

use std::fmt;

use super::error::InvalidSeries;
use super::family::{FAMILY_ID_BYTES, Family, FamilyId, Kind};
use crate::hash::hash64;

/// A series key: see [`crate::series`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey(Box<[u8]>);

impl SeriesKey {
    /// Puts a key together. The values must not contain NUL.
    pub fn new<'a>(family: FamilyId, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut key = family.as_bytes().to_vec();
        for value in values {
            debug_assert!(!value.contains('\0'), "label values hold no NUL");
            key.push(0);
            key.extend_from_slice(value.as_bytes());
        }
        Self(key.into())
    }

    /// Checks a key that comes from outside.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidSeries> {
        check_key(bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The family of the series.
    pub fn family(&self) -> FamilyId {
        FamilyId::of_checked(&self.0)
    }

    /// The label values, in the family's order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0[FAMILY_ID_BYTES..]
            .split(|b| *b == 0)
            .skip(1)
            .map(|v| std::str::from_utf8(v).unwrap_or("\u{fffd}"))
    }

    /// The key without the bound of a histogram's bucket: the same for all rows of one series.
    pub fn without_bucket(&self) -> &[u8] {
        split_bucket(&self.0).0
    }

    /// The names and values of the labels that tell the series of `family` apart: without the bucket
    /// of a histogram.
    pub fn labels<'a>(&'a self, family: &'a Family) -> impl Iterator<Item = (&'a str, &'a str)> {
        family.labels_without_bucket().iter().map(String::as_str).zip(self.values())
    }

    /// The hash that places the series in a counts bucket.
    pub fn hash64(&self) -> u64 {
        hash64(&self.0)
    }
}

impl std::borrow::Borrow<[u8]> for SeriesKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0).replace('\0', "|"))
    }
}

/// A key without the bound of its bucket, and the bound. Only the rows of a histogram have one; it is
/// their last value. The rows of one series differ in nothing else.
pub fn split_bucket(key: &[u8]) -> (&[u8], Option<&[u8]>) {
    if FamilyId::of_key(key).is_none_or(|id| id.kind() != Kind::Histogram) {
        return (key, None);
    }
    match key[FAMILY_ID_BYTES..].iter().rposition(|byte| *byte == 0) {
        Some(at) => {
            let (series, bound) = key.split_at(FAMILY_ID_BYTES + at);
            (series, Some(&bound[1..]))
        }
        None => (key, None),
    }
}

pub(super) fn check_key(bytes: &[u8]) -> Result<(), InvalidSeries> {
    let (id, rest) = bytes.split_at_checked(FAMILY_ID_BYTES).ok_or(InvalidSeries::Key)?;
    FamilyId::parse(id).ok_or(InvalidSeries::Key)?;
    check_values(rest)
}

pub(super) fn check_values(rest: &[u8]) -> Result<(), InvalidSeries> {
    let begins = rest.first().is_none_or(|byte| *byte == 0);
    let is_text = begins && (rest.is_ascii() || std::str::from_utf8(rest).is_ok());
    is_text.then_some(()).ok_or(InvalidSeries::Key)
}
