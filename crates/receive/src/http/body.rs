//! The body of a request: into memory as soon as there is room for it, and unpacked within a bound.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use logtally_core::limits::PUSH_BYTES_MAX;

use super::request::header;
use crate::budget::{Budget, Permit};
use crate::error::PushError;

/// How long a body may take to arrive, once there is room for it.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Reads a body. Room is made first: for what it says to have, or for as much as it may have.
pub(super) async fn read(
    budget: &Budget,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Permit), PushError> {
    let packed = match header(headers, "content-encoding")?.trim() {
        "" | "identity" => false,
        "gzip" | "x-gzip" => true,
        other => {
            let text = format!("`{other}` is not understood; send gzip, or nothing of the kind");
            return Err(PushError::unsupported("content-encoding", text));
        }
    };
    let stated = header(headers, "content-length")?.parse().ok();
    let room = if packed { PUSH_BYTES_MAX } else { stated.unwrap_or(PUSH_BYTES_MAX) };
    let permit = budget.try_wait(room).await?;
    let reading = Limited::new(body, PUSH_BYTES_MAX).collect();
    let read = tokio::time::timeout(BODY_TIME_MAX, reading).await;
    let late = || PushError::invalid("body", format!("not there within {BODY_TIME_MAX:?}"));
    let bytes = match read.map_err(|_| late())? {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(PushError::TooLarge),
        Err(error) => return Err(PushError::invalid("body", format!("cannot be read: {error}"))),
    };
    let bytes = if packed { unpack(bytes).await? } else { bytes };
    Ok((bytes, permit))
}

async fn unpack(packed: Bytes) -> Result<Bytes, PushError> {
    let work = move || {
        let mut bytes = Vec::new();
        let limit = PUSH_BYTES_MAX as u64 + 1;
        let read = MultiGzDecoder::new(&packed[..]).take(limit).read_to_end(&mut bytes);
        match read {
            Ok(_) if bytes.len() > PUSH_BYTES_MAX => Err(PushError::TooLarge),
            Ok(_) => Ok(bytes.into()),
            Err(error) => Err(PushError::invalid("body", format!("not valid gzip: {error}"))),
        }
    };
    // It only fails if it panics, which has been reported.
    tokio::task::spawn_blocking(work).await.map_err(|_| PushError::Unanswered)?
}
