//! Opening, committing and asking: what is answered, and what is committed.

use std::sync::Arc;

use logtally_core::delta::{Delta, Span};
use logtally_core::partition::Partition;
use logtally_core::rule::default_family;
use logtally_core::series::{Increments, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceEnd, SourceId, SourceState, Tail};
use logtally_proto::{Action, v1};
use logtally_store::memory::MemoryStore;
use tonic::Code;

use crate::bench::Bench;

fn open() -> Action {
    Action::Open { expected: None, fresh: SourceState::start(Generation(7)) }
}

fn commit(source: &str, from: u64, to: u64) -> Action {
    let family = default_family();
    let key = SeriesKey::new(family.id(), ["a", "b"]);
    Action::Commit(Box::new(Delta {
        source: SourceId::new(source).expect("valid"),
        generation: Generation(7),
        span: Span::new(from, to).expect("valid"),
        tail_before: if from == 0 { Tail::empty() } else { Tail(from) },
        tail_after: Tail(to),
        note: None,
        records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
        families: vec![family],
        limits: Vec::new(),
        increments: Increments::pack([(key.as_bytes(), to - from)]),
    }))
}

async fn total(bench: &Bench) -> u64 {
    let snapshot = bench.store.load(Partition(0)).await.expect("loaded");
    snapshot.counts.iter().map(|(_, c)| c.amount.count).sum()
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
    assert_eq!(total(&bench).await, 10);
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
    assert_eq!(total(&bench).await, 3 * 500);
}

#[tokio::test]
async fn a_store_that_went_back_is_marked_until_it_has_caught_up() {
    let store = Arc::new(MemoryStore::new());
    let mut bench = Bench::over(store.clone()).await;
    bench.ask("s", open()).await;
    let before = store.snapshot();
    let acknowledged = bench.ask("s", commit("s", 0, 10)).await;
    store.restore(before);
    let stored = bench.ask("s", Action::Lookup(acknowledged)).await.expect("registered");
    assert_eq!(stored.position, 0);
    let recovering = |snapshot: logtally_store::Snapshot| snapshot.recovering.sources;
    assert_eq!(recovering(bench.store.load(Partition(0)).await.expect("loaded")), 1);
    bench.ask("s", commit("s", 0, 10)).await;
    assert_eq!(recovering(bench.store.load(Partition(0)).await.expect("loaded")), 0);
    assert_eq!(total(&bench).await, 10);
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
    let middle = SourceState { position: 5, tail: Tail(5), note: Some(0), end: end(5), ..start };
    let records = RecordCounts { counted: 1, ..RecordCounts::default() };
    for (fresh, reason) in [
        (SourceState { records, ..middle }, "no records yet"),
        (SourceState { end: end(4), ..middle }, "behind its end"),
        (SourceState { position: 0, note: None, ..middle }, "before a beginning"),
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
