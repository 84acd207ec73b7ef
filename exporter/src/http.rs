//! The pages over HTTP.
//!
//! Must never show anything of this replica on the page of counts, and must never give more than a
//! fixed number of pages away at the same time.

mod negotiate;

#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use logtally_core::limits::SCRAPES_MAX;
use logtally_service::connections::{self, ConnectionLimits};
use logtally_service::{Context, landing_page, version};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::negotiate::{Offered, negotiate};
use crate::exporter::Exporter;
use crate::page::{Form, PageBody};

/// How long a scrape waits for the store and for its turn if it does not say how long it may take:
/// the default scrape timeout of Prometheus.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// What clients may take of the listener.
const LIMITS: ConnectionLimits = ConnectionLimits {
    // Some scrapers and some people; each connection costs a few kilobytes.
    connections: 256,
    // A hundred times what Prometheus sends.
    head_bytes: 64 << 10,
    // A scraper that asks less often connects anew each time, which is cheap.
    head: Duration::from_secs(30),
    // With the next line: a client that does not read holds a page for 80 s at most.
    age: Duration::from_mins(1),
    // 70 MB, a page of a million series, at 28 Mbit/s.
    last_response: Duration::from_secs(20),
};

/// How long a scrape may wait at most, whatever it says.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// The path of the page of counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TelemetryPath(String);

impl Default for TelemetryPath {
    fn default() -> Self {
        Self("/metrics".to_owned())
    }
}

impl TelemetryPath {
    /// The path as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TelemetryPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if !text.starts_with('/') || !text.chars().all(is_plain) {
            return Err("a path begins with `/` and has letters, digits and - _ . ~ only");
        }
        if text == "/" || text.starts_with("/-/") {
            return Err("`/` and paths below `/-/` are taken");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Serves pages until the shutdown of the process.
pub(crate) async fn serve(
    listener: TcpListener,
    exporter: Exporter,
    path: &TelemetryPath,
    context: &Context,
) {
    let router = router(exporter, path, context);
    connections::serve(listener, router, LIMITS, &context.shutdown).await;
}

fn router(exporter: Exporter, path: &TelemetryPath, context: &Context) -> Router {
    let scrapes = Scrapes { exporter, turns: Arc::new(Semaphore::new(SCRAPES_MAX)) };
    let links = [
        (path.as_str(), "Counts"),
        ("/-/healthy", "Whether this process should go on running"),
        ("/-/ready", "Whether it knows the counts"),
    ];
    let page = Html(landing_page("logtally-exporter", version(), &links));
    let (healthy, ready) = (context.health.clone(), context.readiness.clone());
    Router::new()
        .route("/", get(async || page))
        .route("/-/healthy", get(async move || verdict("healthy", &healthy.reasons())))
        .route("/-/ready", get(async move || verdict("ready", &ready.reasons())))
        .route(path.as_str(), get(scrape).with_state(scrapes))
        .fallback(async || (StatusCode::NOT_FOUND, "no such page\n"))
}

fn verdict(good: &str, reasons: &[(&'static str, String)]) -> (StatusCode, String) {
    if reasons.is_empty() {
        return (StatusCode::OK, format!("{good}\n"));
    }
    let line = |(name, why): &(&str, String)| format!("{name}: {}\n", one_line(why));
    (StatusCode::SERVICE_UNAVAILABLE, reasons.iter().map(line).collect())
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[derive(Clone)]
struct Scrapes {
    exporter: Exporter,
    turns: Arc<Semaphore>,
}

async fn scrape(State(scrapes): State<Scrapes>, headers: HeaderMap) -> Response {
    let start = Instant::now();
    let offer = negotiate(&headers);
    let answer = tokio::time::timeout(wait_max(&headers), scrapes.page(offer.form)).await;
    let late = || Err("the store did not answer, or too many scrapes were waiting".to_owned());
    let response = match answer.unwrap_or_else(|_| late()) {
        Ok(page) => page_response(offer, page),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, one_line(&reason) + "\n").into_response(),
    };
    let metrics = scrapes.exporter.metrics();
    metrics.scrapes.with_label_values(&[response.status().as_str()]).inc();
    metrics.scrape_seconds.observe(start.elapsed().as_secs_f64());
    response
}

impl Scrapes {
    async fn page(&self, form: Form) -> Result<PageBody, String> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|e| e.to_string())?;
        let page = self.exporter.page(form).await.map_err(|e| e.to_string())?;
        Ok(PageBody::new(page, turn))
    }
}

/// A scraper that has given up needs no page; Prometheus says when that is.
fn wait_max(headers: &HeaderMap) -> Duration {
    let header = headers.get("x-prometheus-scrape-timeout-seconds");
    let seconds = header.and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    wait.unwrap_or(WAIT_DEFAULT).min(WAIT_MAX)
}

fn page_response(offer: Offered, page: PageBody) -> Response {
    let mut response = Body::new(page).into_response();
    let headers = response.headers_mut();
    if let Ok(content_type) = offer.content_type.try_into() {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if offer.form.gzip {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    let vary = header::HeaderValue::from_static("Accept, Accept-Encoding");
    headers.insert(header::VARY, vary);
    response
}
