//! The admin listener: probes and own metrics.
//!
//! Runs on its own thread and runtime, so that probes answer while the program is busy, and until
//! its drain is over. Must never wait for anything that the program's work can hold up.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use prometheus::TextEncoder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::connections::{self, ConnectionLimits};
use crate::context::{Context, version};
use crate::page::landing_page;
use crate::text::one_line;

/// The content type of the text format that every Prometheus understands.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The running admin listener. Dropping it is the same as [`stop`](Self::stop).
#[must_use = "probes are answered only as long as this lives"]
pub struct AdminHandle {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Serves `/` (a landing page with `title`), `/metrics`, `/-/healthy` and `/-/ready` on `listener`
/// until the handle is stopped or dropped; cancelling [`Context::shutdown`] only makes it not ready.
///
/// # Panics
///
/// When the system gives no thread or no runtime, in which case the program cannot work either.
pub fn spawn_admin(
    listener: std::net::TcpListener,
    context: Context,
    title: &'static str,
) -> AdminHandle {
    spawn_admin_with(listener, context, title, Extra::default())
}

/// What a program serves beside its probes and metrics.
#[derive(Default)]
pub struct Extra {
    /// Its own routes.
    pub routes: Router,
    /// Addresses and texts for the landing page.
    pub links: Vec<(&'static str, &'static str)>,
}

/// [`spawn_admin`] with routes of the program's own.
///
/// # Panics
///
/// As [`spawn_admin`].
pub fn spawn_admin_with(
    listener: std::net::TcpListener,
    context: Context,
    title: &'static str,
    extra: Extra,
) -> AdminHandle {
    spawn(listener, context, title, extra, LIMITS)
}

impl AdminHandle {
    /// The address that probes reach, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, answers what has been asked, and waits for both, for at most a second.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for AdminHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported and changes nothing here.
            let _ = thread.join();
        }
    }
}

/// What clients, known or not, can make this listener hold.
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 512,
    head_bytes: 64 << 10,
    // A scraper that asks less often connects anew each time, which is cheap.
    head: Duration::from_secs(10),
    // After that the connection ends with its response, so that a client that does not read its
    // responses cannot hold it for ever.
    age: Duration::from_mins(1),
    last_response: Duration::from_secs(1),
};

fn spawn(
    listener: std::net::TcpListener,
    context: Context,
    title: &'static str,
    extra: Extra,
    limits: ConnectionLimits,
) -> AdminHandle {
    let address = listener.local_addr().expect("a listener has an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system has resources for a runtime");
    let stop = CancellationToken::new();
    let router = router(context, title, extra);
    let serve = {
        let stop = stop.clone();
        async move {
            match into_tokio(listener) {
                Ok(listener) => connections::serve(listener, router, limits, &stop).await,
                Err(error) => warn!(%error, "cannot serve the admin listener"),
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || runtime.block_on(serve))
        .expect("the system has resources for a thread");
    info!(%address, "serving probes and metrics");
    AdminHandle { address, stop, thread: Some(thread) }
}

fn into_tokio(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn router(context: Context, title: &'static str, extra: Extra) -> Router {
    let mut links = vec![
        ("/metrics", "Metrics of this process"),
        ("/-/healthy", "Whether it should go on running"),
        ("/-/ready", "Whether it is ready to work"),
    ];
    links.extend(extra.links);
    let page = Html(landing_page(title, version(), &links));
    Router::new()
        .route("/", get(|| async { page }))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .with_state(context)
        .merge(extra.routes)
}

async fn metrics(State(context): State<Context>) -> Response {
    match TextEncoder::new().encode_to_string(&context.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn healthy(State(context): State<Context>) -> impl IntoResponse {
    verdict("healthy", &context.health.reasons())
}

async fn ready(State(context): State<Context>) -> impl IntoResponse {
    let mut reasons = context.readiness.reasons();
    if context.shutdown.is_cancelled() {
        reasons.push(("process", "stopping".to_owned()));
    }
    verdict("ready", &reasons)
}

/// `good` without reasons against it, else one line for each.
fn verdict(good: &str, reasons: &[(&'static str, String)]) -> (StatusCode, String) {
    if reasons.is_empty() {
        return (StatusCode::OK, format!("{good}\n"));
    }
    let line = |(name, why): &(&str, String)| format!("{name}: {}\n", one_line(why));
    (StatusCode::SERVICE_UNAVAILABLE, reasons.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use prometheus::IntCounter;

    use super::*;

    fn start(context: &Context, limits: ConnectionLimits) -> AdminHandle {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        spawn(listener, context.clone(), "<test>", Extra::default(), limits)
    }

    /// Status line, headers and body of the answer to one request.
    fn request(admin: &AdminHandle, line: &str) -> (String, String, String) {
        let mut stream = connect(admin);
        write!(stream, "{line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("answered");
        let (head, body) = response.split_once("\r\n\r\n").expect("a head");
        let (status, headers) = head.split_once("\r\n").expect("headers");
        (status.to_owned(), headers.to_owned(), body.to_owned())
    }

    fn connect(admin: &AdminHandle) -> std::net::TcpStream {
        let stream = std::net::TcpStream::connect(admin.address()).expect("connected");
        // Only a broken listener reaches it; then the test fails instead of hanging.
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        stream
    }

    fn check(admin: &AdminHandle, path: &str, expect_status: &str, expect_body: &str) {
        let (status, _, body) = request(admin, &format!("GET {path}"));
        assert_eq!((status.as_str(), body.as_str()), (expect_status, expect_body), "{path}");
    }

    const OK: &str = "HTTP/1.1 200 OK";
    const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable";

    #[test]
    fn readiness_is_one_line_per_reason() {
        let context = Context::new("test", "1.2.3");
        let admin = start(&context, LIMITS);
        let store = context.readiness.gate("store");
        let ring = context.readiness.gate("ring");
        store.not_ready("refused\r\nring: forged");
        let reasons = "store: refused ring: forged\nring: starting\n";
        check(&admin, "/-/ready", UNAVAILABLE, reasons);
        drop((store, ring));
        check(&admin, "/-/ready", OK, "ready\n");
    }

    #[test]
    fn a_stopping_process_is_healthy_and_not_ready() {
        let context = Context::new("test", "1.2.3");
        let admin = start(&context, LIMITS);
        context.shutdown.cancel();
        check(&admin, "/-/ready", UNAVAILABLE, "process: stopping\n");
        check(&admin, "/-/healthy", OK, "healthy\n");
    }

    #[test]
    fn a_silent_watchdog_is_not_healthy() {
        let context = Context::new("test", "1.2.3");
        let admin = start(&context, LIMITS);
        let _steady = context.health.watchdog("steady", Duration::MAX);
        let _silent = context.health.watchdog("silent", Duration::ZERO);
        let (status, _, body) = request(&admin, "GET /-/healthy");
        assert_eq!(status, UNAVAILABLE);
        assert!(
            body.starts_with("silent: no heartbeat for ") && body.lines().count() == 1,
            "{body}"
        );
        check(&admin, "/-/ready", OK, "ready\n");
    }

    #[test]
    fn metrics_have_the_content_type_of_their_format() {
        let context = Context::new("test", "1.2.3");
        let counter = IntCounter::new("logtally_test_total", "A test.").expect("valid");
        context.registry.register(Box::new(counter.clone())).expect("new");
        counter.inc();
        let admin = start(&context, LIMITS);
        let (status, headers, body) = request(&admin, "GET /metrics");
        assert_eq!(status, OK);
        let content_type = "content-type: text/plain; version=0.0.4; charset=utf-8";
        assert!(headers.lines().any(|header| header == content_type), "{headers}");
        let family = "# HELP logtally_test_total A test.\n# TYPE logtally_test_total counter\n\
                      logtally_test_total 1\n";
        assert!(body.contains(family), "{body}");
    }

    #[test]
    fn the_landing_page_links_to_everything() {
        let admin = start(&Context::new("test", "1.2.3"), LIMITS);
        let (status, headers, body) = request(&admin, "GET /");
        assert_eq!(status, OK);
        assert!(headers.contains("content-type: text/html; charset=utf-8"), "{headers}");
        assert!(body.contains("<h1>&lt;test&gt;</h1>") && body.contains(version()), "{body}");
        for path in ["/metrics", "/-/healthy", "/-/ready"] {
            assert!(body.contains(&format!("href=\"{path}\"")), "{body}");
            assert_eq!(request(&admin, &format!("GET {path}")).0, OK);
        }
    }

    #[test]
    fn other_requests_are_refused() {
        let admin = start(&Context::new("test", "1.2.3"), LIMITS);
        assert_eq!(request(&admin, "GET /other").0, "HTTP/1.1 404 Not Found");
        assert_eq!(request(&admin, "POST /metrics").0, "HTTP/1.1 405 Method Not Allowed");
        let (status, _, body) = request(&admin, "HEAD /-/ready");
        assert_eq!((status.as_str(), body.as_str()), (OK, ""));
    }

    #[test]
    fn half_a_request_ends_with_its_time() {
        let limits = ConnectionLimits { head: Duration::from_millis(20), ..LIMITS };
        let admin = start(&Context::new("test", "1.2.3"), limits);
        let mut stream = connect(&admin);
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHos").expect("sent");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("closed by the listener");
        check(&admin, "/-/healthy", OK, "healthy\n");
    }

    #[test]
    fn a_connection_that_lasts_makes_room_in_the_end() {
        let limits = ConnectionLimits { connections: 1, age: Duration::from_millis(20), ..LIMITS };
        let admin = start(&Context::new("test", "1.2.3"), limits);
        let _idle = connect(&admin);
        check(&admin, "/-/healthy", OK, "healthy\n");
    }

    #[test]
    fn stopping_closes_idle_connections_and_the_port() {
        let admin = start(&Context::new("test", "1.2.3"), LIMITS);
        let address = admin.address();
        let mut idle = connect(&admin);
        write!(idle, "HEAD /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").expect("sent");
        let mut first = [0];
        idle.read_exact(&mut first).expect("answered");
        admin.stop();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).expect("closed by the listener");
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
