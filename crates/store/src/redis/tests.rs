//! Steps that the public functions never stop between: a fold that dies, sleeps, or meets a rollback
//! after each of them, and a load that does.

mod dead_folders;

mod late_folders;

mod late_loads;

use std::collections::BTreeMap;

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::{Partition, bucket_of};
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_testkit::RedisServer;
use tempfile::TempDir;

use super::counts::{Sums, pieces, sums};
use super::fold::Round;
use super::partition::RedisPartition;
use super::{Key, MARKER, RedisOptions, RedisStore};
use crate::error::StoreError;
use crate::model::Opening;
use crate::traits::{CountStore, SnapshotReader};

const P: Partition = Partition(0);

/// More series than one script may write, so that a fold has several pieces.
const MANY: usize = 5_000;

/// A store, and an independent recount of what was committed to it.
struct Bench {
    server: RedisServer,
    store: RedisStore,
    copy: TempDir,
    recount: Recount,
    saved: Recount,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Recount {
    position: u64,
    entries: u64,
    counts: BTreeMap<SeriesKey, u64>,
}

impl Bench {
    async fn new() -> Self {
        let server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "no"]);
        let store = connect(&server);
        store.create(Some(1)).await.expect("a fresh server");
        let fresh = SourceState::start(Generation(1));
        let opening = Opening { source: source(), expected: None, fresh };
        assert!(store.open(P, &opening).await.expect("answers").installed);
        let copy = tempfile::tempdir().expect("a temporary folder");
        Self { server, store, copy, recount: Recount::default(), saved: Recount::default() }
    }

    async fn place(&self) -> RedisPartition<'_> {
        self.store.to_write(&self.store.bulk, P).await.expect("answers")
    }

    /// Commits one record that counts 1 for each of `hosts`.
    async fn commit(&mut self, hosts: &[&str]) -> Mark {
        let keys: Vec<SeriesKey> = hosts.iter().map(|host| series(host)).collect();
        let position = self.recount.position;
        let delta = Delta {
            source: source(),
            generation: Generation(1),
            span: Span::new(position, position + 1).expect("a span"),
            tail_before: tail(position),
            tail_after: tail(position + 1),
            note: None,
            records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
            families: vec![family()],
            limits: Vec::new(),
            increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))),
        };
        let (batch, _) = Batch::build([delta]);
        let committed = self.store.commit(P, &batch, Nonce(rand::random())).await;
        for key in keys {
            *self.recount.counts.entry(key).or_default() += 1;
        }
        self.recount.position += 1;
        self.recount.entries += 1;
        committed.expect("answers").applied.expect("admitted")
    }

    /// Commits one record that counts 1 for each of [`MANY`] hosts.
    async fn commit_many(&mut self) -> Mark {
        let hosts: Vec<String> = (0..MANY).map(|n| format!("many-{n}")).collect();
        self.commit(&hosts.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Forgets the series of `hosts`.
    async fn forget(&mut self, hosts: &[&str]) -> Mark {
        let keys: Vec<SeriesKey> = hosts.iter().map(|host| series(host)).collect();
        for key in &keys {
            self.recount.counts.remove(key);
        }
        self.recount.entries += 1;
        let forgotten = self.store.forget(P, &keys, Nonce(rand::random())).await;
        forgotten.expect("answers").expect("an entry")
    }

    async fn fold(&self) {
        self.store.fold(P).await.expect("folds");
    }

    fn save(&mut self) {
        self.server.stop();
        self.server.copy_data_to(self.copy.path());
        self.server.restart();
        self.store = connect(&self.server);
        self.saved = self.recount.clone();
    }

    fn roll_back(&mut self) {
        self.server.kill();
        self.server.restore_data_from(self.copy.path());
        self.server.restart();
        self.store = connect(&self.server);
        self.recount = self.saved.clone();
    }

    /// The store says what the recount says: now, and after everything is folded, and after more.
    async fn check(&mut self) {
        self.check_load().await;
        self.fold().await;
        self.check_load().await;
        self.commit_many().await;
        self.commit(&["a", "b", "c"]).await;
        self.check_load().await;
        self.fold().await;
        self.check_load().await;
    }

    async fn check_load(&self) {
        let snapshot = self.store.load(P).await.expect("loads");
        assert_eq!(snapshot.at.seq, self.recount.entries);
        let counts =
            snapshot.counts.to_map().into_iter().map(|(key, count)| (key, count.amount.count));
        let counts: BTreeMap<SeriesKey, u64> = counts.collect();
        let differing = counts.iter().find(|(key, n)| self.recount.counts.get(*key) != Some(n));
        assert_eq!(differing, None);
        assert_eq!(counts.len(), self.recount.counts.len());
    }
}

impl Round {
    /// The pieces that this round would write, by the number of counts hashes in each.
    async fn write_pieces(
        &self,
        place: &RedisPartition<'_>,
        sums: &[Sums<'_>],
        count: usize,
    ) -> Result<(), StoreError> {
        for piece in pieces(sums).into_iter().take(count) {
            self.write(place, piece).await?;
        }
        Ok(())
    }
}

fn connect(server: &RedisServer) -> RedisStore {
    RedisStore::connect(&server.url(), RedisOptions::default()).expect("a valid address")
}

fn source() -> SourceId {
    SourceId::new("source").expect("valid")
}

fn tail(position: u64) -> Tail {
    if position == 0 { Tail::empty() } else { Tail(position) }
}

fn family() -> Family {
    Family::new("log_lines", Kind::Gauge, "Lines", &["host"])
}

fn series(host: &str) -> SeriesKey {
    SeriesKey::new(family().id(), [host])
}

/// Two hosts whose series lie in different counts hashes.
fn apart() -> (String, String) {
    let bucket = |host: &String| bucket_of(series(host).as_bytes());
    let hosts: Vec<String> = (0..100).map(|n| format!("host-{n}")).collect();
    let other = hosts.iter().find(|host| bucket(host) != bucket(&hosts[0]));
    (hosts[0].clone(), other.expect("100 hosts lie in more than one hash").clone())
}

fn is_moved<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Moved(_)))
}
