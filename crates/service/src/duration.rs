//! Durations on the command line: `10s`, `1h30m`, `500ms`, as Prometheus writes them.

use std::time::Duration;

/// A text that is not a duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a duration; write for example 500ms, 10s, 5m or 1h30m")]
pub struct ParseDurationError(String);

/// Reads a duration: numbers with the units `ms`, `s`, `m`, `h` or `d`, or a plain `0`.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let duration = if text == "0" { Some(Duration::ZERO) } else { sum(text) };
    duration.ok_or_else(|| ParseDurationError(text.to_owned()))
}

fn sum(text: &str) -> Option<Duration> {
    let mut total_ms: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit()).map(|end| rest.split_at(end));
        let (number, after) = number?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let ms = number.parse::<u64>().ok()?.checked_mul(unit_ms(unit)?)?;
        total_ms = total_ms.checked_add(ms)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total_ms))
}

fn unit_ms(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, ms: Option<u64>| {
            assert_eq!(parse_duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        };
        check("0", Some(0));
        check("0s", Some(0));
        check("500ms", Some(500));
        check("10s", Some(10_000));
        check("1h30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        for text in ["", "10", "s", "10 s", "-1s", "1.5s", "1x", "s10", "99999999999999999999s"] {
            check(text, None);
        }
        check("18446744073709551615d", None);
    }
}
