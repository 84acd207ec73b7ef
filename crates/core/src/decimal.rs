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
        let magnitude = magnitude_of_product(self.0.unsigned_abs(), other.0.unsigned_abs())?;
        let units = i128::try_from(magnitude).ok().filter(|units| *units <= RECORD_MAX * ONE)?;
        Some(Self(if self.is_negative() == other.is_negative() { units } else { -units }))
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
    Ok((&text[..at], read_exponent(&text[at + 1..])?))
}

/// An exponent. One that is too long for its type is as good as the last one that is not: whatever is
/// multiplied by it is 0, rounds to 0, or is beyond the range.
fn read_exponent(text: &[u8]) -> Result<i32, NotADecimal> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotADecimal);
    }
    let digit = |exponent: i32, digit: &u8| {
        exponent.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
    };
    let exponent = digits.iter().fold(0, digit);
    Ok(if negative { -exponent } else { exponent })
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

/// `a × b ÷ 10¹²`, rounded half to even; `None` if it does not fit.
///
/// The product of two numbers of units does not fit 128 bits where its quotient does, so whole parts
/// and fractions are multiplied apart. A part that does not fit is larger than any value of a record.
fn magnitude_of_product(a: u128, b: u128) -> Option<u128> {
    let one = ONE.unsigned_abs();
    let ((a_whole, a_fraction), (b_whole, b_fraction)) = ((a / one, a % one), (b / one, b % one));
    let fractions = a_fraction * b_fraction;
    let (carry, rest) = (fractions / one, fractions % one);
    let floor = a_whole
        .checked_mul(b_whole)?
        .checked_mul(one)?
        .checked_add(a_whole.checked_mul(b_fraction)?)?
        .checked_add(a_fraction.checked_mul(b_whole)?)?
        .checked_add(carry)?;
    let is_up = rest * 2 > one || (rest * 2 == one && floor % 2 == 1);
    floor.checked_add(u128::from(is_up))
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
        check("0e99999999999", "0");
        check("7e-99999999999", "0");
        check("2e+0000000000003", "2000");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1e-",
            "1e1x",
            "1e99999999999",
            "1x",
            "1.2.3",
            "NaN",
            "inf",
            "0x10",
            "1e16",
            "1e999",
            " 1",
            "1,5",
            "--1",
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
        // Half to even is asked of the whole product, not of its fraction alone.
        assert_eq!(mul("1.000000000001", "1.5").as_deref(), Some("1.500000000002"));
    }

    #[test]
    fn products_in_range_are_found_however_long_their_factors_are() {
        let mul = |a: &str, b: &str| {
            let read = |text: &str| Decimal::parse(text.as_bytes()).expect(text);
            read(a).checked_mul(read(b)).map(|d| d.to_string())
        };
        assert_eq!(
            mul("170141183460470", "0.999999999999").as_deref(),
            Some("170141183460299.85881653953")
        );
        assert_eq!(mul("1e15", "1").as_deref(), Some("1000000000000000"));
        assert_eq!(mul("-1e15", "0.75").as_deref(), Some("-750000000000000"));
        assert_eq!(mul("999999999999999", "-0.000001").as_deref(), Some("-999999999.999999"));
        assert_eq!(mul("1e15", "1.000000000001"), None);
        assert_eq!(mul("1e15", "-1e15"), None);
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

    /// `a × b` digit by digit as on paper, cut at the 12th digit from the end and rounded half to even.
    fn product_on_paper(a: u128, b: u128) -> Vec<u8> {
        let digits = |n: u128| n.to_string().bytes().rev().map(|b| u32::from(b - b'0')).collect();
        let (a, b): (Vec<u32>, Vec<u32>) = (digits(a), digits(b));
        let mut product = vec![0_u32; a.len() + b.len() + DECIMAL_DIGITS as usize + 2];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                product[i + j] += x * y;
            }
        }
        carry(&mut product);
        let mut kept = product.split_off(DECIMAL_DIGITS as usize);
        let half: Vec<u32> =
            (1..=DECIMAL_DIGITS).map(|i| if i == DECIMAL_DIGITS { 5 } else { 0 }).collect();
        // From the first digit on, texts of one length compare like numbers.
        match product.iter().rev().cmp(half.iter().rev()) {
            Ordering::Greater => kept[0] += 1,
            Ordering::Equal => kept[0] += kept[0] % 2,
            Ordering::Less => {}
        }
        carry(&mut kept);
        let text: Vec<u8> =
            kept.iter().rev().map(|d| b'0' + u8::try_from(*d).expect("a digit")).collect();
        let zeros = text.iter().take_while(|d| **d == b'0').count().min(text.len() - 1);
        text[zeros..].to_vec()
    }

    fn carry(digits: &mut [u32]) {
        for i in 1..digits.len() {
            digits[i] += digits[i - 1] / 10;
            digits[i - 1] %= 10;
        }
    }

    /// Numbers of units of every length, with many zeros, nines and fives.
    fn units() -> impl Strategy<Value = i128> {
        let near = (0_u32..28, -3_i128..4).prop_map(|(digits, off)| 10_i128.pow(digits) + off);
        let halves =
            (0_u32..27, 0_i128..2000).prop_map(|(digits, n)| n * 5 * 10_i128.pow(digits.min(22)));
        let any = (any::<i128>(), 0_u32..127).prop_map(|(n, shift)| n >> shift);
        prop_oneof![near, halves, any]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn products_agree_with_those_on_paper(a in units(), b in units()) {
            let product = Decimal::from_units(a).checked_mul(Decimal::from_units(b));
            let (a, b) = (Decimal::from_units(a).0, Decimal::from_units(b).0);
            let paper = String::from_utf8(product_on_paper(a.unsigned_abs(), b.unsigned_abs())).expect("digits");
            let limit = (RECORD_MAX * ONE).to_string();
            let is_in_range = (paper.len(), &paper) <= (limit.len(), &limit);
            let negative = paper != "0" && (a < 0) != (b < 0);
            let expected = if negative { format!("-{paper}") } else { paper };
            prop_assert_eq!(product.map(|d| d.0.to_string()), is_in_range.then_some(expected));
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
