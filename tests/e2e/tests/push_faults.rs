//! Pushes over a bad network, to programs that are killed and frozen: what was acknowledged is counted
//! once, and what was not is counted once after it was sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use logtally_e2e::cluster::{Layout, Node};
use logtally_e2e::push_client::{Account, Producer};
use logtally_e2e::push_proxy::{PushProxy, Rates};
use logtally_e2e::push_scene::{PushScene, Writer};
use logtally_e2e::tcp_proxy::TcpProxy;
use logtally_e2e::wait::until;
use rand::Rng;

/// Half of them push one message after the other, half of them stream.
const PRODUCERS: usize = 6;
const KINDS: usize = 6;
const ROUNDS: usize = 2 * KINDS;
const LONGEST_MOMENT: Duration = Duration::from_millis(500);
/// For a message, or a stream of some: longer than a fault and what follows from it.
const WITHIN: Duration = Duration::from_secs(30);

/// Pushes until it is told to stop, and then to the end of what it has begun.
async fn keep_pushing(
    mut producer: Producer,
    mut writer: Writer,
    streams: bool,
    stop: Arc<AtomicBool>,
) -> (Account, Writer) {
    producer.attempt = Duration::from_secs(1);
    producer.open(WITHIN).await.expect("opened");
    while !stop.load(Ordering::SeqCst) {
        let count = if streams { writer.rng.random_range(1..40) } else { 1 };
        let messages = writer.messages(count, 100);
        let pushed = if streams {
            producer.stream(&messages, WITHIN).await
        } else {
            producer.push(&messages[0], None, WITHIN).await.map(drop)
        };
        pushed.unwrap_or_else(|e| panic!("never acknowledged: {e:?}, {:?}", producer.account));
        tokio::time::sleep(Duration::from_millis(writer.rng.random_range(0..20))).await;
    }
    assert_eq!(producer.account.acknowledged, writer.written.len() as u64);
    (producer.account, writer)
}

/// One fault of a kind, at a random moment.
fn fault(kind: usize, scene: &mut PushScene) {
    scene.random_moment(LONGEST_MOMENT);
    let which = scene.rng.random_range(0..2);
    match kind {
        0 => kill_and_start(scene, |scene| &mut scene.cluster.ingests[which]),
        1 => kill_and_start(scene, |scene| &mut scene.cluster.aggregators[which]),
        2 => {
            scene.cluster.redis.kill();
            scene.random_moment(LONGEST_MOMENT);
            scene.cluster.redis.restart();
        }
        3 => {
            scene.cluster.ingests[which].program.pause();
            scene.random_moment(LONGEST_MOMENT * 4);
            scene.cluster.ingests[which].program.resume();
        }
        4 => {
            scene.cluster.redis.pause();
            scene.random_moment(LONGEST_MOMENT);
            scene.cluster.ingests[which].program.restart();
            scene.cluster.redis.resume();
        }
        _ => {
            scene.cluster.ingests.iter_mut().for_each(|i| i.program.kill());
            scene.cluster.aggregators[which].program.restart();
            scene.random_moment(LONGEST_MOMENT);
            scene.cluster.ingests.iter_mut().for_each(|i| i.program.start());
        }
    }
}

fn kill_and_start(scene: &mut PushScene, node: impl Fn(&mut PushScene) -> &mut Node) {
    node(scene).program.kill();
    scene.random_moment(LONGEST_MOMENT);
    node(scene).program.start();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_counts_once_whatever_is_killed_or_lost() {
    let mut scene = PushScene::start(Layout::default());
    let ports = scene.cluster.push_ports();
    let proxy = PushProxy::start(&ports, Rates::BAD, &mut scene.rng).await;
    let stop = Arc::new(AtomicBool::new(false));
    let start = |i: usize| {
        let producer = Producer::new(&format!("producer-{i}"), &[proxy.port()]);
        tokio::spawn(keep_pushing(producer, scene.writer(), i.is_multiple_of(2), Arc::clone(&stop)))
    };
    let pushing: Vec<_> = (0..PRODUCERS).map(start).collect();
    for round in 0..ROUNDS {
        fault(round % KINDS, &mut scene);
    }
    until("every kind of fault", WITHIN, || proxy.is_busy());
    stop.store(true, Ordering::SeqCst);

    let (mut account, mut written) = (Account::default(), Vec::new());
    for producer in pushing {
        let (of, writer) = producer.await.expect("a producer");
        account.add(&of);
        written.extend(writer.written);
    }
    println!("{account:?}\n{:?}", proxy.did());
    assert!(account.failures() > 0 && account.duplicates > 0, "the faults were real");
    assert_eq!(account.not_durable, 0, "every commit was synced");
    scene.end_exact(&written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_answer_makes_a_duplicate_and_no_count() {
    const ROUNDS: usize = 5;
    let mut scene = PushScene::start(Layout { exporters: 1, ..Layout::default() });
    let mut writer = scene.writer();
    let proxies: Vec<TcpProxy> =
        scene.cluster.push_ports().into_iter().map(TcpProxy::start).collect();
    let ports: Vec<u16> = proxies.iter().map(TcpProxy::port).collect();
    let mut producer = Producer::new("p", &ports);
    producer.attempt = Duration::from_secs(1);
    producer.open(WITHIN).await.expect("opened");
    for round in 0..ROUNDS {
        for records in writer.messages(3, 50) {
            producer.push(&records, None, WITHIN).await.expect("acknowledged");
        }
        // Both ways to both ingests are broken for one attempt: nobody can know that it arrived.
        proxies.iter().for_each(TcpProxy::lose_answers);
        let records = writer.message(50);
        let lost = producer.try_push(producer.next(&records, None)).await;
        assert!(lost.is_err(), "round {round}: {lost:?}");
        proxies.iter().for_each(TcpProxy::heal);
        producer.move_on();
        let answer = producer.push(&records, None, WITHIN).await.expect("acknowledged");
        let once = [(1, 0), (0, 50)].contains(&(answer.duplicates, answer.counted));
        assert!(once, "round {round}: {answer:?}");
    }
    assert!(producer.account.duplicates > 0, "only answers were lost: {:?}", producer.account);
    assert!(proxies.iter().map(TcpProxy::lost).sum::<u64>() > 0, "answers were lost");
    scene.end_exact(&writer.written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_frozen_ingest_that_comes_back_counts_nothing_twice() {
    const ROUNDS: usize = 8;
    let mut scene = PushScene::start(Layout { exporters: 1, ..Layout::default() });
    let mut writer = scene.writer();
    let mut producer = scene.producer("p");
    producer.attempt = Duration::from_millis(500);
    producer.open(WITHIN).await.expect("opened");
    for round in 0..ROUNDS {
        // Its messages are on their way to this one when it freezes.
        let frozen = &scene.cluster.ingests[producer.at()].program;
        let messages = writer.messages(20, 50);
        let freeze = async {
            tokio::time::sleep(Duration::from_millis(round as u64)).await;
            frozen.pause();
        };
        let (streamed, ()) = tokio::join!(producer.stream(&messages, WITHIN), freeze);
        streamed.expect("acknowledged, by the other one if need be");
        let more = writer.messages(3, 50);
        producer.stream(&more, WITHIN).await.expect("acknowledged");
        frozen.resume();
        // What it held is old by now. It may also be asked at once for what comes next.
        if round.is_multiple_of(2) {
            producer.move_on();
        }
        let next = writer.message(50);
        producer.push(&next, None, WITHIN).await.expect("acknowledged");
    }
    assert!(producer.account.failures() > 0, "a frozen one was noticed");
    scene.end_exact(&writer.written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushing_waits_while_nothing_can_be_stored() {
    const AWAY: Duration = Duration::from_secs(3);
    let mut scene = PushScene::start(Layout { exporters: 1, ..Layout::default() });
    let mut writer = scene.writer();
    let mut producer = scene.producer("p");
    producer.attempt = Duration::from_secs(1);
    producer.open(WITHIN).await.expect("opened");
    scene.cluster.redis.kill();
    let records = writer.message(100);
    let pushing = tokio::spawn(async move {
        let pushed = producer.push(&records, None, WITHIN).await;
        (pushed, producer)
    });
    // The fault itself lasts this long.
    sleep(AWAY);
    assert!(!pushing.is_finished(), "nothing is acknowledged without a store");
    scene.cluster.redis.restart();
    let (pushed, mut producer) = pushing.await.expect("a producer");
    pushed.expect("acknowledged");
    let messages = writer.messages(10, 50);
    producer.stream(&messages, WITHIN).await.expect("acknowledged");
    scene.end_exact(&writer.written);
}
