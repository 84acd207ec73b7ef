//! What `check_server` says about a server.

use ::redis::cmd;
use logtally_store::StoreError;
use logtally_store::redis::{Durability, RedisOptions, RedisStore};

use super::{APPEND_ONLY, Redis, connect};

fn text(result: Result<Vec<String>, StoreError>) -> String {
    match result {
        Err(StoreError::Mismatch(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_good_server_is_accepted() {
    let place = Redis::with(&APPEND_ONLY);
    let warnings = place.redis_store().check_server().await.expect("accepted");
    assert_eq!(warnings, Vec::<String>::new());
}

#[tokio::test]
async fn an_evicting_server_is_refused_with_the_command_that_mends_it() {
    let place = Redis::with(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"]);
    let text = text(place.redis_store().check_server().await);
    assert!(text.contains("allkeys-lru"), "{text}");
    assert!(text.contains("redis-cli CONFIG SET maxmemory-policy noeviction"), "{text}");
    place.run::<()>(cmd("CONFIG").arg("SET").arg("maxmemory-policy").arg("noeviction"));
    place.redis_store().check_server().await.expect("mended");
}

#[tokio::test]
async fn missing_persistence_is_a_warning() {
    let place = Redis::with(&[]);
    let check = async || place.redis_store().check_server().await.expect("accepted");
    let nothing = check().await;
    assert!(nothing.len() == 1 && nothing[0].contains("nothing is written"), "{nothing:?}");
    place.run::<()>(cmd("CONFIG").arg("SET").arg("save").arg("3600 1"));
    let snapshots = check().await;
    assert!(snapshots.len() == 1 && snapshots[0].contains("snapshots"), "{snapshots:?}");
}

#[tokio::test]
async fn durability_fsync_needs_a_server_that_syncs() {
    let place = Redis::with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let options = RedisOptions { durability: Durability::Fsync, ..RedisOptions::default() };
    let store = RedisStore::connect(&place.url(), options).expect("a valid address");
    let text = text(store.check_server().await);
    assert!(text.contains("everysec") && text.contains("appendfsync always"), "{text}");
    place.run::<()>(cmd("CONFIG").arg("SET").arg("appendfsync").arg("always"));
    assert_eq!(store.check_server().await.expect("mended"), Vec::<String>::new());
}

#[tokio::test]
async fn a_user_without_config_is_only_warned() {
    let place = Redis::with(&APPEND_ONLY);
    let user = ["SETUSER", "aggregator", "on", ">secret", "~lt:*", "+@all", "-config"];
    place.run::<()>(cmd("ACL").arg(&user));
    let url = place.url().replace("redis://", "redis://aggregator:secret@");
    let warnings = connect(&url).check_server().await.expect("accepted");
    assert!(warnings.len() == 1 && warnings[0].contains("CONFIG GET"), "{warnings:?}");
}

/// What a user needs who may only read, and one who may only run the scripts.
#[tokio::test]
async fn least_privilege_is_enough() {
    use crate::words::{P, apply, expected, gauge, install, lines, state, sums_of};
    use logtally_store::{Changes, SharedStore, SnapshotReader};

    let place = Redis::with(&APPEND_ONLY);
    let acl = |user: &str| {
        let words: Vec<&str> = user.split(' ').collect();
        place.run::<()>(cmd("ACL").arg("SETUSER").arg(words));
    };
    acl("aggregator on >w ~lt:* +@read +@write -@dangerous +evalsha +script|load +time +info");
    acl("exporter on >r %R~lt:* +@read -@dangerous +time +info");
    let url = |login: &str| place.url().replace("redis://", &format!("redis://{login}@"));
    let writer: SharedStore = std::sync::Arc::new(connect(&url("aggregator:w")));
    writer.create(Some(2)).await.expect("answers");
    install(&writer, "a", state(1, 0)).await;
    let first = apply(&writer, lines("a", 1, 0..10, "x")).await;
    writer.fold(P).await.expect("folds");
    apply(&writer, lines("a", 1, 10..20, "x")).await;

    let reader = connect(&url("exporter:r"));
    reader.info().await.expect("answers");
    let snapshot = reader.load(P).await.expect("loads");
    assert_eq!(sums_of(&snapshot), expected([(gauge("x"), 20)]));
    let changes = reader.changes(P, first).await.expect("answers");
    assert!(matches!(changes, Changes::Linked { entries, .. } if entries.len() == 1));
}
