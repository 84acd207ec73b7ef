//! The store loses what had been acknowledged as not durable: producers are told where to go on, and
//! when they do, each message is counted once.

use std::time::Duration;

use logtally_e2e::cluster::Layout;
use logtally_e2e::push_client::{Producer, reason};
use logtally_e2e::push_scene::PushScene;
use tonic::{Code, Status};
use tonic_types::StatusExt;

const WITHIN: Duration = Duration::from_secs(20);

fn scene() -> PushScene {
    PushScene::start(Layout { durability: "applied", appendfsync: "everysec", ..Layout::default() })
}

/// The last message that is counted, as the refusal of a later one says.
fn last_counted(status: &Status) -> u64 {
    let told = (status.code(), reason(status));
    assert_eq!(told, (Code::OutOfRange, "SEQUENCE_GAP".to_owned()), "{status:?}");
    let info = status.get_details_error_info().expect("a reason");
    info.metadata["sequence"].parse().expect("a number")
}

async fn opened(scene: &PushScene) -> Producer {
    let mut producer = scene.producer("p");
    producer.open(WITHIN).await.expect("opened");
    producer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_store_forgot_is_asked_for_again() {
    const EACH: usize = 30;
    let mut scene = scene();
    let mut writer = scene.writer();
    let mut producer = opened(&scene).await;
    let kept = writer.messages(EACH, 20);
    producer.stream(&kept, WITHIN).await.expect("acknowledged");

    let older = tempfile::tempdir().expect("a folder for the copy");
    let redis = &mut scene.cluster.redis;
    redis.stop();
    redis.copy_data_to(older.path());
    redis.restart();
    let forgotten = writer.messages(EACH, 20);
    producer.stream(&forgotten, WITHIN).await.expect("acknowledged");
    assert!(producer.account.not_durable > 0, "no promise that it survives");
    let redis = &mut scene.cluster.redis;
    redis.kill();
    redis.restore_data_from(older.path());
    redis.restart();

    let next = writer.message(20);
    let refused = producer.push(&next, None, WITHIN).await.expect_err("messages are missing");
    assert_eq!(last_counted(&refused), EACH as u64);
    producer.go_back(EACH as u64);
    producer.stream(&forgotten, WITHIN).await.expect("acknowledged");
    producer.push(&next, None, WITHIN).await.expect("acknowledged");
    scene.end_exact(&writer.written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_producer_whose_opening_was_forgotten_is_refused_and_opens_again() {
    let mut scene = scene();
    let mut writer = scene.writer();
    let mut producer = opened(&scene).await;
    let kept = writer.messages(10, 20);
    producer.stream(&kept, WITHIN).await.expect("acknowledged");
    let older = tempfile::tempdir().expect("a folder for the copy");
    let redis = &mut scene.cluster.redis;
    redis.stop();
    redis.copy_data_to(older.path());
    redis.restart();
    // A new epoch and a message, both of which the store then forgets. A second opening brings back
    // the numbers, and never the epoch.
    producer.open(WITHIN).await.expect("opened");
    let forgotten = writer.messages(5, 20);
    producer.stream(&forgotten, WITHIN).await.expect("acknowledged");
    let redis = &mut scene.cluster.redis;
    redis.kill();
    redis.restore_data_from(older.path());
    redis.restart();

    let refused = producer.push(&forgotten[0], None, WITHIN).await.expect_err("forgotten");
    assert_eq!(reason(&refused), "PRODUCER_FENCED", "{refused:?}");
    let again = producer.open(WITHIN).await.expect("opened");
    assert_eq!(again.sequence, 10, "what is counted");
    producer.stream(&forgotten, WITHIN).await.expect("acknowledged");
    scene.end_exact(&writer.written);
}
