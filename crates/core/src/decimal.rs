//! Exact decimals: the values that rules add up and compare.
//!
//! A decimal is a whole number of 10⁻¹². Sums of them do not depend on the order of their parts, so
//! every replica gets the same digits; floating-point sums would not.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Digits after the point.
pub const DECIMAL_DIGITS: u32 = 12;

/// Units of one.
const ONE: i128 = 10_i128.pow(DECIMAL_DIGITS);

/// Largest value of one record, as a whole number. Adding up 10¹¹ records with it stays in range.
const RECORD_MAX: i128 = 10_i128.pow(15);

/// A number with up to 12 digits after the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

/// Why a text is not a number that can be counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a decimal number between -10^15 and 10^15")]
pub struct NotADecimal;

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest number, about 1.7 × 10²⁶. A sum that gets there stays there.
    pub const MAX: Self = Self(i128::MAX);

    /// The smallest number, as far from 0 as the largest, so that every number has a text.
    pub const MIN: Self = Self(-i128::MAX);

    /// The number of 10⁻¹².
    pub fn units(self) -> i128 {
        self.0
    }

    /// From a number of 10⁻¹².
    pub fn from_units(units: i128) -> Self {
        Self(units.max(Self::MIN.0))
    }

    /// Reads a value of a record: digits, a point, an exponent (`-1.5e3`). Digits beyond the 12th
    /// after the point are rounded half to even, record by record. Linear in the text.
    pub fn parse(text: &[u8]) -> Result<Self, NotADecimal> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (mantissa, exponent) = split_exponent(text)?;
        let (whole, fraction) = match memchr_point(mantissa) {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &[][..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(NotADecimal);
        }
        let units = scaled(whole, fraction, exponent)?;
        if units > RECORD_MAX * ONE {
            return Err(NotADecimal);
        }
        Ok(Self(if negative { -units } else { units }))
    }

    /// The sum; `None` beyond ±1.7 × 10²⁶.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| *sum >= Self::MIN)
    }

    /// The sum; what is or gets beyond the range stays at that end of it, whatever is added.
    #[must_use]
    pub fn sticky_add(self, other: Self) -> Self {
        match (self.is_at_end(), other.is_at_end()) {
            (true, true) => self.max(other),
            (true, false) => self,
            (false, true) => other,
            (false, false) => Self::from_units(self.0.saturating_add(other.0)),
        }
    }

    /// Whether it is at an end of the range, where sums that left it stay.
    pub fn is_at_end(self) -> bool {
        self == Self::MIN || self == Self::MAX
    }

    /// The product, rounded half to even at the 12th digit; `None` beyond what a record may have.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        // Both are at most 10^27 units: the product of their parts does not fit 128 bits, so the
        // whole part and the rest are multiplied apart.
        let (whole, rest) = (other.0 / ONE, other.0 % ONE);
        let big = self.0.checked_mul(whole)?;
        let small = round_half_even(self.0.checked_mul(rest)?, ONE);
        let product = big.checked_add(small)?;
        (product.abs() <= RECORD_MAX * ONE).then_some(Self(product))
    }

    /// Whether it is below 0.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

fn memchr_point(text: &[u8]) -> Option<usize> {
    text.iter().position(|b| *b == b'.')
}

fn split_exponent(text: &[u8]) -> Result<(&[u8], i32), NotADecimal> {
    let Some(at) = text.iter().position(|b| matches!(b, b'e' | b'E')) else { return Ok((text, 0)) };
    let exponent = std::str::from_utf8(&text[at + 1..]).map_err(|_| NotADecimal)?;
    let exponent: i32 = exponent.parse().map_err(|_| NotADecimal)?;
    Ok((&text[..at], exponent))
}

/// `whole.fraction × 10^exponent` in units, not negative.
fn scaled(whole: &[u8], fraction: &[u8], exponent: i32) -> Result<i128, NotADecimal> {
    let point = i64::try_from(whole.len()).map_err(|_| NotADecimal)? + i64::from(exponent);
    // Digits from here on are beyond the 12th after the point.
    let kept = point + i64::from(DECIMAL_DIGITS);
    let (mut units, mut at) = (0_i128, 0_i64);
    let (mut half, mut beyond) = (None, false);
    for byte in whole.iter().chain(fraction) {
        let digit = match byte {
            b'0'..=b'9' => i128::from(byte - b'0'),
            _ => return Err(NotADecimal),
        };
        match at.cmp(&kept) {
            Ordering::Less => {
                units =
                    units.checked_mul(10).and_then(|u| u.checked_add(digit)).ok_or(NotADecimal)?;
            }
            Ordering::Equal => half = Some(digit),
            Ordering::Greater => beyond |= digit != 0,
        }
        at += 1;
    }
    if units != 0 {
        for _ in at.min(kept)..kept {
            units = units.checked_mul(10).ok_or(NotADecimal)?;
        }
    }
    let up = match half {
        Some(digit) if digit > 5 || (digit == 5 && beyond) => true,
        Some(5) => units % 2 == 1,
        _ => false,
    };
    Ok(units + i128::from(up))
}

fn round_half_even(units: i128, by: i128) -> i128 {
    let (quotient, rest) = (units.div_euclid(by), units.rem_euclid(by));
    let up = rest * 2 > by || (rest * 2 == by && quotient % 2 != 0);
    quotient + i128::from(up)
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    /// Reads what [`fmt::Display`] wrote, sums beyond a record's range included.
    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || fraction.len() > DECIMAL_DIGITS as usize {
            return Err(NotADecimal);
        }
        let units = scaled(whole.as_bytes(), fraction.as_bytes(), 0)?;
        Ok(Self(if negative { -units } else { units }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) =
            (self.0.unsigned_abs() / ONE as u128, self.0.unsigned_abs() % ONE as u128);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if rest > 0 {
            let digits = format!("{rest:012}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let check = |text: &str, expected: &str| {
            let value = Decimal::parse(text.as_bytes()).expect(text);
            assert_eq!(value.to_string(), expected, "{text}");
            assert_eq!(expected.parse(), Ok(value));
        };
        check("0", "0");
        check("-0", "0");
        check("+1.50", "1.5");
        check(".5", "0.5");
        check("5.", "5");
        check("1e3", "1000");
        check("1.25e-3", "0.00125");
        check("-12.000000000001", "-12.000000000001");
        check("0.0000000000005", "0");
        check("0.0000000000015", "0.000000000002");
        check("0.00000000000050001", "0.000000000001");
        check("5e-13", "0");
        check("6e-13", "0.000000000001");
        check("6e-14", "0");
        check("1e15", "1000000000000000");
        check("0e999", "0");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", ".", "e5", "1e", "1x", "1.2.3", "NaN", "inf", "0x10", "1e16", "1e999", " 1",
            "1,5", "--1",
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), Err(NotADecimal), "{text:?}");
        }
    }

    #[test]
    fn products_are_rounded_once() {
        let mul = |a: &str, b: &str| {
            let read = |text: &str| Decimal::parse(text.as_bytes()).expect(text);
            read(a).checked_mul(read(b)).map(|d| d.to_string())
        };
        assert_eq!(mul("1500", "0.001").as_deref(), Some("1.5"));
        assert_eq!(mul("-3", "0.5").as_deref(), Some("-1.5"));
        assert_eq!(mul("0.000000000001", "0.5").as_deref(), Some("0"));
        assert_eq!(mul("0.000000000003", "0.5").as_deref(), Some("0.000000000002"));
        assert_eq!(mul("1e15", "2"), None);
    }

    #[test]
    fn sums_that_leave_the_range_stay_at_its_end() {
        let one = Decimal::from_units(1);
        assert_eq!(Decimal::MAX.checked_add(one), None);
        assert_eq!(Decimal::MIN.checked_add(Decimal::from_units(-1)), None);
        assert_eq!(Decimal::MAX.sticky_add(one), Decimal::MAX);
        assert_eq!(Decimal::MAX.sticky_add(Decimal::from_units(-1)), Decimal::MAX);
        assert_eq!(Decimal::from_units(-1).sticky_add(Decimal::MIN), Decimal::MIN);
        assert_eq!(Decimal::MIN.sticky_add(Decimal::MAX), Decimal::MAX);
        assert_eq!(one.sticky_add(one), Decimal::from_units(2));
        for end in [Decimal::MIN, Decimal::MAX, Decimal::from_units(i128::MIN)] {
            assert!(end.is_at_end());
            assert_eq!(end.to_string().parse(), Ok(end));
        }
    }

    proptest! {
        #[test]
        fn the_text_form_is_exact(units in any::<i128>()) {
            let value = Decimal::from_units(units);
            prop_assert_eq!(value.to_string().parse(), Ok(value));
        }

        #[test]
        fn whole_numbers_agree_with_integers(a in -1_000_000_000_000_i64..1_000_000_000_000) {
            let value = Decimal::parse(a.to_string().as_bytes()).expect("in range");
            prop_assert_eq!(value.units(), i128::from(a) * ONE);
        }
    }
}
