//! Times in records, as nanoseconds since 1970.

use chrono::NaiveDate;
use logtally_core::decimal::Decimal;

use crate::columns::Columns;
use crate::error::Wrong;
use crate::row::Row;
use crate::spec::{TimeFormat, TimeSpec};
use crate::time_pattern::TimePattern;

/// Where a record's time comes from.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    slot: usize,
    reading: Reading,
}

#[derive(Clone, Debug)]
enum Reading {
    Rfc3339,
    Unix,
    UnixMs,
    Pattern(TimePattern),
}

impl Time {
    pub(crate) fn compile(
        field: &str,
        spec: &TimeSpec,
        columns: &mut Columns,
    ) -> Result<Self, Wrong> {
        let reading = match &spec.format {
            TimeFormat::Rfc3339 => Reading::Rfc3339,
            TimeFormat::Unix => Reading::Unix,
            TimeFormat::UnixMs => Reading::UnixMs,
            TimeFormat::Pattern(text) => Reading::Pattern(TimePattern::compile(field, text)?),
        };
        Ok(Self { slot: columns.slot(&spec.column), reading })
    }

    /// The record's time; `None` if it has none between the years 1678 and 2262.
    pub(crate) fn of(&self, row: &impl Row) -> Option<i64> {
        self.read(std::str::from_utf8(row.get(self.slot)?).ok()?.trim())
    }

    fn read(&self, text: &str) -> Option<i64> {
        match &self.reading {
            Reading::Rfc3339 => rfc3339(text),
            Reading::Unix => scaled(text, 1_000_000_000),
            Reading::UnixMs => scaled(text, 1_000_000),
            Reading::Pattern(pattern) => pattern.read(text),
        }
    }
}

/// Nanoseconds of an RFC 3339 time; a blank may stand for the `T`, and without an offset it is UTC.
/// A date alone is its midnight. Every number has all its digits.
pub(crate) fn rfc3339(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let (date, time) = text.split_at_checked(10).unwrap_or((text, &[]));
    if date.len() != 10 || date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = two(date, 0)? * 100 + two(date, 2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, two(date, 5)?, two(date, 8)?)?;
    let midnight = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp();
    let (seconds, ns) = match time {
        [] => (0, 0),
        [b'T' | b't' | b' ', time @ ..] => time_of_day(time, midnight)?,
        _ => return None,
    };
    let ns = i128::from(midnight + seconds) * 1_000_000_000 + i128::from(ns);
    i64::try_from(ns).ok()
}

/// Seconds and nanoseconds of `08:00:00.5+01:00`, less the offset.
fn time_of_day(text: &[u8], midnight: i64) -> Option<(i64, u32)> {
    let (clock, rest) = text.split_at_checked(8)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(clock, 0)?, two(clock, 3)?, two(clock, 6)?);
    let (ns, rest) = fraction(rest)?;
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset(rest)?;
    // A leap second is the last one of a day in UTC.
    let is_leap = second == 60 && (midnight + seconds) % 86_400 == 0;
    (hour < 24 && minute < 60 && (second < 60 || is_leap)).then_some((seconds, ns))
}

/// The nanoseconds of a fraction, if there is one, and what comes behind it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', text @ ..] = text else { return Some((0, text)) };
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let digit = |at: usize| text[..digits].get(at).map_or(0, |b| u32::from(b - b'0'));
    let ns = (0..9).fold(0, |ns, at| ns * 10 + digit(at));
    (digits > 0).then_some((ns, &text[digits..]))
}

/// Seconds of an offset.
fn offset(text: &[u8]) -> Option<i64> {
    let sign = match *text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (two(text, 1)?, two(text, 4)?);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// The number that the two digits from `at` on make.
fn two(text: &[u8], at: usize) -> Option<u32> {
    let digit = |at: usize| {
        let byte = text.get(at).filter(|byte| byte.is_ascii_digit())?;
        Some(u32::from(byte - b'0'))
    };
    Some(digit(at)? * 10 + digit(at + 1)?)
}

/// `text` times `unit` nanoseconds.
fn scaled(text: &str, unit: i128) -> Option<i64> {
    let value = Decimal::parse(text.as_bytes()).ok()?;
    let ns = value.units().checked_mul(unit)? / 10_i128.pow(logtally_core::decimal::DECIMAL_DIGITS);
    i64::try_from(ns).ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_in_every_format() {
        let read = |format: TimeFormat, text: &str| {
            let spec = TimeSpec { column: "time".into(), format };
            Time::compile("time", &spec, &mut Columns::default()).expect("valid").read(text)
        };
        let at = Some(1_790_000_000_500_000_000);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21T14:13:20.5Z"), at);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21 16:13:20.5+02:00"), at);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21 14:13:20.5"), at);
        assert_eq!(read(TimeFormat::Unix, "1790000000.5"), at);
        assert_eq!(read(TimeFormat::UnixMs, "1790000000500"), at);
        let apache = TimeFormat::Pattern("%d/%b/%Y:%H:%M:%S %z".into());
        assert_eq!(read(apache, "21/Sep/2026:16:13:20 +0200"), at.map(|ns| ns - 500_000_000));
        assert_eq!(read(TimeFormat::Rfc3339, "yesterday"), None);
        assert_eq!(read(TimeFormat::Unix, "1e300"), None);
    }

    #[test]
    fn what_has_not_the_form_of_a_time_is_none() {
        for text in [
            "",
            "2026-03-2",
            "2026-3-02",
            "26-03-02",
            "+2026-03-02",
            "2026-03-02T",
            "2026-03-02 ",
            "2026-03-0208:00:00",
            "2026-03-02  08:00:00",
            "2026-03-02T 08:00:00",
            "2026-03-02T8:00:00",
            "2026-03-02T08:00",
            "2026-03-02T08:0:00",
            "2026-03-02T08:00:0",
            "2026-03-02T24:00:00",
            "2026-03-02T08:60:00",
            "2026-03-02T08:00:61",
            "2026-03-02T08:00:60Z",
            "2026-02-29T08:00:00",
            "2026-13-01",
            "2026-00-01",
            "2026-03-02T08:00:00.",
            "2026-03-02T08:00:00,5",
            "2026-03-02T08:00:00 +01:00",
            "2026-03-02T08:00:00+0100",
            "2026-03-02T08:00:00+24:00",
            "2026-03-02T08:00:00+01:60",
            "2026-03-02T08:00:00ZZ",
            "2026-03-02_08:00:00",
            "2300-01-01",
            "2026-03-02T08:00:0\u{663}",
        ] {
            assert_eq!(rfc3339(text), None, "{text:?}");
        }
        let leap = rfc3339("2016-12-31T23:59:60Z");
        assert_eq!(leap, rfc3339("2017-01-01T00:00:00Z"));
        assert_eq!(leap, rfc3339("2016-12-31T15:59:60-08:00"));
    }

    proptest! {
        /// Whatever is read is what a strict reader of RFC 3339 makes of it, with the parts that may be
        /// left out put in.
        #[test]
        fn times_are_those_of_a_strict_reader(
            text in "(19|20|2)[0-9]{1,2}-[01]?[0-9]-[0-3]?[0-9]([T ]{0,2}[0-2]?[0-9]:[0-6]?[0-9]:[0-5]?[0-9](\\.[0-9]{0,12})?(Z|[+-][0-2]?[0-9]:?[0-6][0-9])?)?",
        ) {
            let is_shape = regex::Regex::new(
                r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)?$",
            ).expect("valid").is_match(&text);
            let mut whole = text.replacen(' ', "T", 1);
            if whole.len() == 10 {
                whole.push_str("T00:00:00");
            }
            if whole.len() > 10 && !whole[10..].contains(['Z', '+', '-']) {
                whole.push('Z');
            }
            let strict = DateTime::parse_from_rfc3339(&whole).ok().filter(|_| is_shape);
            prop_assert_eq!(rfc3339(&text), strict.and_then(|time| time.timestamp_nanos_opt()));
        }
    }
}
