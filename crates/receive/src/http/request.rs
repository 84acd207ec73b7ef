//! What the address and the headers of a request say.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use logtally_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;

use crate::error::PushError;

/// What the address says behind the question mark.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, PushError> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(PushError::invalid("query", error.body_text())),
    }
}

/// The value of a header as text; empty if it is not there.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, PushError> {
    let value = headers.get(name).map_or(Ok(""), |value| value.to_str());
    value.map_err(|_| PushError::invalid(name, "the header has characters other than ASCII"))
}

/// The idempotency key, if there is one. Quotes around it, as the draft of the header has them, are not
/// part of it.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<Vec<u8>>, PushError> {
    const NAME: &str = "idempotency-key";
    if !headers.contains_key(NAME) {
        return Ok(None);
    }
    let text = header(headers, NAME)?.trim();
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let text = format!("a key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(PushError::invalid(NAME, text));
    }
    Ok(Some(key.as_bytes().to_vec()))
}

/// The media type without its parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> Result<String, PushError> {
    let value = header(headers, "content-type")?;
    Ok(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
