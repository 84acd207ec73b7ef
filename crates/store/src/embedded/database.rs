//! The file of an embedded store: opening and locking it, running transactions off the runtime's
//! threads.
//!
//! After a failed write the database refuses everything until it is opened again, because nobody
//! knows what of the write is on disk. That is done here, by the next call, so a disk that was full
//! needs no restart of the process. Nothing here knows what the tables hold.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Durability, ReadableDatabase, TableHandle};
use tokio::sync::Mutex;

use super::failure::{at_path, failure, io_failure};
use super::layout;
use super::rows::{ReadTable, Tables, WriteTable};
use crate::error::StoreError;

/// The file in the store's directory.
pub(super) const FILE_NAME: &str = "logtally.redb";

/// Memory (bytes) for pages of the file. Small, because the operating system caches the file as
/// well: with four times as much, folding two million series was not faster.
const CACHE_BYTES: usize = 8 << 20;

/// Opens a file, or creates it. A test puts a failing disk here.
type Opener =
    Box<dyn Fn(&Path, Access) -> Result<redb::Database, redb::DatabaseError> + Send + Sync>;

/// What to do with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Open,
    Create,
}

/// An open database.
pub(super) struct Database {
    path: PathBuf,
    opener: Opener,
    /// Held for reading by every transaction, and for writing while it is opened again.
    open: RwLock<Option<redb::Database>>,
    /// Whether an operation failed since it was opened.
    failed: AtomicBool,
    /// Whose turn it is to write. The database has one writer at a time anyway; those who wait do
    /// it here, so that each of them does not hold a thread.
    writer: Arc<Mutex<()>>,
}

/// What a writing transaction did.
pub(super) struct Written<T> {
    /// Whether there is anything to commit.
    pub changed: bool,
    /// The result.
    pub value: T,
}

impl<T> Written<T> {
    /// A result that came with changes.
    pub(super) fn changed(value: T) -> Self {
        Self { changed: true, value }
    }
}

impl Database {
    /// Opens the file in `dir`, and creates both if they are absent.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(
            dir,
            Box::new(|path, access| match access {
                Access::Open => builder(path).open(path),
                Access::Create => builder(path).create(path),
            }),
        )
    }

    fn open_with(dir: &Path, opener: Opener) -> Result<Self, StoreError> {
        create_dir(dir).map_err(|e| at_path(dir, io_failure(&e)))?;
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            create_file(dir, &path, &opener).map_err(|e| at_path(&path, e))?;
        }
        let database = Self {
            path,
            opener,
            open: RwLock::new(None),
            failed: AtomicBool::new(true),
            writer: Arc::default(),
        };
        database.reopen()?;
        Ok(database)
    }

    /// Runs a reading transaction.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        f: impl FnOnce(Tables<ReadTable>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        blocking(move || this.with_open(|database| read(database, f))).await
    }

    /// Runs a writing transaction, and commits it durably if it succeeds and changed something.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        f: impl FnOnce(Tables<WriteTable<'_>>) -> Result<Written<T>, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.writer.clone().lock_owned().await;
        let this = self.clone();
        blocking(move || {
            // Kept to the end even if nobody waits for the result any more.
            let _turn = turn;
            this.with_open(|database| write(database, f))
        })
        .await
    }

    fn with_open<T>(
        &self,
        f: impl FnOnce(&redb::Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.failed.load(Ordering::Acquire) {
            tracing::warn!(path = %self.path.display(), "store failed, opening it again");
            self.reopen()?;
        }
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().ok_or_else(|| {
            at_path(&self.path, StoreError::Unavailable("it is being opened again".to_owned()))
        })?;
        let result = f(database).map_err(|e| at_path(&self.path, e));
        if result.as_ref().is_err_and(StoreError::is_transient) {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        // The old one holds the lock of the file.
        *open = None;
        let opened = (self.opener)(&self.path, Access::Open).map_err(failure);
        let database = opened.and_then(|database| check_tables(&database).map(|()| database));
        *open = Some(database.map_err(|e| at_path(&self.path, e))?);
        self.failed.store(false, Ordering::Release);
        Ok(())
    }
}

fn builder(path: &Path) -> redb::Builder {
    let path = path.to_owned();
    let told = AtomicBool::new(false);
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_repair_callback(move |_| {
        if !told.swap(true, Ordering::Relaxed) {
            tracing::warn!(path = %path.display(), "store was not closed, checking all of it");
        }
    });
    builder
}

/// Creates the file with all its tables under another name, and gives it its name when it is whole:
/// what a crash or a full disk leaves of a creation must not be taken for a damaged store.
fn create_file(dir: &Path, path: &Path, opener: &Opener) -> Result<(), StoreError> {
    let unfinished = dir.join(format!("{FILE_NAME}.new-{:016x}", rand::random::<u64>()));
    let created = opener(&unfinished, Access::Create).map_err(failure);
    let created = created.and_then(|database| write(&database, |_| Ok(Written::changed(()))));
    let named = created.and_then(|()| give_name(&unfinished, path).map_err(|e| io_failure(&e)));
    // What cannot be removed is a few pages that nobody looks at.
    let _ = fs::remove_file(&unfinished);
    // The name must be on disk before the first commit is acknowledged.
    named.and_then(|()| sync_dir(dir).map_err(|e| io_failure(&e)))
}

/// A link never replaces a file that another process made in the meantime. Some network file systems
/// have no links; there, two processes that start for the first time at once are not told apart.
fn give_name(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) if !path.exists() => fs::rename(unfinished, path),
        linked => linked,
    }
}

/// Refuses a file that lacks a table.
fn check_tables(database: &redb::Database) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(failure)?;
    let tables = transaction.list_tables().map_err(failure)?;
    let names: Vec<String> = tables.map(|table| table.name().to_owned()).collect();
    let is_absent = |table: &&str| !names.iter().any(|name| name == table);
    match layout::ALL.iter().map(TableHandle::name).find(is_absent) {
        Some(table) => Err(StoreError::Damaged(format!("its table {table:?} is gone"))),
        None => Ok(()),
    }
}

fn read<T>(
    database: &redb::Database,
    f: impl FnOnce(Tables<ReadTable>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let transaction = database.begin_read().map_err(failure)?;
    f(Tables::of_read(&transaction)?)
}

fn write<T>(
    database: &redb::Database,
    f: impl FnOnce(Tables<WriteTable<'_>>) -> Result<Written<T>, StoreError>,
) -> Result<T, StoreError> {
    let mut transaction = database.begin_write().map_err(failure)?;
    transaction.set_durability(Durability::Immediate).map_err(failure)?;
    let written = f(Tables::of_write(&transaction)?)?;
    // Without changes the transaction is dropped, which costs no wait for the disk.
    if written.changed {
        transaction.commit().map_err(failure)?;
    }
    Ok(written.value)
}

async fn blocking<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(f).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        Err(_) => Err(StoreError::Unavailable("the process is ending".to_owned())),
    }
}

fn create_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    // The parent of a relative name is the empty path.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests;
