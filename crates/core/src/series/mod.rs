//! Series: what is counted, how it is named, and how increments of it travel.
//!
//! A series key is `family id NUL value NUL value …` — the same bytes in the ingest's table, in a
//! delta, in the journal and in the store, so that no step translates. Label values hold no NUL
//! (such records are rejected), which makes the key unambiguous without escaping.

mod amount;

mod family;

mod increments;

pub mod packed;

use std::fmt;

pub use amount::{Amount, Latest, Unmergeable, Value};
pub use family::{FAMILY_ID_BYTES, Family, FamilyId, Kind};
pub use increments::{Increments, Packer};

use crate::hash::hash64;

/// Why a family, a key or a block of increments is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    /// A family description that cannot be read.
    #[error("unreadable family: {0}")]
    Family(String),
    /// A key that does not begin with a family id.
    #[error("series key without a family id")]
    Key,
    /// The block ends inside an increment, or has an unknown version.
    #[error("increments are cut off or of an unknown version at byte {0}")]
    Cut(usize),
    /// A value of 0 or of 2^53 and more.
    #[error("increment out of range at byte {0}")]
    Range(usize),
}

/// A series key: see the module's documentation.
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

fn check_key(bytes: &[u8]) -> Result<(), InvalidSeries> {
    let (id, rest) = bytes.split_at_checked(FAMILY_ID_BYTES).ok_or(InvalidSeries::Key)?;
    FamilyId::parse(id).ok_or(InvalidSeries::Key)?;
    check_values(rest)
}

fn check_values(rest: &[u8]) -> Result<(), InvalidSeries> {
    let begins = rest.first().is_none_or(|byte| *byte == 0);
    let is_text = begins && (rest.is_ascii() || std::str::from_utf8(rest).is_ok());
    is_text.then_some(()).ok_or(InvalidSeries::Key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::decimal::Decimal;
    use crate::limits::POSITION_MAX;

    fn family() -> Family {
        let help = "Count of occurrences of host and job_name in log";
        Family::new("log_host_job_count", Kind::Gauge, help, &["host", "job_name"])
    }

    #[test]
    fn family_ids_are_pinned_and_tell_the_kind() {
        assert_eq!(family().id().as_str(), "gy-yl4k");
        assert_eq!(family().id().kind(), Kind::Gauge);
        assert_ne!(Family { help: "x".into(), ..family() }.id(), family().id());
        assert_eq!(Family::decode(&family().encode()), Ok(family()));
    }

    #[test]
    fn keys_keep_their_values() {
        let key = SeriesKey::new(family().id(), ["a,b", ""]);
        assert_eq!(key.values().collect::<Vec<_>>(), ["a,b", ""]);
        assert_eq!(SeriesKey::parse(key.as_bytes()), Ok(key));
        assert!(SeriesKey::parse(b"short").is_err());
        assert!(SeriesKey::parse(b"z234567\0a").is_err());
    }

    #[test]
    fn foreign_blocks_are_checked() {
        let key = SeriesKey::new(family().id(), ["a", "b"]);
        let good = Increments::pack([(key.as_bytes(), 3)]);
        let cut = good.as_bytes().slice(..good.len() - 1);
        assert_eq!(Increments::parse(cut), Err(InvalidSeries::Cut(1)));
        assert_eq!(Increments::parse(Bytes::from_static(b"\x09")), Err(InvalidSeries::Cut(0)));
        let huge = Increments::pack([(key.as_bytes(), POSITION_MAX + 1)]);
        assert_eq!(Increments::parse(huge.as_bytes().clone()), Err(InvalidSeries::Range(1)));
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().expect(text)
    }

    #[test]
    fn every_kind_keeps_its_value() {
        let latest = Latest { time_ns: -5, position: 7, value: decimal("-0.5") };
        let values = [
            (Kind::Counter, Value::None),
            (Kind::Gauge, Value::None),
            (Kind::SumCounter, Value::Sum(decimal("12345678901234567890.25"))),
            (Kind::SumGauge, Value::Sum(decimal("-1.5"))),
            (Kind::Histogram, Value::Sum(Decimal::from_units(i128::MIN))),
            (Kind::Min, Value::Min(Decimal::from_units(i128::MAX))),
            (Kind::Max, Value::Max(decimal("0"))),
            (Kind::Last, Value::Last(latest)),
        ];
        for (kind, value) in values {
            for ttl_s in [0, 60] {
                let family = Family { kind, ttl_s, ..family() };
                assert_eq!((family.id().kind(), family.id().has_ttl()), (kind, ttl_s > 0));
                let key = SeriesKey::new(family.id(), ["a", "b"]);
                let packed = Increments::pack([(key.as_bytes(), Amount { count: 300, value })]);
                let again = Increments::parse(packed.as_bytes().clone()).expect("packed by us");
                assert_eq!(
                    again.iter().collect::<Vec<_>>(),
                    [(key.as_bytes(), Amount { count: 300, value })]
                );
            }
        }
    }

    #[test]
    fn only_a_journal_forgets() {
        let key = SeriesKey::new(family().id(), ["a", "b"]);
        let block = Increments::forget([key.as_bytes()]).as_bytes().clone();
        assert_eq!(Increments::parse(block.clone()), Err(InvalidSeries::Range(1)));
        let stored = Increments::parse_stored(block).expect("well-formed");
        assert_eq!(stored.iter().map(|(_, amount)| amount.count).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn of_two_values_at_one_time_the_later_record_stays() {
        let last = |time_ns, position, value: &str| {
            Value::Last(Latest { time_ns, position, value: decimal(value) })
        };
        let check = |a: Value, b: Value, expected: Value| {
            assert_eq!(a.merge(b), Ok(expected));
            assert_eq!(b.merge(a), Ok(expected));
        };
        check(last(1, 9, "5"), last(2, 0, "1"), last(2, 0, "1"));
        check(last(2, 1, "5"), last(2, 2, "1"), last(2, 2, "1"));
        check(Value::Min(decimal("1")), Value::Min(decimal("-1")), Value::Min(decimal("-1")));
        check(Value::Max(decimal("1")), Value::Max(decimal("-1")), Value::Max(decimal("1")));
        assert_eq!(Value::None.merge(Value::Min(Decimal::ZERO)), Err(Unmergeable));
    }

    proptest! {
        #[test]
        fn merging_adds_up(blocks in prop::collection::vec(
            prop::collection::vec(("[a-c]{1,2}", 1u64..1000), 0..20), 0..5))
        {
            let id = family().id();
            let mut expected: HashMap<SeriesKey, u64> = HashMap::new();
            let packed: Vec<_> = blocks.iter().map(|block| {
                let keys: Vec<_> = block.iter()
                    .map(|(host, n)| (SeriesKey::new(id, [host.as_str()]), *n)).collect();
                for (key, n) in &keys {
                    *expected.entry(key.clone()).or_default() += n;
                }
                Increments::pack(keys.iter().map(|(key, n)| (key.as_bytes(), *n)))
            }).collect();
            let merged = Increments::merge(&packed);
            let again = Increments::parse(merged.as_bytes().clone()).expect("packed by us");
            let mut got: HashMap<SeriesKey, u64> = HashMap::new();
            for (key, n) in again.iter() {
                *got.entry(SeriesKey::parse(key).expect("checked")).or_default() += n.count;
            }
            prop_assert_eq!(got, expected);
        }
    }
}
