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
fn rows_of_one_histogram_differ_in_their_bucket_only() {
    let check = |kind: Kind, values: &[&str], rest: &[&str], bound: Option<&str>| {
        let family = Family::new("n", kind, "", &["host", "le"]);
        let key = SeriesKey::new(family.id(), values.iter().copied());
        let series = SeriesKey::new(family.id(), rest.iter().copied());
        assert_eq!(split_bucket(key.as_bytes()), (series.as_bytes(), bound.map(str::as_bytes)));
        assert_eq!(key.without_bucket(), series.as_bytes());
    };
    check(Kind::Histogram, &["a", "0.5"], &["a"], Some("0.5"));
    check(Kind::Histogram, &["", ""], &[""], Some(""));
    check(Kind::Histogram, &["+Inf"], &[], Some("+Inf"));
    check(Kind::Histogram, &[], &[], None);
    check(Kind::Counter, &["a", "0.5"], &["a", "0.5"], None);
    assert_eq!(split_bucket(b"short"), (&b"short"[..], None));
    for (kind, expected) in [(Kind::Histogram, 1), (Kind::Gauge, 2)] {
        let family = Family::new("n", kind, "", &["host", "le"]);
        let key = SeriesKey::new(family.id(), ["a", "1"]);
        let labels: Vec<_> = key.labels(&family).collect();
        assert_eq!(labels, [("host", "a"), ("le", "1")][..expected]);
    }
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
