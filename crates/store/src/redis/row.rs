//! The text of one count, readable by a person with `redis-cli HGETALL`.
//!
//! `5` for a gauge: the records. With a value `5 12.5`; for the latest value `5 12.5 <time> <position>`
//! (nanoseconds since 1970; the record's position in its source). Then what the kind or the family
//! asks for: `@1790000000000`, the store's time of the first increment in milliseconds since 1970, and
//! `~1790000000000`, that of the last one.

use std::fmt::{self, Write};

use logtally_core::series::packed::times_of;
use logtally_core::series::{Amount, FamilyId, Kind, Latest, Value};

use crate::count::Count;

/// Longest text of a count: four numbers of 64 bits, a decimal, and what stands between them.
pub(super) const BYTES_MAX: usize = 4 * 20 + 41 + 4;

/// Writes a count of a series.
pub(super) fn encode(series: &[u8], count: Count) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = push(&mut out, times_of(series), count);
    out
}

fn push(
    out: &mut String,
    (has_created, has_ttl): (bool, bool),
    count: Count,
) -> Result<(), fmt::Error> {
    write!(out, "{}", count.amount.count)?;
    match count.amount.value {
        Value::None => {}
        Value::Sum(value) | Value::Min(value) | Value::Max(value) => write!(out, " {value}")?,
        Value::Last(Latest { time_ns, position, value }) => {
            write!(out, " {value} {time_ns} {position}")?;
        }
    }
    if has_created {
        write!(out, "@{}", count.created_ms)?;
    }
    if has_ttl {
        write!(out, "~{}", count.touched_ms)?;
    }
    Ok(())
}

/// Reads what [`encode`] wrote, and nothing else.
pub(super) fn decode(series: &[u8], text: &[u8]) -> Option<Count> {
    let text = std::str::from_utf8(text).ok()?;
    let count = read(series, text)?;
    // One count has one text: another spelling was written by somebody else.
    (count.amount.count > 0 && encode(series, count) == text).then_some(count)
}

fn read(series: &[u8], text: &str) -> Option<Count> {
    let (has_created, has_ttl) = times_of(series);
    let (text, touched_ms) = split_time(text, '~', has_ttl)?;
    let (text, created_ms) = split_time(text, '@', has_created)?;
    let mut words = text.split(' ');
    let count = words.next()?.parse().ok()?;
    let value = read_value(FamilyId::of_key(series)?.kind(), &mut words)?;
    let whole = words.next().is_none();
    whole.then_some(Count { amount: Amount { count, value }, created_ms, touched_ms })
}

fn split_time(text: &str, sign: char, is_there: bool) -> Option<(&str, u64)> {
    if !is_there {
        return Some((text, 0));
    }
    let (text, time) = text.rsplit_once(sign)?;
    Some((text, time.parse().ok()?))
}

fn read_value<'a>(kind: Kind, words: &mut impl Iterator<Item = &'a str>) -> Option<Value> {
    let mut decimal = || words.next()?.parse().ok();
    Some(match kind {
        Kind::Counter | Kind::Gauge => Value::None,
        Kind::SumCounter | Kind::SumGauge | Kind::Histogram => Value::Sum(decimal()?),
        Kind::Min => Value::Min(decimal()?),
        Kind::Max => Value::Max(decimal()?),
        Kind::Last => {
            let value = decimal()?;
            let time_ns = words.next()?.parse().ok()?;
            Value::Last(Latest { time_ns, position: words.next()?.parse().ok()?, value })
        }
    })
}

#[cfg(test)]
mod tests {
    use logtally_core::decimal::Decimal;
    use logtally_core::series::Family;

    use super::*;

    fn series(kind: Kind, ttl_s: u64) -> Vec<u8> {
        let family = Family { ttl_s, ..Family::new("n", kind, "", &[]) };
        family.id().as_bytes().to_vec()
    }

    #[test]
    fn counts_survive_their_text() {
        let check = |kind, ttl_s, value, text: &str| {
            let series = series(kind, ttl_s);
            let count = Count {
                amount: Amount { count: 5, value },
                created_ms: u64::from(kind.has_created()) * 1_790_000_000_000,
                touched_ms: u64::from(ttl_s > 0) * 1_790_000_000_001,
            };
            assert_eq!(encode(&series, count), text);
            assert_eq!(decode(&series, text.as_bytes()), Some(count));
        };
        let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let (value, minus) = (decimal("12.5"), decimal("-0.25"));
        let latest = Latest { time_ns: -17, position: 42, value };
        check(Kind::Gauge, 0, Value::None, "5");
        check(Kind::Gauge, 60, Value::None, "5~1790000000001");
        check(Kind::Counter, 0, Value::None, "5@1790000000000");
        check(Kind::Counter, 60, Value::None, "5@1790000000000~1790000000001");
        check(Kind::SumCounter, 0, Value::Sum(value), "5 12.5@1790000000000");
        check(Kind::SumGauge, 0, Value::Sum(minus), "5 -0.25");
        check(Kind::Histogram, 9, Value::Sum(value), "5 12.5@1790000000000~1790000000001");
        check(Kind::Min, 0, Value::Min(value), "5 12.5");
        check(Kind::Max, 9, Value::Max(value), "5 12.5~1790000000001");
        check(Kind::Last, 0, Value::Last(latest), "5 12.5 -17 42");
        check(Kind::Last, 9, Value::Last(latest), "5 12.5 -17 42~1790000000001");
    }

    #[test]
    fn the_longest_text_is_known() {
        let latest = Latest { time_ns: i64::MIN, position: u64::MAX, value: Decimal::MIN };
        let amount = Amount { count: u64::MAX, value: Value::Last(latest) };
        let count = Count { amount, created_ms: 0, touched_ms: u64::MAX };
        assert_eq!(encode(&series(Kind::Last, 9), count).len(), BYTES_MAX);
    }

    #[test]
    fn unreadable_counts_are_refused() {
        let check = |kind, ttl_s, texts: &[&str]| {
            for text in texts {
                assert_eq!(decode(&series(kind, ttl_s), text.as_bytes()), None, "{text}");
            }
        };
        check(Kind::Gauge, 0, &["", "0", "5@1", "5~1", "-5", "+5", "05", "5.0", "5 1", " 5", "5 "]);
        check(Kind::Gauge, 9, &["5", "5~", "~5", "5~x", "5~01", "5~1~2"]);
        check(Kind::Counter, 0, &["", "5", "5@", "@5", "5@x", "5@1~2"]);
        check(Kind::SumGauge, 0, &["5", "5 ", "5 x", "5 1.50", "5 01", "5 1 2", "5 1e3", "5 1@2"]);
        check(Kind::Last, 0, &["5 1", "5 1 2", "5 1 2 3 4", "5 1 2 -3", "5 1 2.5 3"]);
    }
}
