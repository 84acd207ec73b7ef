//! Pushes over HTTP, and whatever else is sent to that port: every answer has a status that says what
//! was wrong, nothing that was refused counts, and everybody else goes on.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use logtally_e2e::cluster::{Cluster, Layout, assert_page_exact};
use logtally_e2e::http::{self, Response, head};
use logtally_e2e::recount::Recount;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(20);
const BODY_MAX: usize = 2 << 20;
const PEAK_KIB_MAX: u64 = 150 << 10;
const CSV: (&str, &str) = ("Content-Type", "text/csv");
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");
const GHOST: &[u8] = b"ghost,job\n";
const LINE: &[u8] = b"good,job\n";

struct Scene {
    cluster: Cluster,
    recount: Recount,
}

impl Scene {
    fn start() -> Self {
        let layout = Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() };
        let mut cluster = Cluster::prepare(layout);
        cluster.start();
        Self { cluster, recount: Recount::default() }
    }

    fn http_port(&self) -> u16 {
        self.cluster.ingests[0].push
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let answer = http::send(self.http_port(), method, path, headers, body);
        answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// What has to be counted as these lines. Returns the answer.
    fn counted(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        lines: &[u8],
    ) -> Value {
        let answer = self.send("POST", path, headers, body);
        assert_eq!(answer.status, 200, "{path} {headers:?}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        self.recount.add(lines);
        let counted: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert_eq!(counted["durable"], json!(true), "{counted}");
        counted
    }

    /// What has to be refused with one of these statuses. Then the others go on.
    fn refused(&mut self, what: &str, statuses: &[u16], answer: &Response) {
        assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        self.others_go_on();
    }

    fn push_refused(&mut self, what: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let answer = self.send("POST", "/push", headers, body);
        let text: Value = serde_json::from_str(&answer.text()).expect("JSON");
        assert!(text["error"].as_str().is_some_and(|e| !e.is_empty()), "{what}: {text}");
        self.refused(what, &[status], &answer);
    }

    fn others_go_on(&mut self) {
        self.counted("/push", &[CSV], LINE, LINE);
    }

    fn end_exact(mut self) {
        self.cluster.wait_for_records(self.recount.records, WITHIN);
        let page = http::get(self.cluster.exporters[0].port, "/metrics").expect("a page");
        assert_page_exact(&self.recount, &page.text());
        let peak = self.cluster.ingests[0].program.peak_memory_kib().expect("a running ingest");
        println!("peak memory of the ingest: {peak} KiB");
        assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
        self.cluster.assert_all_running();
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("compressing");
    encoder.finish().expect("compressing")
}

#[test]
fn every_form_of_a_push_is_counted() {
    let mut scene = Scene::start();
    let json = b"{\"host\":\"good\",\"job_name\":\"job\"}\n";
    let ndjson = ("Content-Type", "application/x-ndjson");
    let forms: [(&str, &[_], &[u8]); 8] = [
        ("/push", &[CSV], LINE),
        ("/push", &[("Content-Type", "text/csv; charset=utf-8")], LINE),
        ("/push", &[], LINE),
        ("/push", &[ndjson], json),
        ("/push?format=json", &[("Content-Type", "text/plain")], json),
        ("/push?format=logfmt", &[], b"host=good job_name=job\n"),
        ("/push?format=tsv", &[], b"good\tjob\n"),
        ("/push", &[CSV], b"job_name,host\njob,good\n"),
    ];
    for (path, headers, body) in forms {
        let answer = scene.counted(path, headers, body, LINE);
        assert_eq!((&answer["counted"], &answer["rejected"]), (&json!(1), &json!({})), "{answer}");
        assert_eq!(answer["guarantee"], json!("at_least_once"));
        let packed = [headers, &[GZIP]].concat();
        scene.counted(path, &packed, &gzip(body), LINE);
    }
    scene.end_exact();
}

#[test]
fn producers_and_keys_count_once() {
    let mut scene = Scene::start();
    let opened = scene.send("POST", "/producers/team/app", &[], b"");
    assert_eq!(opened.status, 200, "{}", opened.text());
    let opened: Value = serde_json::from_str(&opened.text()).expect("JSON");
    assert_eq!(opened["sequence"], json!(0), "{opened}");
    let epoch = opened["epoch"].as_str().expect("an epoch").to_owned();
    let of = |sequence| {
        let producer = [("Logtally-Producer", "team/app"), ("Logtally-Epoch", &*epoch)];
        [&producer[..], &[("Logtally-Sequence", sequence), CSV]].concat()
    };
    let first = scene.counted("/push", &of("1"), LINE, LINE);
    assert_eq!((&first["sequence"], &first["duplicate"]), (&json!(1), &json!(false)));
    assert_eq!(first["guarantee"], json!("exactly_once"));
    let again = scene.counted("/push", &of("1"), LINE, b"");
    assert_eq!((&again["duplicate"], &again["counted"]), (&json!(true), &json!(0)), "{again}");
    scene.push_refused("other content", 422, &of("1"), GHOST);
    let gap = scene.send("POST", "/push", &of("3"), GHOST);
    let text: Value = serde_json::from_str(&gap.text()).expect("JSON");
    assert_eq!((gap.status, &text["sequence"]), (409, &json!(1)), "it says where to go on");
    for wrong in ["0", "-1", "one", "", "9007199254740992"] {
        scene.push_refused(wrong, 400, &of(wrong), GHOST);
    }
    let reopened = scene.send("POST", "/producers/team/app", &[], b"");
    let reopened: Value = serde_json::from_str(&reopened.text()).expect("JSON");
    assert_eq!(reopened["sequence"], json!(1));
    scene.push_refused("an old epoch", 409, &of("2"), GHOST);

    let key = [("Idempotency-Key", "\"run 1\""), CSV];
    let first = scene.counted("/push", &key, LINE, LINE);
    assert_eq!(first["guarantee"], json!("exactly_once"));
    let again = scene.counted("/push", &key, LINE, b"");
    assert_eq!(again["duplicate"], json!(true), "{again}");
    scene.push_refused("other content", 422, &key, GHOST);
    scene.push_refused("both", 400, &[&of("2")[..], &key[..1]].concat(), GHOST);
    scene.push_refused("an empty key", 400, &[("Idempotency-Key", "")], GHOST);
    let long = "k".repeat(256);
    scene.push_refused("a long key", 400, &[("Idempotency-Key", &long)], GHOST);
    scene.push_refused("a number without a name", 400, &[("Logtally-Sequence", "1")], GHOST);
    let nobody = [("Logtally-Producer", "x"), ("Logtally-Epoch", "1"), ("Logtally-Sequence", "1")];
    scene.push_refused("never opened", 404, &nobody, GHOST);
    scene.end_exact();
}

#[test]
fn bodies_that_are_too_large_or_damaged_are_refused() {
    let mut scene = Scene::start();
    let large = GHOST.repeat(BODY_MAX / GHOST.len() + 1);
    scene.push_refused("too large", 413, &[CSV], &large);
    let chunked = [
        head(scene.http_port(), "POST", "/push", &[CSV]).as_bytes(),
        b"Transfer-Encoding: chunked\r\n\r\n",
    ]
    .concat();
    let chunk = [b"100000\r\n", &GHOST.repeat(1 << 20)[..1 << 20], b"\r\n"].concat();
    let chunked = [&chunked[..], &chunk, &chunk, &chunk, b"0\r\n\r\n"].concat();
    let answer = http::exchange(scene.http_port(), &chunked).expect("an answer");
    scene.refused("too many chunks", &[413], &answer);

    // A gigabyte in a megabyte, with something to count at the front.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(GHOST).expect("compressing");
    let filler = vec![b'x'; 1 << 20];
    (0..1024).for_each(|_| bomb.write_all(&filler).expect("compressing"));
    let bomb = bomb.finish().expect("compressing");
    assert!(bomb.len() < BODY_MAX, "it looks harmless");
    for _ in 0..5 {
        scene.push_refused("a bomb", 413, &[CSV, GZIP], &bomb);
    }
    let whole = gzip(&GHOST.repeat(1000));
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    scene.push_refused("damaged", 400, &[CSV, GZIP], &damaged);
    scene.push_refused("cut off", 400, &[CSV, GZIP], &whole[..whole.len() - 5]);
    scene.push_refused("not valid gzip", 400, &[CSV, GZIP], GHOST);
    scene.push_refused("an unknown encoding", 415, &[CSV, ("Content-Encoding", "br")], GHOST);
    for unknown in ["image/png", "application/xml", "text/csvish", "multipart/form-data"] {
        scene.push_refused(unknown, 415, &[("Content-Type", unknown)], GHOST);
    }
    for path in ["/push?input=elsewhere", "/push?format=xml", "/push?colour=red"] {
        let answer = scene.send("POST", path, &[CSV], GHOST);
        scene.refused(path, &[400], &answer);
    }
    let hash = [("Logtally-Content-Hash", "0000000000000001"), CSV];
    scene.push_refused("a wrong hash", 400, &hash, GHOST);
    scene.end_exact();
}

#[test]
fn an_accept_header_that_nobody_meets_does_not_lose_the_answer() {
    let mut scene = Scene::start();
    // It is counted, so that has to be said, in whatever words.
    scene.counted("/push", &[CSV, ("Accept", "image/png")], LINE, LINE);
    scene.end_exact();
}

#[test]
fn other_methods_and_paths_are_refused() {
    let mut scene = Scene::start();
    for method in ["GET", "PUT", "DELETE", "PATCH", "BREW"] {
        let answer = scene.send(method, "/push", &[CSV], GHOST);
        scene.refused(method, &[405], &answer);
    }
    let answer = scene.send("POST", "/api/groups", &[], b"");
    scene.refused("posting to a list", &[405], &answer);
    let paths = [
        "/push/",
        "//push",
        "/push/../push/x",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/metrics/../../etc/passwd",
        "/metrics/job/a/../b",
        "/metrics/job/%00/x/y",
        "/metrics/job/%ff",
        "/metrics/job@base64/!!!",
        "/metrics",
        "/producers/",
        "/nowhere",
    ];
    for path in paths {
        let answer = scene.send("POST", path, &[CSV], GHOST);
        scene.refused(path, &[400, 404, 405], &answer);
    }
    let long = format!("/producers/{}", "x".repeat(257));
    for name in ["/producers/a%20b", "/producers/a%0ab", &long] {
        let answer = scene.send("POST", name, &[], b"");
        scene.refused(name, &[400], &answer);
    }
    scene.end_exact();
}

/// The status of the answer to these bytes; `None` if the connection just ends.
fn status_of(port: u16, request: &[u8]) -> Option<u16> {
    http::exchange(port, request).ok().map(|answer| answer.status)
}

#[test]
fn heads_that_are_too_large_or_no_http_are_refused() {
    let mut scene = Scene::start();
    let port = scene.http_port();
    let huge =
        format!("{}X-Huge: {}\r\n\r\n", head(port, "POST", "/push", &[]), "x".repeat(1 << 20));
    let many: String = std::iter::repeat_n("X-Many: x\r\n", 10_000).collect();
    let many = format!("{}{many}\r\n", head(port, "POST", "/push", &[]));
    let long = head(port, "POST", &format!("/push?{}", "x".repeat(1 << 20)), &[]) + "\r\n";
    let requests = [
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /push\r\n\r\n",
        b"POST /push HTTP/1.1\r\nContent-Length: -5\r\n\r\nghost,job\n",
        b"POST /push HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 10\r\n\r\nghost,job\n",
        b"POST /push HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 10\r\nConnection: close\r\n\r\nzz\r\nghost,job\n",
    ];
    for request in requests {
        let status = status_of(port, request);
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        assert!(status.is_none_or(|s| (400..500).contains(&s)), "{shown:?}: {status:?}");
        scene.others_go_on();
    }
    scene.end_exact();
}

fn slow(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = http::connect(port).expect("a connection");
    stream.write_all(bytes).expect("sending");
    stream
}

#[test]
fn slow_and_lying_clients_harm_nobody() {
    const CLIENTS: usize = 200;
    let mut scene = Scene::start();
    let port = scene.http_port();
    let begun = head(port, "POST", "/push", &[CSV]);
    // Half a head; a head without its body; half a body; a small body that said it would be large.
    let halves = [
        begun.as_bytes()[..begun.len() - 5].to_vec(),
        format!("{begun}Content-Length: 1000\r\n\r\n").into_bytes(),
        format!("{begun}Content-Length: 1000\r\n\r\nghost,job\n").into_bytes(),
        format!("{begun}Transfer-Encoding: chunked\r\n\r\na\r\nghost,job\n\r\n").into_bytes(),
    ];
    let mut held: Vec<TcpStream> = (0..CLIENTS).map(|i| slow(port, &halves[i % 3])).collect();
    // Those that do not say how much is to come could fill all the room there is.
    held.extend((0..8).map(|_| slow(port, &halves[3])));
    for _ in 0..5 {
        scene.others_go_on();
    }
    drop(held);
    // What comes after a body is another request, and this is none.
    let more = format!("{begun}Content-Length: 9\r\n\r\ngood,job\nghost,job\nghost,job\n");
    assert_eq!(status_of(port, more.as_bytes()), Some(200));
    scene.recount.add(LINE);
    scene.others_go_on();
    scene.end_exact();
}
