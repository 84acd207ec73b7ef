//! The product's own clients, the crate and `logtally push`, over a bad network to programs that are
//! killed: what they say is counted is counted once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use logtally_client::{Guarantee, Options, Producer};
use logtally_e2e::cluster::Layout;
use logtally_e2e::program::{Finished, Program};
use logtally_e2e::push_proxy::{PushProxy, Rates};
use logtally_e2e::push_scene::{PushScene, Writer};
use rand::Rng;

const WITHIN: Duration = Duration::from_secs(50);
const LONGEST_MOMENT: Duration = Duration::from_millis(400);

fn options(name: &str, port: u16, seed: u64) -> Options {
    Options {
        endpoints: vec![format!("http://127.0.0.1:{port}")],
        producer: Some(name.to_owned()),
        message_bytes: 100,
        linger: Duration::from_millis(5),
        answer_timeout: Duration::from_secs(2),
        give_up: Some(WITHIN),
        seed: Some(seed),
        ..Options::default()
    }
}

/// Pushes lines one by one, in three lives of the same producer: each goes on where the store is.
async fn push_lines(name: String, port: u16, mut writer: Writer) -> (u64, Writer) {
    let (mut counted, mut lines) = (0, 0);
    for _life in 0..3 {
        let seed = writer.rng.random();
        let producer = Producer::open(options(&name, port, seed)).await.expect("opened");
        for _ in 0..writer.rng.random_range(300..800) {
            let line = writer.message(1);
            producer.push(line.trim_ascii_end()).await.expect("taken");
            lines += 1;
            if writer.rng.random_bool(0.05) {
                tokio::time::sleep(Duration::from_millis(writer.rng.random_range(0..30))).await;
            }
        }
        let summary = producer.flush().await.expect("acknowledged");
        assert_eq!(summary.guarantee, Guarantee::ExactlyOnce);
        assert!(summary.durable && summary.rejected.is_empty(), "{summary:?}");
        counted += summary.counted;
    }
    // What a lost answer would have told is not told again.
    assert!(counted <= lines, "{counted} of {lines}");
    (counted, writer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_client_counts_once_whatever_is_killed_or_lost() {
    const PRODUCERS: usize = 4;
    let mut scene = PushScene::start(Layout::default());
    let ports = scene.cluster.push_ports();
    let proxy = PushProxy::start(&ports, Rates::BAD, &mut scene.rng).await;
    let start =
        |i: usize| tokio::spawn(push_lines(format!("client-{i}"), proxy.port(), scene.writer()));
    let pushing: Vec<_> = (0..PRODUCERS).map(start).collect();
    for round in 0..6 {
        scene.random_moment(LONGEST_MOMENT);
        let which = scene.rng.random_range(0..2);
        match round % 3 {
            0 => scene.cluster.ingests[which].program.restart(),
            1 => scene.cluster.aggregators[which].program.restart(),
            _ => scene.cluster.redis.restart(),
        }
    }
    let mut written: Vec<Bytes> = Vec::new();
    for producer in pushing {
        let (_, writer) = producer.await.expect("a producer");
        written.extend(writer.written);
    }
    assert_streams_suffered(&proxy);
    scene.end_exact(&written);
}

/// The clients stream, so single calls need not have suffered. They send few messages, so of the faults
/// that break a stream it is a matter of chance which one came by.
fn assert_streams_suffered(proxy: &PushProxy) {
    let did = proxy.did();
    println!("{did:?}");
    let times =
        |faults: [&AtomicU64; 2]| faults.map(|n| n.load(Ordering::Relaxed)).iter().sum::<u64>();
    let repeated = times([&did.repeated_at_once, &did.repeated_later]);
    let broken = times([&did.streams_ended, &did.streams_muted]);
    assert!(repeated > 0 && broken > 0 && did.delayed.load(Ordering::Relaxed) > 0, "{did:?}");
}

/// `logtally push` of these files, as a program.
fn push_command(folder: &Path, files: &[PathBuf], port: u16) -> Program {
    Program::new(folder, "push", "logtally")
        .arg("push")
        .arg("--to")
        .arg(format!("http://127.0.0.1:{port}"))
        .args(["--give-up", "50s", "--output", "json"])
        .args(files)
}

fn assert_pushed(finished: &Finished) {
    assert_eq!(finished.code(), 0, "{finished:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_command_goes_on_where_it_was() {
    const KILLS: usize = 6;
    let mut scene = PushScene::start(Layout { exporters: 1, ..Layout::default() });
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = scene.writer();
    let mut files = Vec::new();
    for i in 0..3 {
        let path = folder.path().join(format!("jobs-{i}.csv"));
        // Several messages of the command each.
        let lines = writer.message(40_000);
        std::fs::write(&path, &lines).expect("written");
        files.push(path);
    }
    let ports = scene.cluster.push_ports();
    let slow = Rates { delay: 0.8, longest: Duration::from_millis(80), ..Rates::BAD };
    let proxy = PushProxy::start(&ports, slow, &mut scene.rng).await;
    for _ in 0..KILLS {
        let mut command = push_command(folder.path(), &files, proxy.port());
        command.start();
        scene.random_moment(LONGEST_MOMENT);
        command.kill();
    }
    let (path, port) = (folder.path().to_owned(), proxy.port());
    let last = {
        let files = files.clone();
        tokio::task::spawn_blocking(move || push_command(&path, &files, port).run(WITHIN))
    };
    assert_pushed(&last.await.expect("ran"));
    // Once more: nothing is left to do.
    let path = folder.path().to_owned();
    let again = tokio::task::spawn_blocking(move || push_command(&path, &files, port).run(WITHIN));
    assert_pushed(&again.await.expect("ran"));
    println!("{:?}", proxy.did());
    scene.end_exact(&writer.written);
}
