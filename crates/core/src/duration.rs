//! Durations as people write them, in the language of Prometheus: `30s`, `1h30m`, `250ms`, `2w`.
//!
//! Flags, the configuration and requests all read and write durations here, so that a text that one of
//! them accepts means the same to the others. Must never guess a unit: a bare number is refused.

use std::time::Duration;

/// The units in the order in which they must stand, with their milliseconds. A year has 365 days, and
/// every day 24 hours.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY_MS),
    ("w", 7 * DAY_MS),
    ("d", DAY_MS),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const DAY_MS: u64 = 86_400_000;

/// The longest duration: Prometheus counts nanoseconds in 63 bits, which is 292 years.
const LONGEST_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is not a duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidDuration {
    /// It does not follow the grammar.
    #[error("`{0}` is not a duration; write for example 250ms, 10s, 5m, 1h30m or 7d")]
    Malformed(String),
    /// It has the parts of a duration in the wrong order.
    #[error("`{0}` has its units out of order; the larger ones come first, each once, as in 1h30m")]
    OutOfOrder(String),
    /// It is longer than Prometheus can tell.
    #[error("`{0}` is too long; the longest duration is 292y")]
    TooLong(String),
}

/// Reads a duration: whole numbers, each with a unit, the larger units first; or a bare `0`.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let malformed = || InvalidDuration::Malformed(text.to_owned());
    let mut total_ms: u64 = 0;
    let mut rest = text;
    let mut larger_units = &UNITS[..0];
    loop {
        let (number, unit, after) = cut_part(rest).ok_or_else(malformed)?;
        let at = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(malformed)?;
        if at < larger_units.len() {
            return Err(InvalidDuration::OutOfOrder(text.to_owned()));
        }
        let part_ms = number.parse::<u64>().ok().and_then(|count| count.checked_mul(UNITS[at].1));
        total_ms = part_ms
            .and_then(|part| total_ms.checked_add(part))
            .filter(|total| *total <= LONGEST_MS)
            .ok_or_else(|| InvalidDuration::TooLong(text.to_owned()))?;
        if after.is_empty() {
            return Ok(Duration::from_millis(total_ms));
        }
        larger_units = &UNITS[..=at];
        rest = after;
    }
}

/// A number, its unit, and what follows both. `None` if either is missing.
fn cut_part(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let letters = text[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
    if digits == 0 || letters == 0 {
        return None;
    }
    let (part, after) = text.split_at(digits + letters);
    let (number, unit) = part.split_at(digits);
    Some((number, unit, after))
}

/// Writes a duration so that [`parse`] reads the same again; parts of a millisecond are left out.
///
/// Years and weeks are written only where nothing else is left over, since `90d` reads easier than
/// `12w6d`.
pub fn format(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        let only_exact = matches!(unit, "y" | "w");
        let count = rest_ms / unit_ms;
        if count == 0 || only_exact && rest_ms % unit_ms != 0 {
            continue;
        }
        text += &count.to_string();
        text += unit;
        rest_ms %= unit_ms;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("1ms", 1),
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("01h", 3_600_000),
            ("90m", 5_400_000),
            ("1d", DAY_MS),
            ("1w", 7 * DAY_MS),
            ("1y", 365 * DAY_MS),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("1m500ms", 60_500),
            ("292y", 292 * 365 * DAY_MS),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "", "10", "00", "s", "10 s", " 10s", "10s ", "-1s", "+1s", "1.5s", "1x", "1S", "1H",
            "1us", "1ns", "1M", "s10", "1h30", "1h 30m", "1µs", "١s",
        ] {
            assert_eq!(parse(text), Err(InvalidDuration::Malformed(text.to_owned())), "{text}");
        }
        for text in ["1m1h", "1m13h", "1m1m", "1ms1s", "1d1w", "1s1m1s"] {
            assert_eq!(parse(text), Err(InvalidDuration::OutOfOrder(text.to_owned())), "{text}");
        }
        for text in ["293y", "18446744073709551615d", "99999999999999999999s", "292y1y"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_errors_say_what_to_write() {
        let text = |text: &str| parse(text).expect_err(text).to_string();
        assert_eq!(
            text("10"),
            "`10` is not a duration; write for example 250ms, 10s, 5m, 1h30m or 7d"
        );
        assert_eq!(
            text("1m1h"),
            "`1m1h` has its units out of order; the larger ones come first, each once, as in 1h30m"
        );
        assert_eq!(text("300y"), "`300y` is too long; the longest duration is 292y");
    }

    #[test]
    fn durations_are_written_as_prometheus_does() {
        for (ms, text) in [
            (0, "0s"),
            (1, "1ms"),
            (60_500, "1m500ms"),
            (5_400_000, "1h30m"),
            (90 * DAY_MS, "90d"),
            (14 * DAY_MS, "2w"),
            (365 * DAY_MS, "1y"),
            (366 * DAY_MS, "366d"),
        ] {
            assert_eq!(format(Duration::from_millis(ms)), text);
        }
        assert_eq!(format(Duration::from_micros(999)), "0s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ms in 0..=LONGEST_MS) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>(), parts in "([0-9]{1,25}[a-z]{1,2}){1,4}") {
            let _ = parse(&text);
            if let Ok(duration) = parse(&parts) {
                prop_assert_eq!(parse(&format(duration)), Ok(duration));
            }
        }
    }
}
