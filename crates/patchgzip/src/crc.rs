//! The checksum of a text of which a few bytes change, and of texts that are put together, without
//! reading them again.
//!
//! CRC-32 is linear: the checksum of a changed text is the one before, and, added without carry, that
//! of the difference, which is zeros around a few bytes. Zeros before them do nothing, and each zero
//! behind them multiplies by x^8, modulo the polynomial.

/// The polynomial, lowest bit first, as in RFC 1952.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// x^0, x^8, x^16, … up to 255 bytes; the same in steps of 256 bytes; and of 65,536.
const POWERS: [[u32; 256]; 3] = powers();

/// By byte: its remainder.
const REMAINDERS: [u32; 256] = remainders();

/// What to add to a checksum if `before` became `after`, with `behind` bytes behind it.
pub(crate) fn difference(before: &[u8], after: &[u8], behind: usize) -> u32 {
    let changed = before
        .iter()
        .zip(after)
        .fold(0_u32, |crc, (old, new)| REMAINDERS[usize::from(crc as u8 ^ old ^ new)] ^ (crc >> 8));
    behind_zeros(changed, behind)
}

/// The checksum of two texts, one behind the other, from those of both.
pub(crate) fn joined(first: u32, second: u32, second_len: usize) -> u32 {
    behind_zeros(first, second_len) ^ second
}

/// What becomes of a checksum when so many zeros come behind it.
fn behind_zeros(crc: u32, zeros: usize) -> u32 {
    let mut result = crc;
    let mut left = zeros;
    for powers in &POWERS {
        if !left.is_multiple_of(256) {
            result = product(result, powers[left % 256]);
        }
        left /= 256;
    }
    // Beyond 16 MiB, which no block has.
    for _ in 0..left {
        result = product(product(result, POWERS[2][255]), POWERS[2][1]);
    }
    result
}

/// The product of two polynomials, modulo the one of the checksum.
const fn product(a: u32, mut b: u32) -> u32 {
    let (mut result, mut bit) = (0, 1 << 31);
    while bit != 0 {
        if a & bit != 0 {
            result ^= b;
        }
        bit >>= 1;
        b = (b >> 1) ^ (POLYNOMIAL & (b & 1).wrapping_neg());
    }
    result
}

const fn powers() -> [[u32; 256]; 3] {
    let mut all = [[1 << 31; 256]; 3];
    let mut step = 1 << 23;
    let mut table = 0;
    while table < 3 {
        let mut at = 1;
        while at < 256 {
            all[table][at] = product(all[table][at - 1], step);
            at += 1;
        }
        step = product(all[table][255], step);
        table += 1;
    }
    all
}

const fn remainders() -> [u32; 256] {
    let mut all = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let (mut rest, mut bit) = (byte, 0);
        while bit < 8 {
            rest = (rest >> 1) ^ (POLYNOMIAL & (rest & 1).wrapping_neg());
            bit += 1;
        }
        all[byte as usize] = rest;
        byte += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use flate2::Crc;

    use super::*;

    fn sum(text: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.update(text);
        crc.sum()
    }

    #[test]
    fn a_changed_text_has_the_changed_sum() {
        for behind in [0, 1, 7, 255, 256, 257, 65_535, 65_536, 70_001, 17 << 20] {
            let rest: Vec<u8> = (0..behind).map(|i| (i * 7 + i / 251) as u8).collect();
            let text = |value: &[u8]| [b"before ", value, &rest].concat();
            let (old, new) = (b"1234567890", b"1934567\0\xff9");
            let expect = sum(&text(old)) ^ difference(old, new, behind);
            assert_eq!(sum(&text(new)), expect, "{behind}");
            assert_eq!(joined(sum(old), sum(&rest), behind), sum(&[&old[..], &rest].concat()));
        }
    }
}
