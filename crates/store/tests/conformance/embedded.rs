//! The suite over the embedded store, and what only a store on disk can be asked: to be opened
//! again, to be refused to a second process, to survive a killed one, and to keep its layout.

mod layout;

mod damage;

mod processes;

mod reopening;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use logtally_core::partition::Partition;
use logtally_store::SharedStore;
use logtally_store::embedded::EmbeddedStore;
use redb::TableDefinition;
use tempfile::TempDir;

use crate::backend::{Backend, Damage, conformance};

conformance!(crate::embedded::Embedded);

pub(crate) struct Embedded {
    dir: TempDir,
    now_ms: Arc<AtomicU64>,
    store: Mutex<Option<Arc<EmbeddedStore>>>,
}

impl Embedded {
    fn file(&self) -> PathBuf {
        file_in(self.dir.path())
    }

    fn copy(&self) -> PathBuf {
        self.dir.path().join("copy")
    }

    fn open(&self) {
        let hand = self.now_ms.clone();
        let clock = Arc::new(move || hand.load(Ordering::Relaxed));
        let store = EmbeddedStore::open(self.dir.path()).expect("the directory is ours");
        *self.slot() = Some(Arc::new(store.with_clock(clock)));
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<EmbeddedStore>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the store, lets `f` handle its file, and opens it again.
    fn while_closed(&self, f: impl FnOnce(&Path)) {
        let store = self.slot().take().expect("open");
        assert_eq!(Arc::strong_count(&store), 1, "the case still holds the store");
        drop(store);
        f(&self.file());
        self.open();
    }
}

#[async_trait]
impl Backend for Embedded {
    const HISTORIES: u64 = 4;
    const CLOCK_IS_OURS: bool = true;
    const PARTITIONS_DEFAULT: u16 = 1;

    async fn fresh() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let now_ms = Arc::new(AtomicU64::new(1_700_000_000_000));
        let place = Self { dir, now_ms, store: Mutex::default() };
        place.open();
        place
    }

    fn store(&self) -> SharedStore {
        self.slot().clone().expect("open")
    }

    async fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    async fn damage(&self, damage: Damage) {
        self.while_closed(|file| match damage {
            Damage::Meta => remove(file, "meta", b"meta"),
            Damage::Head(at) => remove(file, "heads", &at.0.to_be_bytes()),
            Damage::MetaAndHeads => {
                remove(file, "meta", b"meta");
                for at in [Partition(0), Partition(1)] {
                    remove(file, "heads", &at.0.to_be_bytes());
                }
            }
            Damage::Entry(at, seq) => {
                let key = [at.0.to_be_bytes().as_slice(), &seq.to_be_bytes()].concat();
                remove(file, "journal", &key);
            }
        });
    }

    async fn save(&self) {
        self.while_closed(|file| {
            std::fs::copy(file, self.copy()).expect("a copy");
        });
    }

    async fn roll_back(&self) {
        self.while_closed(|file| {
            std::fs::copy(self.copy(), file).expect("a copy");
        });
    }
}

fn file_in(dir: &Path) -> PathBuf {
    dir.join("logtally.redb")
}

fn table(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

fn remove(file: &Path, name: &str, key: &[u8]) {
    let database = redb::Database::open(file).expect("a database");
    let transaction = database.begin_write().expect("a transaction");
    let mut rows = transaction.open_table(table(name)).expect("a table");
    let removed = rows.remove(key).expect("a readable row").is_some();
    assert!(removed, "{name} has no row {key:?}");
    drop(rows);
    transaction.commit().expect("a commit");
}
