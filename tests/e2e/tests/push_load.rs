//! Many producers, idle ones and greedy ones: everybody is acknowledged before long, and memory has a
//! bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use logtally_e2e::cluster::{Cluster, Layout, assert_page_exact};
use logtally_e2e::http;
use logtally_e2e::push_client::{Client, Producer, client, message, reason};
use logtally_e2e::push_wire::{STREAM, channel, open};
use logtally_e2e::recount::Recount;
use logtally_proto::v1::OpenProducerRequest;
use tonic::Code;

const WITHIN: Duration = Duration::from_secs(30);
/// What the ingest may have at most: the program itself, the pushes that it holds, what they count,
/// and the connections.
const PEAK_KIB_MAX: u64 = 200 << 10;
const RECORDS_MAX: usize = 2 << 20;

fn start() -> Cluster {
    let layout = Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() };
    let mut cluster = Cluster::prepare(layout);
    cluster.start();
    cluster
}

fn end_exact(mut cluster: Cluster, expected: &Recount) {
    let peak = cluster.ingests[0].program.peak_memory_kib().expect("a running ingest");
    println!("peak memory of the ingest: {peak} KiB");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    cluster.wait_for_records(expected.records, WITHIN);
    let page = http::get(cluster.exporters[0].port, "/metrics").expect("a page");
    assert_page_exact(expected, &page.text());
    cluster.assert_all_running();
}

fn small(host: usize) -> Bytes {
    Bytes::from(format!("host{},job\n", host % 50))
}

fn large() -> Bytes {
    let line = b"greedy,job\n";
    Bytes::from(line.repeat(RECORDS_MAX / line.len()))
}

/// Pushes some small messages one after the other. Returns the longest time that one took.
async fn push_small(mut producer: Producer, host: usize, messages: usize) -> Duration {
    producer.attempt = WITHIN;
    producer.open(WITHIN).await.expect("opened");
    let mut longest = Duration::ZERO;
    for _ in 0..messages {
        let begun = Instant::now();
        producer.push(&small(host), None, WITHIN).await.expect("acknowledged");
        longest = longest.max(begun.elapsed());
    }
    longest
}

async fn longest_of(pushing: Vec<tokio::task::JoinHandle<Duration>>) -> Duration {
    let mut longest = Duration::ZERO;
    for producer in pushing {
        longest = longest.max(producer.await.expect("a producer"));
    }
    println!("the longest wait: {longest:?}");
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_producers_and_a_thousand_idle_streams_fit() {
    const PRODUCERS: usize = 1_000;
    const PER_CONNECTION: usize = 25;
    const MESSAGES: usize = 3;
    const WAIT_MAX: Duration = Duration::from_secs(10);
    let cluster = start();
    let port = cluster.ingests[0].port;
    let mut idle = Vec::new();
    for i in 0..PRODUCERS {
        if i.is_multiple_of(PER_CONNECTION) {
            idle.push((channel(port), Vec::new()));
        }
        let (connection, streams) = idle.last_mut().expect("a connection");
        let (sender, end) = open(connection.clone(), STREAM, &[]);
        streams.push((sender, tokio::spawn(end)));
    }
    let clients: Vec<Client> = (0..PRODUCERS / PER_CONNECTION).map(|_| client(port)).collect();
    let producer = |i: usize| {
        let producer = Producer::with(&format!("p{i}"), vec![clients[i % clients.len()].clone()]);
        tokio::spawn(push_small(producer, i, MESSAGES))
    };
    let longest = longest_of((0..PRODUCERS).map(producer).collect()).await;
    assert!(longest < WAIT_MAX, "somebody starves: {longest:?}");
    let still_open =
        idle.iter().flat_map(|(_, streams)| streams).filter(|(_, end)| !end.is_finished());
    assert_eq!(still_open.count(), PRODUCERS, "idle streams stay");

    let mut recount = Recount::default();
    (0..PRODUCERS).for_each(|i| recount.add(&small(i).repeat(MESSAGES)));
    end_exact(cluster, &recount);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greedy_producer_does_not_hold_up_small_ones() {
    const SMALL: usize = 20;
    const MESSAGES: usize = 20;
    const WAIT_MAX: Duration = Duration::from_secs(3);
    let cluster = start();
    let port = cluster.ingests[0].port;
    let stop = Arc::new(AtomicBool::new(false));
    let mut greedy = Producer::new("greedy", &[port]);
    greedy.attempt = WITHIN;
    greedy.open(WITHIN).await.expect("opened");
    let stopped = Arc::clone(&stop);
    let greedy = tokio::spawn(async move {
        let messages = vec![large(); 4];
        while !stopped.load(Ordering::SeqCst) {
            greedy.stream(&messages, WITHIN).await.expect("acknowledged");
        }
        greedy.sequence()
    });
    let producer = |i: usize| {
        let producer = Producer::new(&format!("small-{i}"), &[port]);
        tokio::spawn(push_small(producer, i, MESSAGES))
    };
    let longest = longest_of((0..SMALL).map(producer).collect()).await;
    stop.store(true, Ordering::SeqCst);
    let greedy_messages = greedy.await.expect("the greedy one");
    println!("{greedy_messages} large messages meanwhile");
    assert!(longest < WAIT_MAX, "held up: {longest:?}");
    assert!(greedy_messages >= 4, "it was greedy");

    let mut recount = Recount::default();
    (0..SMALL).for_each(|i| recount.add(&small(i).repeat(MESSAGES)));
    recount.add_again(&large(), greedy_messages);
    end_exact(cluster, &recount);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_has_a_bound_while_nothing_can_be_stored() {
    const GREEDY: usize = 40;
    let cluster = start();
    let port = cluster.ingests[0].port;
    let mut epochs = Vec::new();
    for i in 0..GREEDY {
        let request = OpenProducerRequest { producer: format!("p{i}") };
        epochs.push(client(port).open_producer(request).await.expect("opened").into_inner().epoch);
    }
    cluster.redis.pause();
    let pushes: Vec<_> = (0..GREEDY)
        .map(|i| {
            let request = message(&format!("p{i}"), epochs[i], 1, &large());
            tokio::spawn(async move { client(port).push(request).await })
        })
        .collect();
    // Those without room are told so; the others wait for the store.
    let begun = Instant::now();
    while pushes.iter().all(|push| !push.is_finished()) {
        assert!(begun.elapsed() < WITHIN, "there is no room for all of them");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.redis.resume();
    let (mut counted, mut busy) = (0, 0);
    for push in pushes {
        match push.await.expect("a push") {
            Ok(_) => counted += 1,
            Err(status) => {
                busy += 1;
                let told = (status.code(), reason(&status));
                assert_eq!(told, (Code::ResourceExhausted, "BUSY".to_owned()), "{status:?}");
            }
        }
    }
    println!("{counted} counted, {busy} told to come back");
    assert!(counted > 0 && busy > 0, "{counted} counted, {busy} told to come back");
    // They come back, with the same numbers.
    for (i, epoch) in epochs.iter().enumerate() {
        let again = message(&format!("p{i}"), *epoch, 1, &large());
        client(port).push(again).await.expect("acknowledged");
    }
    let mut recount = Recount::default();
    recount.add_again(&large(), GREEDY as u64);
    end_exact(cluster, &recount);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_look_at_their_answers_hold_up_nobody() {
    const SILENT: usize = 50;
    const MESSAGES: u64 = 2_000;
    const WAIT_MAX: Duration = Duration::from_secs(5);
    let cluster = start();
    let port = cluster.ingests[0].port;
    let mut held = Vec::new();
    for i in 0..SILENT {
        let (name, mut client) = (format!("silent-{i}"), client(port));
        let opening = OpenProducerRequest { producer: name.clone() };
        let epoch = client.open_producer(opening).await.expect("opened").into_inner().epoch;
        let messages = (1..=MESSAGES).map(move |n| message(&name, epoch, n, &small(0)));
        let answers = client.push_stream(tokio_stream::iter(messages)).await.expect("a stream");
        held.push(answers.into_inner());
    }
    let producer = |i: usize| {
        let producer = Producer::new(&format!("small-{i}"), &[port]);
        tokio::spawn(push_small(producer, 1, 10))
    };
    let longest = longest_of((0..10).map(producer).collect()).await;
    assert!(longest < WAIT_MAX, "held up: {longest:?}");

    // Now they look, and find everything acknowledged.
    for mut answers in held {
        let mut last = 0;
        while let Some(answer) = answers.message().await.expect("an answer") {
            last = answer.sequence;
        }
        assert_eq!(last, MESSAGES);
    }
    let mut recount = Recount::default();
    recount.add_again(&small(0), SILENT as u64 * MESSAGES);
    recount.add_again(&small(1), 100);
    end_exact(cluster, &recount);
}
