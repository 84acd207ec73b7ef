//! The producer against ingests that fail in every way that push.proto allows: what is stored at the
//! end is what was pushed, once. Each run prints its seed; `LOGTALLY_TEST_SEED` repeats its choices.

mod server;

use std::time::Duration;

use bytes::Bytes;
use logtally_client::{BlockingProducer, Error, Guarantee, Options, Producer, Resumed};
use logtally_core::hash::hash64;

use server::{Faults, Ingest, Store, cutting_wire};

fn seed() -> u64 {
    let given = std::env::var("LOGTALLY_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("LOGTALLY_TEST_SEED={seed}");
    seed
}

/// Options for tests: small messages, short waits, a fixed seed, an end.
fn options(endpoints: Vec<String>, seed: u64) -> Options {
    Options {
        endpoints,
        producer: Some("p".to_owned()),
        message_bytes: 64,
        linger: Duration::from_millis(2),
        backoff: (Duration::from_millis(1), Duration::from_millis(20)),
        answer_timeout: Duration::from_millis(300),
        give_up: Some(Duration::from_secs(30)),
        seed: Some(seed),
        ..Options::default()
    }
}

async fn endpoint(store: &Store, faults: Faults, seed: u64) -> String {
    let ingest = Ingest { store: store.clone(), faults, seed };
    format!("http://{}", ingest.start().await)
}

async fn sound(store: &Store) -> Vec<String> {
    vec![endpoint(store, Faults::default(), 0).await]
}

async fn push_lines(producer: &Producer, lines: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for n in lines {
        let line = format!("host{n},job\n");
        producer.push(line.trim_end().as_bytes()).await.expect("pushed");
        text += &line;
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_counts_once_whatever_the_ingests_do() {
    let seed = seed();
    let store = Store::new(true);
    let faults =
        Faults { refuse_busy: 0.02, drain: 0.02, lose_answer: 0.03, skip_answer: 0.2, hang: false };
    let all = vec![
        endpoint(&store, faults, seed).await,
        endpoint(&store, faults, seed.wrapping_mul(3)).await,
        // Nobody is there.
        "http://127.0.0.1:1".to_owned(),
    ];
    let producer = Producer::open(options(all, seed)).await.expect("opened");
    let text = push_lines(&producer, 0..2000).await;
    let summary = producer.flush().await.expect("flushed");
    assert_eq!(store.text("p"), text);
    assert_eq!(summary.messages, store.lock().producers["p"].messages.len() as u64);
    assert!(summary.counted <= 2000 && summary.duplicates > 0, "{summary:?}");
    assert_eq!((summary.guarantee, summary.durable), (Guarantee::ExactlyOnce, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_counts_once_over_connections_that_are_cut_anywhere() {
    let seed = seed();
    let store = Store::new(true);
    let ingest = Ingest { store: store.clone(), faults: Faults::default(), seed };
    let wire = cutting_wire(ingest.start().await, seed).await;
    let options = options(vec![format!("http://{wire}")], seed);
    let producer = Producer::open(options).await.expect("opened");
    let text = push_lines(&producer, 0..3000).await;
    producer.flush().await.expect("flushed");
    assert_eq!(store.text("p"), text);
}

#[tokio::test]
async fn an_ingest_that_never_answers_is_left_for_the_next_one() {
    let store = Store::new(true);
    let hanging = endpoint(&store, Faults { hang: true, ..Faults::default() }, 0).await;
    let good = endpoint(&store, Faults::default(), 0).await;
    for seed in 0..3 {
        let all = vec![hanging.clone(), good.clone()];
        let producer = Producer::open(options(all, seed)).await.expect("opened");
        push_lines(&producer, 0..10).await;
        producer.flush().await.expect("flushed");
    }
}

#[tokio::test]
async fn a_store_that_forgets_is_given_again_what_was_kept() {
    let store = Store::new(false);
    let producer = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    let mut text = push_lines(&producer, 0..100).await;
    let before = producer.flush().await.expect("flushed");
    assert!(!before.durable && before.replayed == 0);
    store.rewind("p", 3);
    text += &push_lines(&producer, 100..200).await;
    let after = producer.flush().await.expect("flushed");
    assert_eq!(store.text("p"), text);
    assert_eq!(after.replayed, before.messages - 3);
    assert_eq!(after.messages, store.lock().producers["p"].messages.len() as u64);
}

#[tokio::test]
async fn a_store_that_forgets_everything_is_given_it_again_after_another_opening() {
    let store = Store::new(false);
    let producer = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    let mut text = push_lines(&producer, 0..50).await;
    producer.flush().await.expect("flushed");
    store.lock().producers.clear();
    text += &push_lines(&producer, 50..60).await;
    producer.flush().await.expect("flushed");
    assert_eq!(store.text("p"), text);
}

#[tokio::test]
async fn what_was_durable_and_is_lost_is_an_error() {
    let store = Store::new(true);
    let producer = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    for n in 0..5_u8 {
        producer.push_block(Bytes::from(vec![b'a' + n, b'\n']), None).await.expect("pushed");
    }
    producer.flush().await.expect("flushed");
    store.rewind("p", 2);
    producer.push(b"more").await.expect("taken");
    let lost = Error::Lost { from: 3, to: 5 };
    assert_eq!(producer.flush().await, Err(lost.clone()));
    assert_eq!(producer.push(b"more").await, Err(lost), "it stays an error");
    assert_eq!(store.text("p"), "a\nb\n");
}

#[tokio::test]
async fn the_last_one_to_open_goes_on() {
    let store = Store::new(true);
    let first = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    first.push_block(Bytes::from_static(b"a\n"), Some(2)).await.expect("pushed");
    first.flush().await.expect("flushed");
    let second = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    let content_hash = Some(hash64(b"a\n"));
    let expected = Resumed { sequence: 1, content_hash, note: Some(2), durable: true };
    assert_eq!(second.resumed(), expected);
    first.push(b"b").await.expect("taken");
    assert_eq!(first.flush().await, Err(Error::Fenced { after: 1 }));
    second.push(b"c").await.expect("taken");
    second.flush().await.expect("flushed");
    assert_eq!(store.text("p"), "a\nc\n");
}

#[tokio::test]
async fn a_refused_message_ends_the_producer_and_says_where() {
    let store = Store::new(true);
    let producer = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    producer.push_block(Bytes::from_static(b"a\n"), Some(2)).await.expect("pushed");
    producer.push_block(Bytes::from_static(b"refuse\n"), Some(9)).await.expect("taken");
    match producer.flush().await {
        Err(Error::Refused { after: 1, note: Some(2), reason, .. }) => {
            assert_eq!(reason, "TOO_MANY_SERIES");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_name_everything_counts_at_least_once() {
    let seed = seed();
    let store = Store::new(true);
    let faults = Faults { lose_answer: 0.05, ..Faults::default() };
    let all = vec![endpoint(&store, faults, seed).await];
    let options = Options { producer: None, ..options(all, seed) };
    let producer = Producer::open(options).await.expect("opened");
    let text = push_lines(&producer, 0..500).await;
    let summary = producer.flush().await.expect("flushed");
    assert_eq!(summary.guarantee, Guarantee::AtLeastOnce);
    let mut messages: Vec<_> = store.lock().unnamed.clone();
    assert!(messages.len() as u64 >= summary.messages);
    // A retry repeats the messages behind the last acknowledgement, so the first of each are in order.
    let mut known = std::collections::HashSet::new();
    messages.retain(|message| known.insert(message.clone()));
    assert_eq!(messages.concat(), text.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_makes_pushes_wait() {
    let store = Store::new(true);
    let hanging = endpoint(&store, Faults { hang: true, ..Faults::default() }, 0).await;
    let options = Options {
        buffer_bytes: 4000,
        answer_timeout: Duration::from_mins(1),
        linger: Duration::from_mins(1),
        ..options(vec![hanging], 1)
    };
    let producer = Producer::open(options).await.expect("opened");
    let endless = async {
        let mut taken = 0_usize;
        loop {
            producer.push(&[b'x'; 50]).await.expect("taken");
            taken += 51;
            assert!(taken < 3000, "no more than three quarters of the buffer");
        }
    };
    let waited = tokio::time::timeout(Duration::from_millis(300), endless).await;
    assert!(waited.is_err(), "it waits");
}

#[tokio::test]
async fn nobody_there_is_an_error_in_the_end() {
    let nobody = vec!["http://127.0.0.1:1".to_owned()];
    let give_up = Some(Duration::from_millis(50));
    let opened = Producer::open(Options { give_up, ..options(nobody, 1) }).await;
    assert!(matches!(opened, Err(Error::GivenUp { .. })), "{opened:?}");
}

#[tokio::test]
async fn what_cannot_be_pushed_is_told_at_once() {
    let store = Store::new(true);
    let producer = Producer::open(options(sound(&store).await, 1)).await.expect("opened");
    let is_bad = |result| assert!(matches!(result, Err(Error::Record { .. })), "{result:?}");
    is_bad(producer.push(&vec![b'x'; 2 << 20]).await);
    is_bad(producer.push_block(Bytes::new(), None).await);
    is_bad(producer.push_block(Bytes::from_static(b"a\n"), Some(1 << 53)).await);
    producer.push(b"good").await.expect("the producer goes on");
    producer.flush().await.expect("flushed");
    assert_eq!(store.text("p"), "good\n");
}

#[test]
fn code_without_a_runtime_can_push() {
    let store = Store::new(true);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let all = runtime.block_on(sound(&store));
    let producer = BlockingProducer::open(options(all, 1)).expect("opened");
    producer.push(b"a").expect("pushed");
    producer.push(b"b\n").expect("pushed");
    assert_eq!(producer.flush().expect("flushed").counted, 2);
    assert_eq!(store.text("p"), "a\nb\n");
    assert_eq!(producer.acknowledged().sequence, producer.summary().messages);
}
