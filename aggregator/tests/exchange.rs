//! The aggregator through its wire, over a store in memory: what it answers, and what it commits.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use logtally_aggregator::{Aggregator, Options, serve};
use logtally_core::delta::{Delta, Span};
use logtally_core::partition::Partition;
use logtally_core::rule::Rule;
use logtally_core::series::{Increments, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceEnd, SourceId, SourceState, Tail};
use logtally_proto::v1::aggregator_service_client::AggregatorServiceClient;
use logtally_proto::{Action, Request, v1};
use logtally_service::Context;
use logtally_store::SnapshotReader;
use logtally_store::memory::MemoryStore;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

struct Bench {
    store: Arc<MemoryStore>,
    context: Context,
    requests: mpsc::UnboundedSender<v1::ExchangeRequest>,
    answers: Streaming<v1::ExchangeResponse>,
    tag: u64,
}

impl Bench {
    async fn start() -> Self {
        let (store, context) = (Arc::new(MemoryStore::new()), Context::new("test", "0"));
        let aggregator = Aggregator::start(store.clone(), Options::default(), &context).await;
        let aggregator = aggregator.expect("started");
        let (pipes, incoming) = mpsc::channel::<DuplexStream>(1);
        let server = context.clone();
        tokio::spawn(async move {
            let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
            serve(incoming, &aggregator, &server).await.expect("served");
        });
        let connector = tower::service_fn(move |_| {
            let pipes = pipes.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 16);
                pipes.send(theirs).await.map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>(TokioIo::new(ours))
            }
        });
        let channel = Endpoint::from_static("http://pipe").connect_with_connector(connector).await;
        let mut client = AggregatorServiceClient::new(channel.expect("connected"));
        let (requests, outgoing) = mpsc::unbounded_channel();
        let answers = client.exchange(UnboundedReceiverStream::new(outgoing)).await;
        let answers = answers.expect("a stream").into_inner();
        Self { store, context, requests, answers, tag: 0 }
    }

    fn send(&mut self, source: &str, action: Action) {
        self.tag += 1;
        let source = SourceId::new(source).expect("valid");
        let request = Request { tag: self.tag, source, action, traceparent: String::new() };
        self.requests.send(request.into()).expect("the stream is open");
    }

    async fn answer(&mut self) -> Result<(u64, Option<SourceState>), Status> {
        let answer = self.answers.message().await?.expect("an answer");
        let state = answer.state.map(|s| SourceState::try_from(s).expect("a valid state"));
        Ok((answer.tag, state))
    }

    async fn ask(&mut self, source: &str, action: Action) -> Option<SourceState> {
        self.send(source, action);
        let (tag, state) = self.answer().await.expect("an answer");
        assert_eq!(tag, self.tag);
        state
    }

    async fn total(&self) -> u64 {
        let snapshot = self.store.load(Partition(0)).await.expect("loaded");
        snapshot.counts.values().map(|c| c.amount.count).sum()
    }
}

fn open() -> Action {
    Action::Open { expected: None, fresh: SourceState::start(Generation(7)) }
}

fn commit(source: &str, from: u64, to: u64) -> Action {
    let family = Rule::default_rule().family;
    let key = SeriesKey::new(family.id(), ["a", "b"]);
    Action::Commit(Box::new(Delta {
        source: SourceId::new(source).expect("valid"),
        generation: Generation(7),
        span: Span::new(from, to).expect("valid"),
        tail_before: if from == 0 { Tail::empty() } else { Tail(from) },
        tail_after: Tail(to),
        header: None,
        records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
        families: vec![family],
        limits: Vec::new(),
        increments: Increments::pack([(key.as_bytes(), to - from)]),
    }))
}

#[tokio::test]
async fn a_source_is_asked_for_opened_and_counted() {
    let mut bench = Bench::start().await;
    assert_eq!(bench.ask("s", Action::Lookup(None)).await, None);
    let fresh = SourceState::start(Generation(7));
    assert_eq!(bench.ask("s", open()).await, Some(fresh));
    let position = |state: Option<SourceState>| state.expect("registered").position;
    assert_eq!(position(bench.ask("s", commit("s", 0, 10)).await), 10);
    assert_eq!(position(bench.ask("s", commit("s", 0, 10)).await), 10, "a duplicate");
    assert_eq!(position(bench.ask("s", commit("s", 5, 15)).await), 10, "a rewind");
    assert_eq!(position(bench.ask("s", commit("s", 20, 30)).await), 10, "a gap");
    assert_eq!(bench.ask("other", commit("other", 0, 10)).await, None, "not registered");
    assert_eq!(bench.total().await, 10);
}

#[tokio::test]
async fn many_spans_in_flight_count_once_in_order() {
    let mut bench = Bench::start().await;
    for source in ["x", "y", "z"] {
        bench.ask(source, open()).await;
    }
    // Interleaved sources, each with consecutive spans, a repeated one, and one that goes astray.
    for step in 0..50 {
        for source in ["x", "y", "z"] {
            bench.send(source, commit(source, step * 10, step * 10 + 10));
        }
        bench.send("y", commit("y", step * 10, step * 10 + 10));
        bench.send("z", commit("z", 9_000, 9_010));
    }
    for _ in 0..250 {
        bench.answer().await.expect("every request is answered");
    }
    for source in ["x", "y", "z"] {
        let state = bench.ask(source, Action::Lookup(None)).await.expect("registered");
        assert_eq!(state.position, 500, "{source}");
    }
    assert_eq!(bench.total().await, 3 * 500);
}

#[tokio::test]
async fn a_store_that_went_back_is_marked_until_it_has_caught_up() {
    let mut bench = Bench::start().await;
    bench.ask("s", open()).await;
    let before = bench.store.snapshot();
    let acknowledged = bench.ask("s", commit("s", 0, 10)).await;
    bench.store.restore(before);
    let stored = bench.ask("s", Action::Lookup(acknowledged)).await.expect("registered");
    assert_eq!(stored.position, 0);
    let recovering = |snapshot: logtally_store::Snapshot| snapshot.recovering.sources;
    assert_eq!(recovering(bench.store.load(Partition(0)).await.expect("loaded")), 1);
    bench.ask("s", commit("s", 0, 10)).await;
    assert_eq!(recovering(bench.store.load(Partition(0)).await.expect("loaded")), 0);
    assert_eq!(bench.total().await, 10);
}

#[tokio::test]
async fn a_bad_message_ends_the_stream_with_the_reason() {
    let mut bench = Bench::start().await;
    let request = v1::ExchangeRequest { tag: 1, source: "a b".into(), ..Default::default() };
    bench.requests.send(request).expect("open");
    let status = bench.answer().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("no blanks"), "{}", status.message());
}

#[tokio::test]
async fn a_life_that_cannot_begin_like_that_is_refused() {
    let end = |position| Some(SourceEnd { position, tail: Tail(1) });
    let start = SourceState::start(Generation(7));
    let middle = SourceState { position: 5, tail: Tail(5), header: Some(0), end: end(5), ..start };
    let records = RecordCounts { counted: 1, ..RecordCounts::default() };
    for (fresh, reason) in [
        (SourceState { records, ..middle }, "no records yet"),
        (SourceState { end: end(4), ..middle }, "behind its end"),
        (SourceState { header: Some(6), ..middle }, "before its header"),
        (SourceState { position: 0, header: None, ..middle }, "before a beginning"),
    ] {
        let mut bench = Bench::start().await;
        bench.send("s", Action::Open { expected: None, fresh });
        let status = bench.answer().await.expect_err("refused");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(reason), "{}", status.message());
    }
    let mut bench = Bench::start().await;
    let open = Action::Open { expected: None, fresh: middle };
    assert_eq!(bench.ask("s", open).await, Some(middle));
}

#[tokio::test]
async fn a_stopping_aggregator_ends_its_streams() {
    let mut bench = Bench::start().await;
    bench.ask("s", open()).await;
    bench.context.shutdown.cancel();
    assert_eq!(bench.answer().await.expect_err("ended").code(), Code::Unavailable);
}
