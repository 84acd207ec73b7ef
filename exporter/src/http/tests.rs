//! The pages as a client sees them.

use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use flate2::read::GzDecoder;
use http_body::Body as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::serve;
use crate::testing::{World, own};

/// A running exporter.
struct Server {
    world: Arc<World>,
    context: Context,
    address: SocketAddr,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// An answer.
struct Answer {
    status: String,
    headers: String,
    body: Vec<u8>,
}

impl Server {
    async fn start() -> Self {
        let world = World::new(2).await;
        let (exporter, context) = world.exporter();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = context.clone();
        let serving = tokio::spawn(async move { serve(listener, exporter, &shared).await });
        Self { world, context, address, serving }
    }

    async fn request(&self, line: &str, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        let head = format!("{line} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.expect("sends");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("is answered");
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).expect("a head is text");
        let (status, headers) = head.split_once("\r\n").expect("headers");
        let status = status.trim_start_matches("HTTP/1.1 ").to_owned();
        Answer { status, headers: headers.to_owned(), body: answer[end + 4..].to_vec() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), "").await
    }

    async fn stop(self) {
        self.context.shutdown.cancel();
        self.serving.await.expect("no panic").expect("ends in order");
    }
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn has(&self, header: &str) -> bool {
        self.headers.lines().any(|line| line.eq_ignore_ascii_case(header))
    }
}

const PAGE: &str = "# HELP log_lines Lines\n# TYPE log_lines gauge\nlog_lines{host=\"a\"} 5\n";

#[tokio::test]
async fn pages_come_in_the_form_that_was_asked_for() {
    let server = Server::start().await;
    server.world.count("a", 5).await;
    let plain = server.get("/metrics").await;
    assert_eq!((plain.status.as_str(), plain.text()), ("200 OK", PAGE));
    assert!(plain.has("content-type: text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.has("vary: Accept, Accept-Encoding"));
    assert!(plain.has(&format!("content-length: {}", PAGE.len())), "{}", plain.headers);
    let accept = "Accept: application/openmetrics-text;version=1.0.0\r\n";
    let open = server.request("GET /metrics", accept).await;
    assert_eq!(open.text(), format!("{PAGE}# EOF\n"));
    let content_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(open.has(content_type), "{}", open.headers);
    let small = server.request("GET /metrics", "Accept-Encoding: gzip\r\n").await;
    assert!(small.has("content-encoding: gzip") && small.has("vary: Accept, Accept-Encoding"));
    let mut text = String::new();
    GzDecoder::new(&small.body[..]).read_to_string(&mut text).expect("readable");
    assert_eq!(text, PAGE);
    assert!((own(&server.context, "scrapes_total") - 3.0).abs() < 0.1);
    server.stop().await;
}

#[tokio::test]
async fn other_pages_and_methods() {
    let server = Server::start().await;
    let root = server.get("/").await;
    assert!(root.has("content-type: text/html; charset=utf-8") && root.text().contains("/metrics"));
    assert_eq!(server.get("/-/healthy").await.text(), "healthy\n");
    assert_eq!(server.get("/other").await.status, "404 Not Found");
    let post = server.request("POST /metrics", "Content-Length: 0\r\n").await;
    assert_eq!(post.status, "405 Method Not Allowed");
    let head = server.request("HEAD /metrics", "").await;
    assert_eq!((head.status.as_str(), head.body.len()), ("200 OK", 0));
    server.stop().await;
}

#[tokio::test]
async fn without_a_page_there_is_one_line_that_says_why() {
    let server = Server::start().await;
    server.world.is_away.store(true, Ordering::Relaxed);
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, "503 Service Unavailable");
    assert_eq!(answer.text(), "the store is not available: connection refused\n");
    assert!(answer.has("content-type: text/plain; charset=utf-8"), "{}", answer.headers);
    let ready = server.get("/-/ready").await;
    assert_eq!(ready.status, "503 Service Unavailable");
    assert_eq!(ready.text(), "view: the store is not available: connection refused\n");
    assert_eq!(server.get("/-/healthy").await.status, "200 OK", "a restart would not help");
    server.stop().await;
}

#[tokio::test]
async fn a_scrape_does_not_wait_longer_than_its_scraper() {
    let server = Server::start().await;
    server.get("/metrics").await;
    let _gate = server.world.put_gate();
    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 0.01\r\n";
    let answer = server.request("GET /metrics", timeout).await;
    assert_eq!(answer.status, "503 Service Unavailable");
    let reason = "the store did not answer, or too many scrapes were waiting\n";
    assert_eq!(answer.text(), reason);
    server.stop().await;
}

#[tokio::test]
async fn a_process_becomes_ready_without_a_scrape() {
    let server = Server::start().await;
    server.world.is_away.store(true, Ordering::Relaxed);
    assert_eq!(server.get("/metrics").await.status, "503 Service Unavailable");
    server.world.is_away.store(false, Ordering::Relaxed);
    let ready = async {
        while server.get("/-/ready").await.status != "200 OK" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ready).await.expect("becomes ready");
    server.stop().await;
}

#[tokio::test]
async fn pages_that_nobody_takes_hold_up_only_so_many_turns() {
    let world = World::new(1).await;
    let (exporter, _context) = world.exporter();
    world.count("a", 5).await;
    let scrapes = Scrapes { exporter, turns: Arc::new(Semaphore::new(SCRAPES_MAX)) };
    let form = negotiate(&HeaderMap::new()).form;
    let mut pages = Vec::new();
    for _ in 0..SCRAPES_MAX {
        pages.push(scrapes.page(form).await.expect("served"));
    }
    assert_eq!(scrapes.turns.available_permits(), 0);
    let mut one = pages.pop().expect("some");
    let part = std::future::poll_fn(|cx| Pin::new(&mut one).poll_frame(cx)).await;
    drop(one);
    assert_eq!(scrapes.turns.available_permits(), 0, "a part of it is not sent yet");
    drop(part);
    assert_eq!(scrapes.turns.available_permits(), 1);
    drop(pages);
    assert_eq!(scrapes.turns.available_permits(), SCRAPES_MAX);
}

#[test]
fn paths() {
    for good in ["/metrics", "/a/b-c_d.e~f", "/-"] {
        assert_eq!(good.parse::<TelemetryPath>().as_ref().map(TelemetryPath::as_str), Ok(good));
    }
    for bad in ["", "metrics", "/", "/-/ready", "/{x}", "/a?b", "/*rest", "/a b"] {
        assert!(bad.parse::<TelemetryPath>().is_err(), "{bad}");
    }
}

#[test]
fn a_scraper_says_how_long_it_waits() {
    let check = |value: &str, expect: Duration| {
        let name = "x-prometheus-scrape-timeout-seconds";
        let headers = [(name.parse().expect("a name"), value.parse().expect("a value"))];
        assert_eq!(wait_max(&headers.into_iter().collect()), expect, "{value}");
    };
    assert_eq!(wait_max(&HeaderMap::new()), WAIT_DEFAULT);
    check("2.5", Duration::from_millis(2500));
    check("3600", WAIT_MAX);
    for nonsense in ["", "soon", "-1", "NaN", "inf"] {
        check(nonsense, WAIT_DEFAULT);
    }
}
