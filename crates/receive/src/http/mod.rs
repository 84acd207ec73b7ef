//! The HTTP listener for pushes, for those who have only curl, and for those who know the Pushgateway.
//!
//! It translates; nothing is decided here.

mod answer;

mod body;

mod gateway;

mod lines;

mod request;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use logtally_service::connections::{self, ConnectionLimits};
use logtally_service::{Context, landing_page, version};
use tokio::net::TcpListener;

use crate::push::Push;

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
pub(crate) async fn serve(listener: TcpListener, push: Push, context: &Context) {
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
