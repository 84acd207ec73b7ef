//! The value of one count. What it holds, the series' family tells:
//!
//! records; the time of creation, for kinds that have it; the time of the last increment, for
//! families with a time-to-live; the value, for kinds that have one (a decimal's units, 16 bytes; for
//! the latest value before that its time and position).
//!
//! All numbers are big-endian, of eight bytes unless said otherwise. Nothing here touches the
//! database.

use logtally_core::decimal::Decimal;
use logtally_core::series::{Amount, FamilyId, Kind, Latest, Value};

use super::layout::{numbers, unreadable};
use crate::partition_log::change::times_of;
use crate::{Count, StoreError};

pub(super) fn encode(series: &[u8], count: Count) -> Vec<u8> {
    let (has_created, has_ttl) = times_of(series);
    let mut out = count.amount.count.to_be_bytes().to_vec();
    if has_created {
        out.extend(count.created_ms.to_be_bytes());
    }
    if has_ttl {
        out.extend(count.touched_ms.to_be_bytes());
    }
    match count.amount.value {
        Value::None => {}
        Value::Sum(value) | Value::Min(value) | Value::Max(value) => {
            out.extend(value.units().to_be_bytes());
        }
        Value::Last(Latest { time_ns, position, value }) => {
            out.extend(time_ns.to_be_bytes());
            out.extend(position.to_be_bytes());
            out.extend(value.units().to_be_bytes());
        }
    }
    out
}

pub(super) fn decode(series: &[u8], value: &[u8]) -> Result<Count, StoreError> {
    read(series, value).ok_or_else(|| unreadable("count", value))
}

fn read(series: &[u8], value: &[u8]) -> Option<Count> {
    let (has_created, has_ttl) = times_of(series);
    let mut rest = value;
    let count = number(&mut rest)?;
    let created_ms = if has_created { number(&mut rest)? } else { 0 };
    let touched_ms = if has_ttl { number(&mut rest)? } else { 0 };
    let value = read_value(FamilyId::of_key(series)?.kind(), &mut rest)?;
    let whole = rest.is_empty() && count > 0;
    whole.then_some(Count { amount: Amount { count, value }, created_ms, touched_ms })
}

fn read_value(kind: Kind, rest: &mut &[u8]) -> Option<Value> {
    Some(match kind {
        Kind::Counter | Kind::Gauge => Value::None,
        Kind::SumCounter | Kind::SumGauge | Kind::Histogram => Value::Sum(decimal(rest)?),
        Kind::Min => Value::Min(decimal(rest)?),
        Kind::Max => Value::Max(decimal(rest)?),
        Kind::Last => Value::Last(Latest {
            time_ns: number(rest)?.cast_signed(),
            position: number(rest)?,
            value: decimal(rest)?,
        }),
    })
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let ([n], after) = numbers(rest)?;
    *rest = after;
    Some(n)
}

fn decimal(rest: &mut &[u8]) -> Option<Decimal> {
    let (units, after) = rest.split_first_chunk::<16>()?;
    *rest = after;
    let units = i128::from_be_bytes(*units);
    Some(Decimal::from_units(units)).filter(|decimal| decimal.units() == units)
}

#[cfg(test)]
mod tests {
    use logtally_core::series::Family;

    use super::*;

    #[test]
    fn counts_are_pinned() {
        let check = |kind, ttl_s, value, pinned: &[u64]| {
            let family = Family { ttl_s, ..Family::new("n", kind, "", &[]) };
            let series = [family.id().as_bytes(), b"\0a"].concat();
            let count = Count {
                amount: Amount { count: 0x0102, value },
                created_ms: u64::from(kind.has_created()) * 3,
                touched_ms: u64::from(ttl_s > 0) * 4,
            };
            let bytes = encode(&series, count);
            assert_eq!(bytes, pinned.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>());
            assert_eq!(decode(&series, &bytes).expect("readable"), count);
            for damaged in [&bytes[..bytes.len() - 1], &[&bytes[..], b"1"].concat()[..]] {
                assert!(matches!(decode(&series, damaged), Err(StoreError::Damaged(_))));
            }
        };
        let one = Decimal::from_units(1);
        let minus = Decimal::from_units(-2);
        let latest = Latest { time_ns: -1, position: 7, value: one };
        check(Kind::Gauge, 0, Value::None, &[0x0102]);
        check(Kind::Gauge, 9, Value::None, &[0x0102, 4]);
        check(Kind::Counter, 0, Value::None, &[0x0102, 3]);
        check(Kind::Counter, 9, Value::None, &[0x0102, 3, 4]);
        check(Kind::SumCounter, 0, Value::Sum(one), &[0x0102, 3, 0, 1]);
        check(Kind::SumGauge, 9, Value::Sum(minus), &[0x0102, 4, u64::MAX, u64::MAX - 1]);
        check(Kind::Histogram, 9, Value::Sum(one), &[0x0102, 3, 4, 0, 1]);
        check(Kind::Min, 0, Value::Min(one), &[0x0102, 0, 1]);
        check(Kind::Max, 0, Value::Max(one), &[0x0102, 0, 1]);
        check(Kind::Last, 9, Value::Last(latest), &[0x0102, 4, u64::MAX, 7, 0, 1]);
    }

    #[test]
    fn what_nobody_writes_is_refused() {
        let series = Family::new("n", Kind::Gauge, "", &[]).id();
        assert!(decode(series.as_bytes(), &[0; 8]).is_err(), "no records");
        let series = Family::new("n", Kind::Min, "", &[]).id();
        let beyond = [1_u64.to_be_bytes().as_slice(), &i128::MIN.to_be_bytes()].concat();
        assert!(decode(series.as_bytes(), &beyond).is_err());
    }
}
