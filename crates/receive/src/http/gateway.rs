//! `/metrics/job/…`: metrics of batch jobs, as the Pushgateway takes them; and their groups.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{OriginalUri, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use logtally_core::duration;
use logtally_core::hash::hash64;
use logtally_core::push::{Group, Scope};
use logtally_core::series::Family;
use logtally_exposition::group;
use logtally_proto::v1;
use serde::{Deserialize, Serialize};

use super::request::{self, idempotency_key, media_type};
use super::{answer, body};
use crate::error::PushError;
use crate::groups::{group_failure, group_push};
use crate::message::{Acknowledgement, Message, Sender};
use crate::push::{Push, replied};
use logtally_count::tally::Counted;

/// What the address of a push says beside its group.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GroupPushQuery {
    /// After what time without a push its series are hidden.
    ttl: String,
}

/// A group, as it is listed.
#[derive(Serialize)]
struct Listed {
    labels: serde_json::Map<String, serde_json::Value>,
    series: u64,
    push_time_seconds: String,
    push_failure_time_seconds: String,
    /// Whether its time-to-live is over.
    hidden: bool,
}

/// Adds a body of metrics to a group.
pub(super) async fn push(
    State(push): State<Push>,
    OriginalUri(uri): OriginalUri,
    query: Result<Query<GroupPushQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let counted = async {
        let query = request::query(query)?;
        count(&push, &uri, &query, &headers, body).await
    };
    answer::reply(counted.await)
}

async fn count(
    push: &Push,
    uri: &Uri,
    query: &GroupPushQuery,
    headers: &HeaderMap,
    body: Body,
) -> Result<Acknowledgement, PushError> {
    let group = group_of(uri)?;
    let ttl_s = ttl_s(&query.ttl)?;
    check_type(&media_type(headers)?)?;
    let scope = Scope::Group(group.clone());
    let sender = match idempotency_key(headers)? {
        Some(key) => Sender::Key { scope, key },
        None => Sender::Anonymous { scope },
    };
    let (bytes, permit) = body::read(push.budget(), headers, body).await?;
    let hash = hash64(&bytes);
    let now_ns = now_ns();
    let counted =
        group_push(&group, &bytes, ttl_s, now_ns).map_err(|e| PushError::invalid("body", e));
    match counted.and_then(|counted| check_names(push, counted)) {
        Ok(counted) => {
            let message = Message { sender, hash, counted, rejections: Vec::new(), permit };
            replied(push.message(message).await?).await
        }
        Err(error) => {
            push.metrics().note_refused(&error);
            let counted = group_failure(&group, ttl_s, now_ns);
            let sender = Sender::Anonymous { scope: Scope::Group(group) };
            let failure = Message { sender, hash, counted, rejections: Vec::new(), permit };
            // That it is noted does not matter to who pushed; if it cannot be, the error says enough.
            if let Ok(pending) = push.message(failure).await {
                let _ = replied(pending).await;
            }
            Err(error)
        }
    }
}

/// A metric of a rule cannot be pushed as well: if the kinds differ, a page can show only one of them.
fn check_names(push: &Push, counted: Counted) -> Result<Counted, PushError> {
    let plan = push.plan();
    let rules = || plan.inputs.iter().flat_map(|input| input.rules.rules());
    let of_rule = |family: &&Arc<Family>| rules().any(|rule| rule.family.name == family.name);
    match counted.families.iter().find(of_rule) {
        None => Ok(counted),
        Some(family) => {
            let text =
                format!("`{}` is the metric of a rule; push it by another name", family.name);
            Err(PushError::invalid("body", text))
        }
    }
}

/// Forgets a group.
pub(super) async fn delete(State(push): State<Push>, OriginalUri(uri): OriginalUri) -> Response {
    let deleted = async { push.groups().delete(&group_of(&uri)?).await };
    match deleted.await {
        Ok(series) => {
            (StatusCode::ACCEPTED, Json(serde_json::json!({ "series": series }))).into_response()
        }
        Err(error) => answer::failed(&error),
    }
}

/// Lists all groups.
pub(super) async fn list(State(push): State<Push>) -> Response {
    match push.groups().list().await {
        Ok(groups) => Json(groups.into_iter().map(listed).collect::<Vec<_>>()).into_response(),
        Err(error) => answer::failed(&error),
    }
}

fn listed(group: v1::PushedGroup) -> Listed {
    let labels = group.labels.into_iter().map(|label| (label.name, label.value.into()));
    Listed {
        labels: labels.collect(),
        series: group.series,
        push_time_seconds: group.push_time_seconds,
        push_failure_time_seconds: group.push_failure_time_seconds,
        hidden: group.hidden,
    }
}

/// The group that a path names. The path as it was sent: a value may have an encoded slash.
fn group_of(uri: &Uri) -> Result<Group, PushError> {
    let path = uri.path().strip_prefix("/metrics/").unwrap_or_default();
    group(path).map_err(|error| PushError::invalid("path", error))
}

fn ttl_s(text: &str) -> Result<u64, PushError> {
    if text.is_empty() {
        return Ok(0);
    }
    let ttl = duration::parse(text).map_err(|error| PushError::invalid("ttl", error))?;
    match ttl.as_secs() {
        0 => Err(PushError::invalid(
            "ttl",
            "a time-to-live is at least a second; for never, leave it out",
        )),
        seconds => Ok(seconds),
    }
}

fn check_type(media_type: &str) -> Result<(), PushError> {
    match media_type {
        "" | "text/plain" | "application/x-www-form-urlencoded" | "application/octet-stream" => {
            Ok(())
        }
        other => {
            let text = format!(
                "`{other}` is not understood; send the text format of Prometheus as text/plain"
            );
            Err(PushError::unsupported("content-type", text))
        }
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
