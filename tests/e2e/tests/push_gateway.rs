//! Gateways: ingests that read no files, with the configuration that is shipped for Kubernetes. Pods
//! come and go there; here, processes do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use logtally_e2e::cluster::Layout;
use logtally_e2e::http;
use logtally_e2e::program::{Finished, Program};
use logtally_e2e::push_scene::PushScene;

const WITHIN: Duration = Duration::from_secs(20);

/// A file of the `ConfigMap`, which is indented by four blanks there.
fn shipped(name: &str) -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../k8s/config.yaml");
    let manifest = fs::read_to_string(manifest).expect("the manifest");
    let mut lines = manifest.lines().skip_while(|line| line.trim() != format!("{name}: |"));
    lines.next().expect("the file in the manifest");
    let inside = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    inside.map(|line| line.get(4..).unwrap_or("").to_owned() + "\n").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gateways_that_come_and_go_lose_and_repeat_nothing() {
    const ROUNDS: usize = 4;
    let config = Some(shipped("gateway.yaml"));
    let layout = Layout { ingests: 3, config, reads_files: false, ..Layout::default() };
    let mut scene = PushScene::start(layout);
    let mut writer = scene.writer();
    let mut producer = scene.producer("p");
    producer.open(WITHIN).await.expect("opened");
    for round in 0..ROUNDS {
        producer.pace = Duration::from_millis(5);
        let messages = writer.messages(100, 20);
        // It is scaled down by the one that is streamed to.
        let leaving = producer.at();
        let streaming = tokio::spawn(async move {
            let streamed = producer.stream(&messages, WITHIN).await;
            (streamed, producer)
        });
        scene.random_moment(Duration::from_millis(300));
        let ended = scene.cluster.ingests[leaving].program.terminate();
        assert_eq!(ended.code(), Some(0), "round {round}: a clean end");
        let (streamed, back) = streaming.await.expect("a producer");
        streamed.expect("acknowledged, by the others");
        producer = back;
        scene.cluster.ingests[leaving].program.start();
        scene.cluster.ingests[leaving].wait_ready();
        let records = writer.message(10);
        let port = scene.cluster.ingests[leaving].push;
        let answer = http::send(port, "POST", "/push", &[], &records).expect("an answer");
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
    }
    assert!(producer.account.failures() > 0, "somebody left in the middle");
    scene.end_exact(&writer.written);
}

#[test]
fn a_gateway_refuses_a_configuration_with_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("logtally.yaml");
    fs::write(&config, shipped("logtally.yaml")).expect("writing");
    let finished: Finished = Program::new(folder.path(), "gateway", "logtally-ingest")
        .args(["--aggregators", "127.0.0.1:1", "--config.file"])
        .arg(&config)
        .args(["--grpc.listen-address", "127.0.0.1:0", "--push.listen-address", "127.0.0.1:0"])
        .args(["--admin.listen-address", "127.0.0.1:0"])
        .run(WITHIN);
    assert_eq!(finished.code(), 3, "{finished:?}");
    assert!(finished.stderr.contains("--volume"), "{}", finished.stderr);
}
