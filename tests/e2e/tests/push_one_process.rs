//! Pushes to `logtally run`: the same service beside the files, on the embedded store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use logtally_e2e::cluster::scrape;
use logtally_e2e::exposition::series;
use logtally_e2e::http;
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::program::Program;
use logtally_e2e::push_client::Producer;
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{free_port, local};
use rand::Rng;

const WITHIN: Duration = Duration::from_secs(20);

struct Scene {
    _folder: tempfile::TempDir,
    one: OneProcess,
    grpc: u16,
    push: u16,
}

impl Scene {
    fn start(store: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (grpc, push) = (free_port(), free_port());
        std::fs::write(folder.path().join("file.csv"), "file,job\n").expect("writing");
        let files = folder.path().join("*.csv");
        let mut one = OneProcess::new(folder.path(), store, &[files]).args(&[
            "--grpc.listen-address",
            &local(grpc),
            "--push.listen-address",
            &local(push),
        ]);
        one.program.start();
        Self { _folder: folder, one, grpc, push }
    }

    fn shows(&self, expected: &[(&str, u64)]) {
        until("the page", WITHIN, || {
            let page = scrape(self.one.port)?;
            let right = |(host, count): &(&str, u64)| {
                page.get(&series(host, "job")).copied().unwrap_or(0) == *count
            };
            holds(expected.iter().all(right), || format!("{page:?}"))
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_count_beside_files_and_survive_kills() {
    const KILLS: usize = 8;
    let mut rng = seed::rng();
    let mut scene = Scene::start("store");
    let mut producer = Producer::new("p", &[scene.grpc]);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let pushing = tokio::spawn(async move {
        producer.open(WITHIN).await.expect("opened");
        while !stopped.load(Ordering::SeqCst) {
            let records = Bytes::from_static(b"pushed,job\n");
            producer.push(&records, None, WITHIN).await.expect("acknowledged");
        }
        producer.account
    });
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(rng.random_range(50..400)));
        scene.one.program.restart();
    }
    stop.store(true, Ordering::SeqCst);
    let account = pushing.await.expect("a producer");
    let messages = account.acknowledged;
    println!("{account:?}");
    assert!(account.failures() > 0, "the kills were real");
    assert_eq!(account.not_durable, 0, "a transaction of the embedded store is on the disk");
    scene.shows(&[("pushed", messages), ("file", 1)]);

    let answer = until("an answer", WITHIN, || {
        let key = [("Idempotency-Key", "k")];
        let answer = http::send(scene.push, "POST", "/push", &key, b"keyed,job\n");
        answer.map_err(|e| e.to_string())
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    scene.one.program.restart();
    until("an answer", WITHIN, || {
        let key = [("Idempotency-Key", "k")];
        let again = http::send(scene.push, "POST", "/push", &key, b"keyed,job\n");
        let again = again.map_err(|e| e.to_string())?;
        holds(again.status == 200, || again.text())?;
        assert!(again.text().contains("\"duplicate\":true"), "{}", again.text());
        Ok(())
    });
    scene.shows(&[("pushed", messages), ("file", 1), ("keyed", 1)]);
    assert_eq!(scene.one.program.terminate().code(), Some(0));
}

#[test]
fn without_the_flags_nobody_listens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("file.csv"), "file,job\n").expect("writing");
    let mut one = OneProcess::new(folder.path(), "store", &[folder.path().join("file.csv")]);
    one.program.start();
    logtally_e2e::cluster::wait_for_records(one.port, 1, WITHIN);
    for path in ["/push", "/metrics/job/x", "/producers/x"] {
        for port in [one.port, one.admin] {
            let answer = http::send(port, "POST", path, &[], b"a,b\n").expect("an answer");
            assert!([404, 405].contains(&answer.status), "{path}: {}", answer.text());
        }
    }
}

#[test]
fn an_address_that_is_taken_is_told_with_the_flag() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    for flag in ["--grpc.listen-address", "--push.listen-address"] {
        let finished = Program::new(folder.path(), "run", "logtally")
            .args(["run", "--store", "memory:", flag, &local(port)])
            .args(["--web.listen-address", "127.0.0.1:0", "--admin.listen-address", "127.0.0.1:0"])
            .run(WITHIN);
        assert_ne!(finished.code(), 0);
        assert!(finished.stderr.contains(flag), "{}", finished.stderr);
    }
}
