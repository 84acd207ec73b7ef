//! `POST /push` and `POST /producers/NAME`: log lines over HTTP.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use logtally_core::limits::POSITION_MAX;
use logtally_core::push::{ProducerName, Scope};
use serde::Deserialize;

use super::request::{self, header, idempotency_key, media_type};
use super::{answer, body};
use crate::error::PushError;
use crate::message::{Acknowledgement, Sender};
use crate::push::{Push, PushedRecords, replied};

/// What the address of a push says.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PushQuery {
    /// The push input.
    input: String,
    /// The format; else that of the body's media type, else that of the input.
    format: String,
}

/// Opens a producer.
pub(super) async fn open(State(push): State<Push>, Path(name): Path<String>) -> Response {
    let opened = async {
        let name = ProducerName::new(&name);
        push.open(name.map_err(|error| PushError::invalid("producer", error))?).await
    };
    match opened.await {
        Ok(opened) => answer::opened(opened),
        Err(error) => answer::failed(&error),
    }
}

/// Counts a body of records.
pub(super) async fn push(
    State(push): State<Push>,
    query: Result<Query<PushQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let counted = async {
        let query = request::query(query)?;
        count(&push, query, &headers, body).await
    };
    answer::reply(counted.await)
}

async fn count(
    push: &Push,
    query: PushQuery,
    headers: &HeaderMap,
    body: Body,
) -> Result<Acknowledgement, PushError> {
    let format = match query.format {
        format if format.is_empty() => format_of(&media_type(headers)?)?.to_owned(),
        format => format,
    };
    let sender = sender(headers)?;
    let hash = match header(headers, "logtally-content-hash")? {
        "" => None,
        text => Some(hexadecimal("logtally-content-hash", text)?),
    };
    let (bytes, permit) = body::read(push.budget(), headers, body).await?;
    let records = PushedRecords { input: query.input, format, bytes };
    replied(push.records(sender, records, hash, permit).await?).await
}

/// The format that a media type means; empty for the input's own. What curl sends by itself says
/// nothing.
fn format_of(media_type: &str) -> Result<&'static str, PushError> {
    match media_type {
        "text/csv" => Ok("csv"),
        "text/tab-separated-values" => Ok("tsv"),
        "application/json" | "application/x-ndjson" | "application/jsonl" => Ok("json"),
        "" | "text/plain" | "application/octet-stream" | "application/x-www-form-urlencoded" => {
            Ok("")
        }
        other => {
            let text = format!(
                "`{other}` is not understood; send text/csv, application/x-ndjson or text/plain"
            );
            Err(PushError::unsupported("content-type", text))
        }
    }
}

fn sender(headers: &HeaderMap) -> Result<Sender, PushError> {
    let key = idempotency_key(headers)?;
    let name = header(headers, "logtally-producer")?;
    match (name, key) {
        ("", Some(key)) => Ok(Sender::Key { scope: Scope::Lines, key }),
        ("", None) if headers.contains_key("logtally-sequence") => {
            let text = "a message with a sequence needs the name of its producer";
            Err(PushError::invalid("logtally-producer", text))
        }
        ("", None) => Ok(Sender::Anonymous { scope: Scope::Lines }),
        (_, Some(_)) => {
            let text = "a message of a producer has its sequence number, and no key";
            Err(PushError::invalid("idempotency-key", text))
        }
        (name, None) => {
            let name = ProducerName::new(name);
            Ok(Sender::Producer {
                name: name.map_err(|e| PushError::invalid("logtally-producer", e))?,
                epoch: hexadecimal("logtally-epoch", header(headers, "logtally-epoch")?)?,
                sequence: number("logtally-sequence", header(headers, "logtally-sequence")?)?,
                note: match header(headers, "logtally-note")? {
                    "" => None,
                    text => Some(number("logtally-note", text)?),
                },
            })
        }
    }
}

fn number(name: &'static str, text: &str) -> Result<u64, PushError> {
    let number = text.trim().parse().ok().filter(|number| *number <= POSITION_MAX);
    number.ok_or_else(|| {
        PushError::invalid(name, format!("`{text}` is not a whole number below 2^53"))
    })
}

fn hexadecimal(name: &'static str, text: &str) -> Result<u64, PushError> {
    let number = u64::from_str_radix(text.trim(), 16);
    number.map_err(|_| PushError::invalid(name, format!("`{text}` is not 16 hexadecimal digits")))
}
