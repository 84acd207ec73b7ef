//! Numbers as they stand on a page.

use std::io::Write;

use logtally_core::decimal::Decimal;

/// Appends a decimal.
pub(super) fn push_decimal(out: &mut Vec<u8>, value: Decimal) {
    match value {
        // Sums that left their range: no number is better than a wrong one.
        Decimal::MAX => out.extend_from_slice(b"+Inf"),
        Decimal::MIN => out.extend_from_slice(b"-Inf"),
        // Writing to a vector does not fail.
        value => drop(write!(out, "{value}")),
    }
}

/// Appends a number.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends milliseconds as seconds.
pub(super) fn push_seconds(out: &mut Vec<u8>, ms: u64) {
    push_number(out, ms / 1000);
    out.push(b'.');
    let rest = ms % 1000;
    out.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, text.as_bytes());
        }
        for (ms, text) in [(1, "0.001"), (1_700_000_000_120, "1700000000.120")] {
            let mut out = Vec::new();
            push_seconds(&mut out, ms);
            assert_eq!(out, text.as_bytes());
        }
    }
}
