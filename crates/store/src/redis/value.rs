//! Reading replies of the server. A reply of another shape than the layout prescribes means that
//! something else has written there: the store is damaged, and the message says where.

use ::redis::Value;
use logtally_core::journal::{Mark, Nonce};

use crate::error::StoreError;

/// An error that names what is unreadable.
pub(super) fn unreadable(what: &str) -> StoreError {
    StoreError::Damaged(format!("{what} is unreadable"))
}

/// An array.
pub(super) fn list(value: Value, what: &str) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
        _ => Err(unreadable(what)),
    }
}

/// An array of exactly `N` values.
pub(super) fn fixed<const N: usize>(value: Value, what: &str) -> Result<[Value; N], StoreError> {
    list(value, what)?.try_into().map_err(|_| unreadable(what))
}

/// The field/value pairs of a hash.
pub(super) fn pairs(value: Value, what: &str) -> Result<Vec<(Value, Value)>, StoreError> {
    if let Value::Map(pairs) = value {
        return Ok(pairs);
    }
    let mut values = list(value, what)?.into_iter();
    let mut pairs = Vec::with_capacity(values.len() / 2);
    while let (Some(field), Some(value)) = (values.next(), values.next()) {
        pairs.push((field, value));
    }
    Ok(pairs)
}

/// Bytes; `None` where there is nothing.
pub(super) fn bytes(value: Value, what: &str) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        _ => Err(unreadable(what)),
    }
}

/// Text; `None` where there is nothing.
pub(super) fn text(value: Value, what: &str) -> Result<Option<String>, StoreError> {
    let bytes = bytes(value, what)?;
    bytes.map(|b| String::from_utf8(b).map_err(|_| unreadable(what))).transpose()
}

/// Text that must be there.
pub(super) fn word(value: Value, what: &str) -> Result<String, StoreError> {
    text(value, what)?.ok_or_else(|| unreadable(what))
}

/// A number that must be there, as an integer or in decimal digits.
pub(super) fn number(value: Value, what: &str) -> Result<u64, StoreError> {
    match value {
        Value::Int(n) => u64::try_from(n).map_err(|_| unreadable(what)),
        other => word(other, what)?.parse().map_err(|_| unreadable(what)),
    }
}

/// A random id that must be there, in hexadecimal digits.
pub(super) fn hex(value: Value, what: &str) -> Result<u64, StoreError> {
    u64::from_str_radix(&word(value, what)?, 16).map_err(|_| unreadable(what))
}

/// A place in the journal that must be there, as `seq nonce`.
pub(super) fn mark(value: Value, what: &str) -> Result<Mark, StoreError> {
    Mark::decode(&word(value, what)?).ok_or_else(|| unreadable(what))
}

/// A nonce that must be there.
pub(super) fn nonce(value: Value, what: &str) -> Result<Nonce, StoreError> {
    hex(value, what).map(Nonce)
}

/// The reply to `TIME`, in milliseconds since 1970.
pub(super) fn time_ms(value: Value) -> Result<u64, StoreError> {
    let [seconds, micros] = fixed(value, "the server's time")?;
    let seconds = number(seconds, "the server's time")?;
    Ok(seconds * 1000 + number(micros, "the server's time")? / 1000)
}
