//! The HTTP listener for pushes, for those who have only curl, and for those who know the Pushgateway.
//!
//! It translates; nothing is decided here.

mod answer;

mod body;

mod gateway;

mod lines;

use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use logtally_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use logtally_service::connections::{self, ConnectionLimits};
use logtally_service::{Context, landing_page, version};
use tokio::net::TcpListener;

use super::Push;
use super::message::PushError;

/// What clients may take of the listener.
const LIMITS: ConnectionLimits = ConnectionLimits {
    // What they send is bounded by the memory for pushes; each connection costs a few kilobytes.
    connections: 2048,
    // Names of groups stand in the path: more than all labels at their longest, encoded.
    head_bytes: 128 << 10,
    head: Duration::from_secs(30),
    // Now and then a client connects anew, and with that finds another replica.
    age: Duration::from_mins(5),
    last_response: Duration::from_secs(5),
};

/// Takes pushes until the context's shutdown.
pub async fn serve(listener: TcpListener, push: Push, context: &Context) {
    connections::serve(listener, router(push), LIMITS, &context.shutdown).await;
}

fn router(push: Push) -> Router {
    let links = [
        ("/api/groups", "Groups of pushed metrics"),
        ("/push", "POST records: text/csv, application/x-ndjson or text/plain"),
        ("/metrics/job/example", "POST metrics of batch jobs, DELETE them"),
    ];
    let page = Html(landing_page("logtally: pushes", version(), &links));
    Router::new()
        .route("/", get(async || page))
        .route("/push", post(lines::push))
        .route("/producers/{*name}", post(lines::open))
        .route("/metrics/{*group}", post(gateway::push).put(gateway::push).delete(gateway::delete))
        .route("/api/groups", get(gateway::list))
        .fallback(async || (StatusCode::NOT_FOUND, "no such page\n").into_response())
        .with_state(push)
}

/// What the address says behind the question mark.
fn query<T>(wanted: Result<Query<T>, QueryRejection>) -> Result<T, PushError> {
    let wanted = wanted.map_err(|error| PushError::invalid("query", error.body_text()));
    wanted.map(|Query(wanted)| wanted)
}

/// The value of a header as text; empty if it is not there.
fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, PushError> {
    let value = headers.get(name).map_or(Ok(""), |value| value.to_str());
    value.map_err(|_| PushError::invalid(name, "the header has characters other than ASCII"))
}

/// The idempotency key, if there is one. Quotes around it, as the draft of the header has them, are not
/// part of it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Vec<u8>>, PushError> {
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
fn media_type(headers: &HeaderMap) -> Result<String, PushError> {
    let value = header(headers, "content-type")?;
    Ok(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
