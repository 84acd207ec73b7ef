//! The suite over Redis, on a server of its own for every case, and what only a server that others
//! share can be asked: lost scripts, lost keys, a wipe, a pause, settings that lose data.

mod keys;

mod outages;

mod races;

mod settings;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Client, Cmd, Connection, FromRedisValue, cmd};
use async_trait::async_trait;
use logtally_core::partition::Partition;
use logtally_store::redis::{Key, RedisOptions, RedisStore};
use logtally_store::{SharedStore, StoreError};
use logtally_testkit::RedisServer;
use tempfile::TempDir;

use crate::backend::{Backend, Damage, conformance};

conformance!(crate::redis::Redis);

/// What a shutdown writes to disk is enough for most cases, and a commit need not wait for the disk.
pub(crate) const APPEND_ONLY: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

/// Time that a test really waits; more than this is made up.
const WAIT_MS_MAX: u64 = 50;

pub(crate) struct Redis {
    server: Mutex<RedisServer>,
    store: Mutex<Arc<RedisStore>>,
    copy: TempDir,
}

impl Redis {
    pub(crate) fn with(options: &[&str]) -> Self {
        let server = RedisServer::start(options);
        let store = Mutex::new(Arc::new(connect(&server.url())));
        let copy = tempfile::tempdir().expect("a temporary folder");
        Self { server: Mutex::new(server), store, copy }
    }

    pub(crate) fn url(&self) -> String {
        self.server(|server| server.url())
    }

    /// The store of this place as another process sees it.
    pub(crate) fn another_store(&self) -> SharedStore {
        Arc::new(connect(&self.url()))
    }

    pub(crate) fn redis_store(&self) -> Arc<RedisStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn server<T>(&self, f: impl FnOnce(&mut RedisServer) -> T) -> T {
        f(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What `redis-cli` would answer.
    pub(crate) fn run<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let mut connection = self.connection();
        command.query(&mut connection).expect("the server answers")
    }

    pub(crate) fn connection(&self) -> Connection {
        Client::open(self.url()).and_then(|c| c.get_connection()).expect("the server answers")
    }

    pub(crate) fn delete(&self, key: Key) {
        let deleted: u64 = self.run(cmd("DEL").arg(key.to_string()));
        assert_eq!(deleted, 1, "{key} was there");
    }

    fn copy_path(&self) -> PathBuf {
        self.copy.path().join("data")
    }

    /// Stops the server, lets `f` handle its files, and starts it again with new connections.
    pub(crate) fn while_stopped(&self, f: impl FnOnce(&mut RedisServer)) {
        self.server(|server| {
            server.stop();
            f(server);
            server.restart();
        });
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(connect(&self.url()));
    }
}

pub(crate) fn connect(url: &str) -> RedisStore {
    RedisStore::connect(url, RedisOptions::default()).expect("a valid address")
}

/// Calls `f` until it succeeds; an error that nobody mends fails the test.
pub(crate) async fn until_available<T>(mut f: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    loop {
        match f().await {
            Ok(value) => return value,
            Err(e) => assert!(e.is_transient(), "{e}"),
        }
    }
}

#[async_trait]
impl Backend for Redis {
    // Each rollback restarts a server.
    const HISTORIES: u64 = 4;
    const CLOCK_IS_OURS: bool = false;
    const PARTITIONS_DEFAULT: u16 = 4;

    async fn fresh() -> Self {
        Self::with(&APPEND_ONLY)
    }

    fn store(&self) -> SharedStore {
        self.redis_store()
    }

    /// The server's clock cannot be moved. What little time the cases want between two commits is
    /// really waited for; for more, the one stored time that is ever compared with the clock is set
    /// back.
    async fn advance(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms.min(WAIT_MS_MAX))).await;
        let rest = ms.saturating_sub(WAIT_MS_MAX);
        for at in [Partition(0), Partition(1)] {
            let head = Key::Head(at).to_string();
            let trim: Option<String> = self.run(cmd("HGET").arg(&head).arg("trim"));
            let Some((place, since)) = trim.as_deref().and_then(|t| t.split_once(' ')) else {
                continue;
            };
            let since = since.parse::<u64>().expect("a time") - rest;
            self.run::<()>(cmd("HSET").arg(head).arg("trim").arg(format!("{place} {since}")));
        }
    }

    async fn damage(&self, damage: Damage) {
        match damage {
            Damage::Meta => self.delete(Key::Meta),
            Damage::Head(at) => self.delete(Key::Head(at)),
            Damage::MetaAndHeads => {
                for key in [Key::Meta, Key::Head(Partition(0)), Key::Head(Partition(1))] {
                    self.delete(key);
                }
            }
            Damage::Entry(at, seq) => {
                let journal = Key::Journal(at).to_string();
                let removed: u64 = self.run(cmd("XDEL").arg(journal).arg(format!("{seq}-0")));
                assert_eq!(removed, 1, "entry {seq} was there");
            }
        }
    }

    async fn save(&self) {
        let copy = self.copy_path();
        self.while_stopped(|server| server.copy_data_to(&copy));
    }

    async fn roll_back(&self) {
        let copy = self.copy_path();
        self.while_stopped(|server| server.restore_data_from(&copy));
    }
}
