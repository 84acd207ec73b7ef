//! The values of samples: exact decimals, whole counts, and the bounds of buckets.
//!
//! Must never go through a floating-point number: what is pushed is added up exactly, so what was
//! written as `0.1` is a tenth.

use logtally_core::decimal::Decimal;
use logtally_core::limits::POSITION_MAX;

/// Units of one in a [`Decimal`].
const ONE: i128 = 1_000_000_000_000;

/// Why a value cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NumberError {
    /// It is no number.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// It is infinite or not a number.
    #[error("{0} cannot be added up, so no later push could undo it; leave the sample out")]
    NotFinite(String),
    /// It is out of range.
    #[error("{0} is not between -10^15 and 10^15, where sums are exact")]
    OutOfRange(String),
    /// It counts something, and is no whole number.
    #[error("{0} is not a number of observations: whole, and not negative")]
    NotACount(String),
}

/// The upper bound of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Bound {
    /// A number.
    Finite(Decimal),
    /// `+Inf`
    Infinite,
}

/// A value: digits, a point, an exponent. Digits beyond the 12th after the point are rounded half to
/// even.
pub(crate) fn value(text: &str) -> Result<Decimal, NumberError> {
    if ["nan", "inf", "infinity"].iter().any(|word| unsigned(text).eq_ignore_ascii_case(word)) {
        return Err(NumberError::NotFinite(shown(text)));
    }
    Decimal::parse(text.as_bytes()).map_err(|_| {
        let is_number = text.parse::<f64>().is_ok();
        let reason = if is_number { NumberError::OutOfRange } else { NumberError::NotANumber };
        reason(shown(text))
    })
}

/// A number of observations, which most clients write with a point.
pub(crate) fn count(text: &str) -> Result<u64, NumberError> {
    let units = value(text)?.units();
    let whole = u64::try_from(units / ONE).ok().filter(|n| units % ONE == 0 && *n <= POSITION_MAX);
    whole.ok_or_else(|| NumberError::NotACount(shown(text)))
}

/// The upper bound of a bucket.
pub(crate) fn bound(text: &str) -> Result<Bound, NumberError> {
    let is_infinite =
        ["inf", "infinity"].iter().any(|word| unsigned(text).eq_ignore_ascii_case(word));
    if is_infinite && !text.starts_with('-') {
        return Ok(Bound::Infinite);
    }
    value(text).map(Bound::Finite)
}

/// Whether a value says that there is none.
pub(crate) fn is_nan(text: &str) -> bool {
    unsigned(text).eq_ignore_ascii_case("nan")
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn values_are_exact() {
        for (text, expected) in [
            ("1", "1"),
            ("0.30000000000000004", "0.3"),
            ("1.5e+06", "1500000"),
            ("-2.5E-3", "-0.0025"),
            ("4.9e-324", "0"),
            ("1e15", "1000000000000000"),
        ] {
            assert_eq!(value(text).expect(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn values_that_cannot_be_used() {
        for text in ["NaN", "nan", "+Inf", "-Inf", "inf", "Infinity"] {
            assert_eq!(value(text), Err(NumberError::NotFinite(own(text))));
        }
        for text in ["1e16", "-1000000000000001", "1e999", "1.8e308"] {
            assert_eq!(value(text), Err(NumberError::OutOfRange(own(text))));
        }
        for text in ["x", "0x10", "1_000", "1,5", "--1", "1p3", ""] {
            assert_eq!(value(text), Err(NumberError::NotANumber(own(text))));
        }
    }

    #[test]
    fn counts_are_whole() {
        for (text, expected) in [("0", 0), ("3.0", 3), ("1e+06", 1_000_000)] {
            assert_eq!(count(text), Ok(expected), "{text}");
        }
        for text in ["-1", "0.5", "-0.000000000001"] {
            assert_eq!(count(text), Err(NumberError::NotACount(own(text))));
        }
        assert_eq!(count("1e16"), Err(NumberError::OutOfRange(own("1e16"))));
    }

    #[test]
    fn bounds_end_with_infinity() {
        assert_eq!(bound("+Inf"), Ok(Bound::Infinite));
        assert_eq!(bound("inf"), Ok(Bound::Infinite));
        assert_eq!(bound("1e+06"), value("1000000").map(Bound::Finite));
        assert!(bound("1e15").expect("finite") < Bound::Infinite);
        assert!(bound("-Inf").is_err() && bound("NaN").is_err());
        assert!(is_nan("NaN") && !is_nan("Inf"));
    }
}
