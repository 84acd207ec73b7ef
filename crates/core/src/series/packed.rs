//! The numbers and values of packed rows, as increments and counts hold them: variable-length numbers,
//! and the value that the kind of a series wants. Nothing here knows what the rows are.

use super::amount::{Latest, Value};
use super::family::Kind;
use super::key::check_key;
use crate::decimal::Decimal;

/// Whether these bytes are a key of a series.
pub fn is_key(bytes: &[u8]) -> bool {
    check_key(bytes).is_ok()
}

/// Whether rows of series `key` carry the times of their first and of their last increment.
#[inline]
pub fn times_of(key: &[u8]) -> (bool, bool) {
    let has_ttl = key.first().is_some_and(u8::is_ascii_uppercase);
    kind_of(key).map_or((false, false), |kind| (kind.has_created(), has_ttl))
}

/// Appends the value of a row of series `key`: nothing for kinds without.
///
/// # Panics
/// In tests, if the value does not fit to the kind of the key.
#[inline]
pub fn put_value(out: &mut Vec<u8>, key: &[u8], value: Value) {
    debug_assert!(kind_of(key).is_some_and(|kind| value.fits(kind)), "{value:?} of {key:?}");
    match value {
        Value::None => {}
        Value::Sum(value) | Value::Min(value) | Value::Max(value) => put_decimal(out, value),
        Value::Last(latest) => {
            put_varint(out, zigzag(latest.time_ns));
            put_varint(out, latest.position);
            put_decimal(out, latest.value);
        }
    }
}

/// Reads what [`put_value`] wrote for series `key`. A key without a kind has no value.
#[inline]
pub fn next_value(block: &[u8], at: &mut usize, key: &[u8]) -> Option<Value> {
    match kind_of(key) {
        None | Some(Kind::Counter | Kind::Gauge) => Some(Value::None),
        Some(kind) => next_value_of(block, at, kind),
    }
}

fn next_value_of(block: &[u8], at: &mut usize, kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Counter | Kind::Gauge => Value::None,
        Kind::SumCounter | Kind::SumGauge | Kind::Histogram => Value::Sum(next_decimal(block, at)?),
        Kind::Min => Value::Min(next_decimal(block, at)?),
        Kind::Max => Value::Max(next_decimal(block, at)?),
        Kind::Last => Value::Last(Latest {
            time_ns: unzigzag(next_varint(block, at)?),
            position: next_varint(block, at)?,
            value: next_decimal(block, at)?,
        }),
    })
}

/// The kind of a key that is checked, or will be.
fn kind_of(key: &[u8]) -> Option<Kind> {
    key.first().copied().and_then(Kind::of_letter)
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

/// Appends a number, low bits first. Nearly all of them have one byte.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, n: u64) {
    if n < 0x80 { out.push(n as u8) } else { put_wide(out, u128::from(n)) }
}

fn put_decimal(out: &mut Vec<u8>, value: Decimal) {
    let units = value.units();
    put_wide(out, ((units << 1) ^ (units >> 127)).cast_unsigned());
}

fn next_decimal(block: &[u8], at: &mut usize) -> Option<Decimal> {
    let n = next_wide(block, at, 128)?;
    Some(Decimal::from_units((n >> 1).cast_signed() ^ -(n & 1).cast_signed()))
}

fn put_wide(out: &mut Vec<u8>, mut n: u128) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads a number; `None` if it is cut off or has more than 64 bits.
#[inline]
pub fn next_varint(block: &[u8], at: &mut usize) -> Option<u64> {
    let byte = *block.get(*at)?;
    if byte < 0x80 {
        *at += 1;
        return Some(byte.into());
    }
    u64::try_from(next_wide(block, at, 64)?).ok()
}

/// Reads a number of at most `bits` bits.
fn next_wide(block: &[u8], at: &mut usize, bits: u32) -> Option<u128> {
    let mut n = 0_u128;
    for shift in (0..bits).step_by(7) {
        let byte = *block.get(*at)?;
        *at += 1;
        let part = u128::from(byte & 0x7f);
        if part.leading_zeros() < shift {
            return None;
        }
        n |= part << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}
