//! Whatever is sent to the push service over gRPC: it answers clearly, it counts nothing that it
//! refused, and everybody else goes on.

use std::time::Duration;

use bytes::Bytes;
use logtally_e2e::cluster::{Cluster, Layout, assert_page_exact};
use logtally_e2e::exposition::READ;
use logtally_e2e::http;
use logtally_e2e::push_client::{Client, Producer, client, message, reason};
use logtally_e2e::push_wire::{PUSH, STREAM, call, channel, frame, frame_that_claims, open};
use logtally_e2e::recount::Recount;
use logtally_proto::v1::{OpenProducerRequest, PushRequest};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

const WITHIN: Duration = Duration::from_secs(20);
/// The largest message, and the largest number.
const RECORDS_MAX: usize = 2 << 20;
const NUMBERS_END: u64 = 1 << 53;

struct Scene {
    cluster: Cluster,
    client: Client,
    /// Somebody who does everything right.
    good: Producer,
    recount: Recount,
}

impl Scene {
    async fn start() -> Self {
        let layout = Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() };
        let mut cluster = Cluster::prepare(layout);
        cluster.start();
        let port = cluster.ingests[0].port;
        let mut good = Producer::new("good", &[port]);
        good.open(WITHIN).await.expect("opened");
        Self { cluster, client: client(port), good, recount: Recount::default() }
    }

    /// A producer that has one message, and its epoch.
    async fn producer(&mut self, name: &str) -> u64 {
        let request = OpenProducerRequest { producer: name.to_owned() };
        let epoch = self.client.open_producer(request).await.expect("opened").into_inner().epoch;
        self.counted(message(name, epoch, 1, &records("first"))).await;
        epoch
    }

    /// What has to be counted. Returns how many of its records were.
    async fn counted(&mut self, request: PushRequest) -> u64 {
        let sent = request.records.clone();
        let answer = self.client.push(request).await.expect("counted").into_inner();
        if answer.duplicates == 0 {
            self.recount.add(&sent);
        }
        answer.counted
    }

    /// What has to be refused, with this code and reason. Then the others go on.
    async fn refused(&mut self, what: &str, request: PushRequest, code: Code, why: &str) -> Status {
        let status = self.client.push(request).await.expect_err(what);
        assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{what}: {status:?}");
        assert!(!status.message().is_empty(), "{what}: it says why");
        self.others_go_on().await;
        status
    }

    /// What has to be refused because of this field.
    async fn invalid(&mut self, field: &str, request: PushRequest) {
        let status = self.refused(field, request, Code::InvalidArgument, "INVALID").await;
        let fields = status.get_details_bad_request().expect("it names the field");
        assert_eq!(fields.field_violations[0].field, field, "{status:?}");
    }

    async fn others_go_on(&mut self) {
        let sent = records("good");
        self.good.push(&sent, None, WITHIN).await.expect("the others go on");
        self.recount.add(&sent);
    }

    /// The page has what was counted, and nothing of what was refused.
    fn end_exact(mut self) {
        self.cluster.wait_for_records(self.recount.records, WITHIN);
        let page = http::get(self.cluster.exporters[0].port, "/metrics").expect("a page");
        assert_page_exact(&self.recount, &page.text());
        self.cluster.assert_all_running();
    }
}

fn records(host: &str) -> Bytes {
    Bytes::from(format!("{host},job\n{host},job\n"))
}

fn ghost() -> Bytes {
    records("ghost")
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_numbers_and_epochs_are_refused() {
    let mut scene = Scene::start().await;
    let epoch = scene.producer("p").await;
    let of = |sequence| message("p", epoch, sequence, &ghost());
    for sequence in [0, NUMBERS_END, u64::MAX] {
        scene.invalid("sequence", of(sequence)).await;
    }
    for gap in [3, NUMBERS_END - 1] {
        let status = scene.refused("a gap", of(gap), Code::OutOfRange, "SEQUENCE_GAP").await;
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.metadata.get("sequence").map(String::as_str), Some("1"), "{status:?}");
        assert_eq!(info.domain, "logtally");
    }
    scene.refused("other content", of(1), Code::AlreadyExists, "CONTENT_CONFLICT").await;
    let fenced = (Code::FailedPrecondition, "PRODUCER_FENCED");
    for epoch in [epoch ^ 1, u64::MAX] {
        let request = message("p", epoch, 2, &ghost());
        scene.refused("another epoch", request, fenced.0, fenced.1).await;
    }
    let unknown = message("nobody", epoch, 1, &ghost());
    scene.refused("never opened", unknown, Code::NotFound, "PRODUCER_UNKNOWN").await;
    scene.invalid("note", PushRequest { note: Some(NUMBERS_END), ..of(2) }).await;

    // Nothing of this has moved the producer.
    assert_eq!(scene.counted(message("p", epoch, 2, &records("second"))).await, 2);
    assert_eq!(scene.counted(message("p", epoch, 2, &records("second"))).await, 0, "a duplicate");
    scene.end_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_names_keys_and_contents_are_refused() {
    let mut scene = Scene::start().await;
    let epoch = scene.producer("p").await;
    let next = message("p", epoch, 2, &ghost());
    let long = "x".repeat(257);
    for name in ["", "a b", "a\tb", "a\u{85}b", &long] {
        scene.invalid("producer", PushRequest { producer: name.to_owned(), ..next.clone() }).await;
        let opening = OpenProducerRequest { producer: name.to_owned() };
        let status = scene.client.open_producer(opening).await.expect_err("no name");
        assert_eq!(status.code(), Code::InvalidArgument, "{name:?}: {status:?}");
    }
    let keyed = PushRequest { records: ghost(), ..PushRequest::default() };
    let long_key = PushRequest { idempotency_key: "k".repeat(256), ..keyed.clone() };
    scene.invalid("idempotency_key", long_key).await;
    let both = PushRequest { idempotency_key: "k".to_owned(), ..next.clone() };
    scene.invalid("idempotency_key", both).await;
    scene.invalid("input", PushRequest { input: "elsewhere".to_owned(), ..next.clone() }).await;
    scene.invalid("format", PushRequest { format: "xml".to_owned(), ..next.clone() }).await;
    let damaged = PushRequest { content_hash: Some(1), ..next };
    scene.refused("a wrong hash", damaged, Code::DataLoss, "CONTENT_DAMAGED").await;
    scene.end_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_any_size_are_counted_or_refused_as_a_whole() {
    const SERIES: usize = 100_000;
    let mut scene = Scene::start().await;
    let epoch = scene.producer("p").await;
    for size in [RECORDS_MAX + 1, 2 * RECORDS_MAX, 16 * RECORDS_MAX] {
        let large = Bytes::from(vec![b'x'; size]);
        let request = message("p", epoch, 2, &large);
        scene.refused("too large", request, Code::InvalidArgument, "TOO_LARGE").await;
    }
    // As large as allowed, of one series; then nothing at all; then without an end.
    let line = b"largest,job\n";
    let largest = Bytes::from(line.repeat(RECORDS_MAX / line.len()));
    let counted = scene.counted(message("p", epoch, 2, &largest)).await;
    assert_eq!(counted as usize, RECORDS_MAX / line.len());
    assert_eq!(scene.counted(message("p", epoch, 3, &Bytes::new())).await, 0);
    assert_eq!(scene.counted(message("p", epoch, 4, &Bytes::from("open,job"))).await, 1);

    let many: Vec<String> = (0..SERIES).map(|i| format!("many{i},job")).collect();
    let many = message("p", epoch, 5, &Bytes::from(many.join("\n")));
    match scene.client.push(many.clone()).await {
        Ok(answer) => {
            assert_eq!(answer.into_inner().counted, SERIES as u64);
            scene.recount.add(&many.records);
        }
        Err(status) => assert_eq!(reason(&status), "TOO_MANY_SERIES", "{status:?}"),
    }
    scene.others_go_on().await;
    scene.end_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_counted_are_told_and_not_sent_again() {
    let mut scene = Scene::start().await;
    let epoch = scene.producer("p").await;
    let bad = Bytes::from_static(b"fine,job\n\xff\xfe,job\nno-job\nfine,job\n");
    let push = |sequence| message("p", epoch, sequence, &bad);
    let answer = scene.client.push(push(2)).await.expect("acknowledged").into_inner();
    let rejected: u64 = answer.rejected.iter().map(|r| r.records).sum();
    assert_eq!((answer.counted, answer.filtered, rejected), (2, 0, 2), "{answer:?}");
    assert!(answer.rejected.iter().all(|r| !r.reason.is_empty() && r.first <= bad.len() as u64));
    let again = scene.client.push(push(2)).await.expect("a duplicate").into_inner();
    assert_eq!((again.duplicates, again.counted), (1, 0));
    assert!(again.rejected.is_empty(), "told once: {again:?}");
    scene.others_go_on().await;
    let records = scene.recount.records + 4;
    scene.cluster.wait_for_records(records, WITHIN);
    let page = scene.cluster.scrape(0).expect("a page");
    assert_eq!(page[READ], records);
    assert_eq!(logtally_e2e::exposition::rejected_total(&page), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_refused() {
    let mut scene = Scene::start().await;
    let port = scene.cluster.ingests[0].port;
    let bodies = [
        ("no protobuf", frame(b"\xff\xff\xff\xff")),
        ("a field that is too long", frame(&[0x42, 0xff, 0xff, 0x7f])),
        ("text that is no text", frame(&[0x0a, 0x02, 0xff, 0xfe])),
        ("half a prefix", Bytes::from_static(&[0, 0])),
        ("half a message", frame_that_claims(100, b"abc")),
        ("four gigabytes", frame_that_claims(u32::MAX, b"abc")),
        ("an unknown compression", Bytes::from_static(&[1, 0, 0, 0, 1, 0])),
        ("nothing", Bytes::new()),
    ];
    for (what, body) in bodies {
        for path in [PUSH, STREAM] {
            let ended = call(channel(port), path, &[], body.clone()).await;
            // A stream may end before its first message.
            let is_empty_stream = body.is_empty() && path == STREAM;
            assert_eq!(ended.is_ok(), is_empty_stream, "{what}, {path}: {ended:?}");
            scene.others_go_on().await;
        }
    }
    let unknown = call(channel(port), "/logtally.v1.PushService/Pull", &[], frame(b"")).await;
    assert_eq!(unknown.expect_err("no such call").code(), Code::Unimplemented);
    scene.end_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_is_over_harms_nobody() {
    const CALLS: u64 = 50;
    let mut scene = Scene::start().await;
    let epoch = scene.producer("p").await;
    for (sequence, i) in (2..).zip(0..CALLS) {
        let content = message("p", epoch, sequence, &records("hasty"));
        let mut request = Request::new(content.clone());
        request.set_timeout(Duration::from_micros(i * 50));
        if let Err(status) = scene.client.push(request).await {
            let over = [Code::DeadlineExceeded, Code::Cancelled].contains(&status.code());
            assert!(over, "{status:?}");
        }
        // Nobody knows whether that was counted; now it is.
        let answer = scene.client.push(content.clone()).await.expect("acknowledged").into_inner();
        assert_eq!(answer.sequence, sequence);
        scene.recount.add(&content.records);
    }
    scene.others_go_on().await;
    scene.end_exact();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_say_nothing_or_half_of_it_harm_nobody() {
    /// Together they claim more than there is room for.
    const STREAMS: usize = 40;
    /// A message has half a minute from its first byte to its last.
    const GIVEN_UP: Duration = Duration::from_secs(45);
    let mut scene = Scene::start().await;
    let port = scene.cluster.ingests[0].port;
    let mut held = Vec::new();
    for i in 0..STREAMS {
        let (sender, end) = open(channel(port), STREAM, &[]);
        let silent = i.is_multiple_of(2);
        let end = tokio::spawn(end);
        if !silent {
            let one_byte = frame_that_claims(RECORDS_MAX as u32, b"\x0a");
            sender.send(one_byte).await.expect("a running stream");
        }
        held.push((silent, sender, end));
    }
    // Until they are given up, there may be no room for anybody else.
    for _ in 0..2 {
        let sent = records("good");
        scene.good.push(&sent, None, GIVEN_UP).await.expect("the others go on");
        scene.recount.add(&sent);
    }
    for (silent, sender, end) in held {
        drop(sender);
        let ended = end.await.expect("a call");
        assert_eq!(ended.is_ok(), silent, "{ended:?}");
    }
    scene.end_exact();
}
