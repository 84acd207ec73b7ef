//! With the vector instructions of x86-64. The only unsafe code of the project: calls of functions
//! whose instructions were looked for, and loads from arrays.
#![expect(unsafe_code, reason = "vector instructions have no safe interface")]

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
};

use crate::csv::marks::block::{BLOCK, Masks, Special, Visit};

/// Whether the machine has what [`classify_avx2`] needs.
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("pclmulqdq")
}

/// Whether the machine has what [`classify_avx512`] needs.
pub(super) fn has_avx512() -> bool {
    has_avx2() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// # Panics
/// If the machine does not have the instructions.
pub(super) fn classify_avx2(blocks: &[[u8; BLOCK]], special: Special, visit: &mut impl Visit) {
    assert!(has_avx2());
    // SAFETY: the machine has the instructions.
    unsafe { avx2(blocks, special, visit) }
}

/// # Panics
/// If the machine does not have the instructions.
pub(super) fn classify_avx512(blocks: &[[u8; BLOCK]], special: Special, visit: &mut impl Visit) {
    assert!(has_avx512());
    // SAFETY: the machine has the instructions.
    unsafe { avx512(blocks, special, visit) }
}

#[target_feature(enable = "avx2,bmi1,popcnt,pclmulqdq")]
fn avx2(blocks: &[[u8; BLOCK]], special: Special, visit: &mut impl Visit) {
    let wanted = |byte: u8| _mm256_set1_epi8(byte.cast_signed());
    let [line, delimiter] = [wanted(b'\n'), wanted(special.delimiter)];
    let quote = wanted(special.quote.unwrap_or_default());
    let has_quotes = if special.quote.is_some() { u64::MAX } else { 0 };
    for block in blocks {
        let (halves, _) = block.as_chunks::<32>();
        let half = |i: usize| {
            // SAFETY: reads the 32 bytes of an array, at any alignment.
            unsafe { _mm256_loadu_si256(halves[i].as_ptr().cast()) }
        };
        let (low, high) = (half(0), half(1));
        let quotes = equal(low, high, quote) & has_quotes;
        let (lines, delimiters) = (equal(low, high, line), equal(low, high, delimiter));
        visit.block(Masks { lines, delimiters, quotes }, running_parity(quotes));
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn equal(low: __m256i, high: __m256i, wanted: __m256i) -> u64 {
    let bits = |half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, wanted)).cast_unsigned();
    u64::from(bits(high)) << 32 | u64::from(bits(low))
}

/// The running parity: the product with all ones, without carries.
#[target_feature(enable = "pclmulqdq")]
#[inline]
fn running_parity(mask: u64) -> u64 {
    let ones = _mm_set1_epi8(-1);
    let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(mask.cast_signed()), ones);
    _mm_cvtsi128_si64(product).cast_unsigned()
}

#[target_feature(enable = "avx512f,avx512bw,bmi1,popcnt,pclmulqdq")]
fn avx512(blocks: &[[u8; BLOCK]], special: Special, visit: &mut impl Visit) {
    let wanted = |byte: u8| _mm512_set1_epi8(byte.cast_signed());
    let [line, delimiter] = [wanted(b'\n'), wanted(special.delimiter)];
    let quote = wanted(special.quote.unwrap_or_default());
    let has_quotes = if special.quote.is_some() { u64::MAX } else { 0 };
    for block in blocks {
        // SAFETY: reads the 64 bytes of an array, at any alignment.
        let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let quotes = _mm512_cmpeq_epi8_mask(bytes, quote) & has_quotes;
        let lines = _mm512_cmpeq_epi8_mask(bytes, line);
        let delimiters = _mm512_cmpeq_epi8_mask(bytes, delimiter);
        visit.block(Masks { lines, delimiters, quotes }, running_parity(quotes));
    }
}
