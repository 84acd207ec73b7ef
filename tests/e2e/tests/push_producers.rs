//! Who pushes: producers that restart without a memory, two with one name, ingests that leave while
//! somebody streams to them, and messages with a key in place of a producer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use logtally_e2e::cluster::Layout;
use logtally_e2e::push_client::{Producer, client, reason};
use logtally_e2e::push_scene::{PushScene, Writer};
use logtally_proto::v1::{Guarantee, PushRequest};
use rand::Rng;
use tonic::{Code, Status};
use xxhash_rust::xxh3::xxh3_64;

const WITHIN: Duration = Duration::from_secs(20);

fn scene() -> PushScene {
    PushScene::start(Layout { exporters: 1, ..Layout::default() })
}

/// Streams what a producer has in its log, from where the store says that it is; dies at a random
/// moment. The note of a message is how much of the log is sent with it.
async fn stream_and_die(scene: &PushScene, log: &[Bytes], life: Duration) -> Producer {
    let mut producer = scene.producer("p");
    let opened = producer.open(WITHIN).await.expect("opened");
    let sent = opened.note.unwrap_or(0) as usize;
    assert_eq!(sent as u64, opened.sequence, "one note per message");
    if sent > 0 {
        assert_eq!(opened.content_hash, xxh3_64(&log[sent - 1]), "of the last message");
    }
    let living = async {
        for (note, records) in (sent as u64 + 1..).zip(&log[sent..]) {
            producer.push(records, Some(note), WITHIN).await.expect("acknowledged");
        }
    };
    // To be cut off in the middle of a push is what this is about.
    let _ = tokio::time::timeout(life, living).await;
    producer
}

fn assert_fenced(status: &Status) {
    assert_eq!(
        (status.code(), reason(status).as_str()),
        (Code::FailedPrecondition, "PRODUCER_FENCED"),
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_producer_without_memory_goes_on_and_its_older_self_is_refused() {
    const LIVES: usize = 12;
    let mut scene = scene();
    let mut writer = scene.writer();
    let log = writer.messages(600, 20);
    let mut before: Option<Producer> = None;
    for _ in 0..LIVES {
        let life = Duration::from_millis(scene.rng.random_range(20..200));
        let producer = stream_and_die(&scene, &log, life).await;
        if let Some(mut old) = before.replace(producer) {
            // It still has something to say, to both ingests. They may know its epoch from before.
            for _ in 0..2 {
                old.move_on();
                let refused = old.try_push(old.next(&Bytes::from("ghost,job\n"), None)).await;
                assert_fenced(&refused.expect_err("an old epoch"));
            }
        }
    }
    let end = stream_and_die(&scene, &log, WITHIN).await;
    assert_eq!(end.sequence(), log.len() as u64);
    scene.end_exact(&log);
}

/// The last message, number and hash, that each opening has found. What was refused because of an
/// opening is counted if that has found it.
type Openings = Arc<Mutex<BTreeSet<(u64, u64)>>>;

/// Opens a name and pushes under it until it is refused; again and again. Returns what was
/// acknowledged, and what was refused.
async fn contend(
    mut producer: Producer,
    mut writer: Writer,
    openings: Openings,
) -> (Vec<Bytes>, Vec<(u64, Bytes)>) {
    const OPENINGS: usize = 20;
    let (mut counted, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        let opened = producer.open(WITHIN).await.expect("opened");
        let found = (opened.sequence, opened.content_hash);
        openings.lock().expect("the openings").insert(found);
        // Nobody may be left to refuse it.
        while writer.rng.random_bool(0.95) {
            let records = writer.message(10);
            if let Err(status) = producer.push(&records, None, WITHIN).await {
                assert_fenced(&status);
                refused.push((producer.sequence() + 1, records));
                break;
            }
            counted.push(records);
            tokio::time::sleep(Duration::from_millis(writer.rng.random_range(0..10))).await;
        }
    }
    (counted, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_producers_with_one_name_only_one_counts_at_a_time() {
    let mut scene = scene();
    let openings = Openings::default();
    let start = |i: usize| {
        let (mut producer, writer) = (scene.producer("p"), scene.writer());
        (0..i).for_each(|_| producer.move_on());
        tokio::spawn(contend(producer, writer, Arc::clone(&openings)))
    };
    let contending: Vec<_> = (0..2).map(start).collect();
    let (mut counted, mut fenced) = (Vec::new(), 0);
    for producer in contending {
        let (acknowledged, refused) = producer.await.expect("a producer");
        fenced += refused.len();
        let openings = openings.lock().expect("the openings");
        let found =
            |(number, records): &(u64, Bytes)| openings.contains(&(*number, xxh3_64(records)));
        counted.extend(refused.into_iter().filter(found).map(|(_, records)| records));
        counted.extend(acknowledged);
    }
    assert!(fenced > 0, "they have met");
    scene.end_exact(&counted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_older_of_two_producers_is_fenced_at_every_ingest() {
    let mut scene = scene();
    let mut writer = scene.writer();
    let (mut older, mut newer) = (scene.producer("p"), scene.producer("p"));
    older.open(WITHIN).await.expect("opened");
    let first = writer.messages(3, 20);
    older.stream(&first, WITHIN).await.expect("acknowledged");
    newer.move_on();
    let opened = newer.open(WITHIN).await.expect("opened");
    assert_eq!(opened.sequence, 3, "what the older one pushed stays, and the numbers go on");
    assert_ne!(newer.epoch(), older.epoch());
    let ghost = [Bytes::from("ghost,job\n")];
    for _ in 0..2 {
        assert_fenced(&older.try_stream(&ghost).await.expect_err("fenced"));
        assert_fenced(&older.try_push(older.next(&ghost[0], None)).await.expect_err("fenced"));
        older.move_on();
    }
    let more = writer.messages(3, 20);
    newer.stream(&more, WITHIN).await.expect("acknowledged");
    assert_eq!(newer.sequence(), 6);
    scene.end_exact(&writer.written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ingest_that_leaves_is_drained_and_the_streams_go_on_elsewhere() {
    const PRODUCERS: usize = 4;
    let mut scene = scene();
    let left = Arc::new(AtomicBool::new(false));
    let start = |i: usize| {
        let (mut producer, mut writer) = (scene.producer(&format!("p{i}")), scene.writer());
        let left = Arc::clone(&left);
        tokio::spawn(async move {
            producer.open(WITHIN).await.expect("opened");
            producer.pace = Duration::from_millis(5);
            // One more when it has left.
            let mut last = false;
            while !last {
                last = left.load(Ordering::SeqCst);
                let messages = writer.messages(200, 20);
                producer.stream(&messages, WITHIN).await.expect("acknowledged");
            }
            (producer, writer)
        })
    };
    let streaming: Vec<_> = (0..PRODUCERS).map(start).collect();
    scene.random_moment(Duration::from_millis(500));
    let ended = scene.cluster.ingests[0].program.terminate();
    assert_eq!(ended.code(), Some(0), "a clean end");
    left.store(true, Ordering::SeqCst);

    let (mut written, mut reasons) = (Vec::new(), Vec::new());
    for producer in streaming {
        let (producer, writer) = producer.await.expect("a producer");
        reasons.extend(producer.account.failed.into_keys());
        written.extend(writer.written);
    }
    assert!(reasons.iter().any(|why| why == "DRAINING"), "they were told: {reasons:?}");
    scene.cluster.ingests[0].program.start();
    scene.end_exact(&written);
}

fn keyed(key: &str, records: &Bytes) -> PushRequest {
    PushRequest {
        idempotency_key: key.to_owned(),
        records: records.clone(),
        ..PushRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_counts_once_at_whichever_ingest_it_comes() {
    const KEYS: usize = 20;
    let mut scene = scene();
    let mut writer = scene.writer();
    let clients: Vec<_> = scene.cluster.push_ports().into_iter().map(client).collect();
    for i in 0..KEYS {
        let (key, records) = (format!("key-{i}"), writer.message(10));
        let (mut one, mut other) = (clients[i % 2].clone(), clients[(i + 1) % 2].clone());
        // At the same time: either may be first, or be told to come again.
        let (first, second) =
            tokio::join!(one.push(keyed(&key, &records)), other.push(keyed(&key, &records)));
        // Each of the two may believe that it was the first one. The page knows better.
        assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
        let again = one.push(keyed(&key, &records)).await.expect("a duplicate").into_inner();
        assert_eq!((again.duplicates, again.counted), (1, 0), "{again:?}");
        assert_eq!(again.guarantee(), Guarantee::ExactlyOnce);
        let other_content = keyed(&key, &Bytes::from("ghost,job\n"));
        let refused = other.push(other_content).await.expect_err("another content");
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
        assert_eq!(reason(&refused), "CONTENT_CONFLICT");
    }
    scene.end_exact(&writer.written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_name_and_a_key_the_answer_says_at_least_once() {
    let mut scene = scene();
    let mut writer = scene.writer();
    let mut client = client(scene.cluster.ingests[0].port);
    for _ in 0..2 {
        // The same lines, and no retry: nobody could tell, so both count.
        let records = writer.message_of(&[0, 1, 1, 2]);
        let answer = client.push(keyed("", &records)).await.expect("counted").into_inner();
        assert_eq!(answer.guarantee(), Guarantee::AtLeastOnce);
        assert_eq!((answer.sequence, answer.counted, answer.duplicates), (0, 4, 0));
        assert!(answer.durable);
    }
    scene.end_exact(&writer.written);
}
