//! Disks that fail: what was acknowledged stays, what was not is counted once when it comes again,
//! and no restart is needed when the disk works again.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::*;
use crate::clock;
use crate::embedded::EmbeddedStore;
use crate::model::Opening;
use crate::traits::{CountStore, SnapshotReader};

const P: Partition = Partition(0);

/// Says which operation of a disk fails, and how.
#[derive(Debug)]
struct Fault {
    kind: ErrorKind,
    /// Operations that still work.
    operations_left: AtomicU64,
    repaired: AtomicBool,
}

impl Fault {
    fn new(kind: ErrorKind, operations_left: u64) -> Arc<Self> {
        let (left, repaired) = (AtomicU64::new(operations_left), AtomicBool::new(false));
        Arc::new(Self { kind, operations_left: left, repaired })
    }

    /// Everything works again.
    fn repair(&self) {
        self.repaired.store(true, Ordering::SeqCst);
    }

    fn strike(&self) -> io::Result<()> {
        let less = |left: u64| left.checked_sub(1);
        let works =
            self.operations_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if works || self.repaired.load(Ordering::SeqCst) { Ok(()) } else { Err(self.kind.into()) }
    }
}

/// A file whose writing operations fail when the fault says so.
#[derive(Debug)]
struct FailingFile {
    file: FileBackend,
    fault: Arc<Fault>,
}

impl StorageBackend for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault.strike().and_then(|()| self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fault.strike().and_then(|()| self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault.strike().and_then(|()| self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

fn store_on(dir: &Path, fault: &Arc<Fault>) -> Result<EmbeddedStore, StoreError> {
    let fault = fault.clone();
    let opener: Opener = Box::new(move |path, access| {
        let creates = access == Access::Create;
        let file = File::options().read(true).write(true).create(creates).open(path)?;
        let backend = FailingFile { file: FileBackend::new(file)?, fault: fault.clone() };
        builder(path).create_with_backend(backend)
    });
    let database = Arc::new(Database::open_with(dir, opener)?);
    Ok(EmbeddedStore { database, clock: clock::system() })
}

fn source() -> SourceId {
    SourceId::new("a").expect("valid")
}

fn series() -> SeriesKey {
    SeriesKey::new(Family::new("lines", Kind::Gauge, "", &["host"]).id(), ["x"])
}

/// One line at `from`.
fn line(from: u64) -> Batch {
    let tail = |at: u64| if at == 0 { Tail::empty() } else { Tail(at) };
    let (batch, _) = Batch::build([Delta {
        source: source(),
        generation: Generation(1),
        span: Span::new(from, from + 1).expect("valid"),
        tail_before: tail(from),
        tail_after: tail(from + 1),
        note: None,
        records: RecordCounts { counted: 1, filtered: 0, rejected: 0 },
        families: Vec::new(),
        limits: Vec::new(),
        increments: Increments::pack([(series().as_bytes(), 1)]),
    }]);
    batch
}

/// Creates, opens the source and commits line by line, until something fails.
async fn run(store: &EmbeddedStore, acknowledged: &mut u64) -> Result<(), StoreError> {
    store.create(None).await?;
    let fresh = SourceState::start(Generation(1));
    if store.states(P, &[source()]).await?[0].is_none() {
        store.open(P, &Opening { source: source(), expected: None, fresh }).await?;
    }
    while *acknowledged < 12 {
        let committed = store.commit(P, &line(*acknowledged), Nonce(rand::random())).await?;
        let stored = committed.verdicts[0].stored.expect("registered");
        assert!(stored.position > *acknowledged, "the line is counted");
        *acknowledged = stored.position;
        if acknowledged.is_multiple_of(5) {
            store.fold(P).await?;
        }
    }
    Ok(())
}

/// A fault after `operations`: the store refuses with its path, and goes on once it is repaired.
async fn check_fault(kind: ErrorKind, operations: u64) -> Option<StoreError> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fault = Fault::new(kind, operations);
    let mut acknowledged = 0;
    let opened = store_on(dir.path(), &fault);
    let failed = match &opened {
        Ok(store) => run(store, &mut acknowledged).await.err(),
        Err(_) => None,
    };
    let error = opened.as_ref().err().or(failed.as_ref());
    if let Some(error) = error {
        assert!(error.is_transient(), "{operations}: {error}");
        assert!(error.to_string().contains(FILE_NAME), "{error}");
    }
    fault.repair();
    // The same store goes on, if it could be opened at all.
    let store = opened.or_else(|_| store_on(dir.path(), &fault)).expect("opens");
    run(&store, &mut acknowledged).await.expect("works again");
    let left = fs::read_dir(dir.path()).expect("readable").count();
    assert_eq!(left, 1, "nothing but the store's file is left");
    let counts = store.load(P).await.expect("works again").counts.to_map();
    assert_eq!(counts[&series()].amount.count, 12, "after {operations} operations");
    failed
}

#[tokio::test]
async fn a_full_disk_is_survived_wherever_it_strikes() {
    let mut refusals = 0;
    for operations in (0..150).step_by(3) {
        let failed = check_fault(ErrorKind::StorageFull, operations).await;
        assert!(!matches!(failed, Some(StoreError::Unavailable(_))), "{failed:?}");
        refusals += u32::from(failed.is_some());
    }
    assert!(refusals > 15, "the faults strike: {refusals}");
}

#[tokio::test]
async fn a_failing_disk_is_unavailable_not_damaged() {
    let mut failures = 0;
    for operations in (0..150).step_by(7) {
        let failed = check_fault(ErrorKind::Other, operations).await;
        assert!(!matches!(failed, Some(StoreError::Refused(_))), "{failed:?}");
        failures += u32::from(failed.is_some());
    }
    assert!(failures > 5, "the faults strike: {failures}");
}

#[tokio::test]
async fn while_the_disk_fails_every_call_says_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let fault = Fault::new(ErrorKind::StorageFull, u64::MAX);
    let store = store_on(dir.path(), &fault).expect("opens");
    let mut acknowledged = 0;
    run(&store, &mut acknowledged).await.expect("works");
    fault.operations_left.store(0, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = store.commit(P, &line(acknowledged), Nonce(1)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    }
    fault.repair();
    store.commit(P, &line(acknowledged), Nonce(2)).await.expect("works again");
}
