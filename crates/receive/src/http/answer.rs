//! Answers as JSON, and errors as status codes.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::PushError;
use crate::message::{Acknowledgement, OpenedProducer};

/// What became of a push.
#[derive(Serialize)]
struct PushResponse {
    /// The last message of the producer that is counted; 0 without a producer.
    sequence: u64,
    /// Whether that survives a crash of the store.
    durable: bool,
    /// `exactly_once` or `at_least_once`: what sending it again would do.
    guarantee: &'static str,
    /// Whether it had been counted before; then nothing was counted now.
    duplicate: bool,
    counted: u64,
    filtered: u64,
    /// Records that cannot be counted, by reason.
    rejected: BTreeMap<&'static str, u64>,
}

/// A producer that was opened.
#[derive(Serialize)]
struct OpenResponse {
    /// 16 hexadecimal digits, for the header of each message: as a number it would lose digits in many
    /// programs.
    epoch: String,
    /// The last message that is counted; the next one has the number after it.
    sequence: u64,
    /// What came with that message.
    note: Option<u64>,
    durable: bool,
}

#[derive(Serialize)]
struct ErrorResponse {
    error: String,
    /// The last message that is counted, where some are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
}

/// The answer to a push.
pub(super) fn reply(result: Result<Acknowledgement, PushError>) -> Response {
    match result {
        Ok(acknowledged) => counted(acknowledged),
        Err(error) => failed(&error),
    }
}

/// The answer to a push that is counted.
fn counted(acknowledged: Acknowledgement) -> Response {
    let rejections = acknowledged.rejections.into_iter().map(|r| (r.reason, r.records));
    Json(PushResponse {
        sequence: acknowledged.sequence,
        durable: acknowledged.durable,
        guarantee: if acknowledged.exactly_once { "exactly_once" } else { "at_least_once" },
        duplicate: acknowledged.duplicate,
        counted: acknowledged.records.counted,
        filtered: acknowledged.records.filtered,
        rejected: rejections.collect(),
    })
    .into_response()
}

/// The answer to an opening.
pub(super) fn opened(opened: OpenedProducer) -> Response {
    Json(OpenResponse {
        epoch: format!("{:016x}", opened.state.generation.0),
        sequence: opened.state.position,
        note: opened.state.note,
        durable: opened.durable,
    })
    .into_response()
}

/// An error: for programs its status, for people a sentence.
pub(super) fn failed(error: &PushError) -> Response {
    let sequence = match error {
        PushError::Gap { sequence } => Some(*sequence),
        _ => None,
    };
    let body = Json(ErrorResponse { error: error.to_string(), sequence });
    let mut response = (code(error), body).into_response();
    if let Some(after) = error.retry_after() {
        // Whole seconds, at least one.
        let seconds = HeaderValue::from(after.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn code(error: &PushError) -> StatusCode {
    match error {
        PushError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        PushError::Invalid { .. } | PushError::Damaged { .. } => StatusCode::BAD_REQUEST,
        PushError::TooLarge | PushError::TooManySeries { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        PushError::Fenced | PushError::Gap { .. } => StatusCode::CONFLICT,
        PushError::Unknown => StatusCode::NOT_FOUND,
        PushError::Conflict { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        PushError::Busy => StatusCode::TOO_MANY_REQUESTS,
        PushError::Draining | PushError::NoAggregator | PushError::Unanswered => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
