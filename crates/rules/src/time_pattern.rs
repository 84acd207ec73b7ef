//! Times by a `strftime` pattern. A pattern is accepted only if it tells an instant by every part that
//! it has: no text is read whose meaning is then ignored.

use std::fmt::Write as _;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse, parse_and_remainder};
use chrono::{DateTime, FixedOffset};

use crate::error::Wrong;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct TimePattern {
    /// What stands between the fractions of `%f`.
    parts: Vec<Vec<Item<'static>>>,
    tells: Tells,
}

/// What the texts of a pattern tell beside a date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tells {
    Instant,
    /// The time of day, which is UTC.
    Time,
    /// Nothing: it is midnight, UTC.
    Nothing,
}

/// A time whose parts all differ, to try patterns with: in the afternoon, with an offset.
const PROBE: &str = "2026-11-25T14:37:48.250+01:30";

impl TimePattern {
    pub(crate) fn compile(field: &str, pattern: &str) -> Result<Self, Wrong> {
        let wrong =
            |why: &str, help: &str| Err(Wrong::new(field, format!("{pattern:?} {why}")).help(help));
        let Ok(items) = StrftimeItems::new(pattern).parse_to_owned() else {
            return wrong("is not a time format", HELP);
        };
        if !pattern.contains('%') {
            return wrong("is not a time format", HELP);
        }
        if items.contains(&Item::Fixed(Fixed::TimezoneName)) {
            return wrong(
                "has %Z, but the names of time zones are ambiguous and would be ignored",
                HELP_ZONE,
            );
        }
        let fraction = Item::Numeric(Numeric::Nanosecond, chrono::format::Pad::Zero);
        let parts: Vec<Vec<_>> =
            items.split(|item| *item == fraction).map(<[Item<'_>]>::to_vec).collect();
        let text = written(&parts).unwrap_or_default();
        let Some(parsed) = parsed(&text, &parts) else {
            return wrong("can be written but not read", HELP);
        };
        if parsed.to_naive_date().is_err() && parsed.timestamp().is_none() {
            return wrong("does not tell a date, so no text in it is a time", HELP_DATE);
        }
        let compiled = Self { parts, tells: told(&parsed) };
        if compiled.tells != Tells::Nothing
            && parsed.to_naive_time().is_err()
            && parsed.timestamp().is_none()
        {
            return Err(Wrong::new(field, "the time format tells only a part of the time of day")
                .help("an hour needs its minute, and %I needs %p"));
        }
        match compiled.read(&text) {
            Some(_) => Ok(compiled),
            None => wrong("can be written but not read", HELP),
        }
    }

    /// Nanoseconds since 1970.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        let parsed = parsed(text, &self.parts)?;
        match self.tells {
            Tells::Instant => parsed.to_datetime().ok()?.timestamp_nanos_opt(),
            Tells::Time => {
                parsed.to_naive_datetime_with_offset(0).ok()?.and_utc().timestamp_nanos_opt()
            }
            Tells::Nothing => {
                parsed.to_naive_date().ok()?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
            }
        }
    }
}

const HELP: &str = "use rfc3339, unix, unix_ms, or a pattern such as '%d/%b/%Y:%H:%M:%S %z'";
const HELP_ZONE: &str = "if all times have one zone, write its name in place of %Z: they are read as UTC; an offset such as +0100 is %z";
const HELP_DATE: &str = "it needs the year (%Y), the month and the day; for times without them count all records, or use another column";

/// What a pattern tells beside a date, by what it has made of the probe.
fn told(parsed: &Parsed) -> Tells {
    if parsed.offset().is_some() {
        return Tells::Instant;
    }
    let is_of_day = parsed.hour_div_12().is_some()
        || parsed.hour_mod_12().is_some()
        || parsed.minute().is_some()
        || parsed.second().is_some()
        || parsed.nanosecond().is_some()
        || parsed.timestamp().is_some();
    if is_of_day { Tells::Time } else { Tells::Nothing }
}

/// The probe as the pattern writes it.
fn written(parts: &[Vec<Item<'static>>]) -> Option<String> {
    let time: DateTime<FixedOffset> = DateTime::parse_from_rfc3339(PROBE).ok()?;
    let mut text = String::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            text.push_str("25");
        }
        write!(text, "{}", time.format_with_items(part.iter())).ok()?;
    }
    Some(text)
}

/// Reads a text: the parts of the pattern, and a fraction of a second between two.
fn parsed(text: &str, parts: &[Vec<Item<'static>>]) -> Option<Parsed> {
    let mut parsed = Parsed::new();
    let (last, others) = parts.split_last()?;
    let mut rest = text;
    for part in others {
        rest = parse_and_remainder(&mut parsed, rest, part.iter()).ok()?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        parsed.set_nanosecond(nanoseconds(&rest[..digits])?).ok()?;
        rest = &rest[digits..];
    }
    parse(&mut parsed, rest, last.iter()).ok()?;
    Some(parsed)
}

/// Digits after a point as nanoseconds; further ones than nine are cut off.
fn nanoseconds(digits: &str) -> Option<i64> {
    let kept = &digits[..digits.len().min(9)];
    let number: i64 = kept.parse().ok()?;
    Some(number * 10_i64.pow(9 - u32::try_from(kept.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, text: &str) -> Option<i64> {
        TimePattern::compile("time", pattern).expect(pattern).read(text)
    }

    #[test]
    fn fractions_are_fractions() {
        let second = 1_790_000_000_000_000_000;
        for (pattern, text, ns) in [
            ("%Y-%m-%d %H:%M:%S,%f", "2026-09-21 14:13:20,5", 500_000_000),
            ("%Y-%m-%d %H:%M:%S,%f", "2026-09-21 14:13:20,45", 450_000_000),
            ("%f of %Y-%m-%d %H:%M:%S", "000001 of 2026-09-21 14:13:20", 1_000),
            ("%Y-%m-%d %H:%M:%S.%f%z", "2026-09-21 15:13:20.1234567891+0100", 123_456_789),
            ("%Y-%m-%d %H:%M:%S%.f", "2026-09-21 14:13:20.5", 500_000_000),
            ("%s.%f", "1790000000.025", 25_000_000),
        ] {
            assert_eq!(read(pattern, text), Some(second + ns), "{text}");
        }
        assert_eq!(read("%Y-%m-%d %H:%M:%S,%f", "2026-09-21 14:13:20,"), None);
        assert_eq!(read("%Y-%m-%d %H:%M:%S,%f", "2026-09-21 14:13:20,5x"), None);
    }

    #[test]
    fn patterns_that_tell_no_instant_are_refused() {
        for (pattern, message) in [
            ("%Y-%m-%d %H:%M:%S %Z", "%Z"),
            ("%b %e %H:%M:%S", "does not tell a date"),
            ("%H:%M:%S", "does not tell a date"),
            ("%Y-%m", "does not tell a date"),
            ("%d/%b:%H:%M %z", "does not tell a date"),
            ("%Y-%m-%d %H", "part of the time of day"),
            ("%Y-%m-%d %I:%M", "part of the time of day"),
            ("%Y-%m-%d %H %z", "part of the time of day"),
            ("today", "is not a time format"),
            ("%Y-%m-%d %!", "is not a time format"),
        ] {
            let wrong = TimePattern::compile("time", pattern).expect_err(pattern);
            assert!(wrong.message.contains(message), "{pattern}: {}", wrong.message);
        }
    }

    #[test]
    fn patterns_that_tell_one_are_read() {
        let at = Some(1_790_000_000_000_000_000);
        for (pattern, text) in [
            ("%d/%b/%Y:%H:%M:%S %z", "21/Sep/2026:16:13:20 +0200"),
            ("%a %b %e %T %Y", "Mon Sep 21 14:13:20 2026"),
            ("%s", "1790000000"),
            ("%Y-%jT%I:%M:%S %p", "2026-264T02:13:20 PM"),
            ("%c", "Mon Sep 21 14:13:20 2026"),
            ("%+", "2026-09-21T16:13:20+02:00"),
            ("%Y-%m-%d %H:%M:%S UTC", "2026-09-21 14:13:20 UTC"),
        ] {
            assert_eq!(read(pattern, text), at, "{pattern}");
        }
        assert_eq!(read("%y%m%d", "700102"), Some(86_400_000_000_000));
        assert_eq!(read("%G-W%V-%u", "1970-W01-5"), Some(86_400_000_000_000));
        // An offset that cannot be is not ignored.
        assert_eq!(read("%d/%b/%Y:%H:%M:%S %z", "21/Sep/2026:16:13:20 +9900"), None);
    }
}
