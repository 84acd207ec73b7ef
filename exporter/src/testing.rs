//! A store with words for tests: commits in one line, rollbacks, blocked and failing reads.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flate2::read::GzDecoder;
use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::{Partition, partition_of};
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_service::Context;
use logtally_store::memory::{MemoryContent, MemoryStore};
use logtally_store::{
    Changes, CountStore, Opening, PageCursor, Snapshot, SnapshotReader, SourcesPage, StoreClock,
    StoreError, StoreInfo,
};
use tokio::sync::Notify;

use crate::exporter::Exporter;
use crate::layout::View;
use crate::page::{Form, PageFormat, PageSnapshot, Pages, render};
use crate::serve_policy::ViewOptions;
use crate::unavailable::Unavailable;

/// A family with labels.
pub(crate) fn family(kind: Kind, name: &str, help: &str, labels: &[&str]) -> Family {
    Family::new(name, kind, help, labels)
}

/// The family that the tests count in if it does not matter.
pub(crate) fn lines() -> Family {
    family(Kind::Gauge, "log_lines", "Lines", &["host"])
}

/// The series of [`lines`] on a page, and their values.
pub(crate) type Shown = BTreeMap<String, u64>;

/// Reads the series of a page.
pub(crate) fn shown(page: &[u8]) -> Shown {
    let text = std::str::from_utf8(page).expect("UTF-8");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        (series.to_owned(), value.parse().expect("a count"))
    };
    samples.map(pair).collect()
}

/// A store that can be rolled back, replaced, blocked and taken away.
pub(crate) struct World {
    /// The store itself.
    pub(crate) store: MemoryStore,
    /// Milliseconds since 1970 by the store's clock.
    pub(crate) now_ms: Arc<AtomicU64>,
    /// The server that the store seems to run on.
    pub(crate) server: AtomicU64,
    /// Whether the store answers.
    pub(crate) is_away: AtomicBool,
    /// Reads of whole partitions so far.
    pub(crate) loads: AtomicU64,
    /// Reads of families so far.
    pub(crate) family_reads: AtomicU64,
    /// Families that the store does not tell of.
    pub(crate) hidden: Mutex<Vec<Family>>,
    /// How many of the next reads end with "moved".
    pub(crate) moves: AtomicU64,
    nonce: AtomicU64,
    /// Reads of changes wait here while there is a gate.
    pub(crate) gate: Mutex<Option<Arc<Gate>>>,
}

/// Holds up a read after it has looked, and before it answers.
#[derive(Default)]
pub(crate) struct Gate {
    /// A read has looked.
    pub(crate) reached: Notify,
    /// It may answer.
    pub(crate) open: Notify,
}

impl World {
    /// A created store.
    pub(crate) async fn new(partitions: u16) -> Arc<Self> {
        let now_ms = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Arc::clone(&now_ms);
        let clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let world = Self {
            store: MemoryStore::new().with_clock(clock),
            now_ms,
            server: AtomicU64::new(1),
            is_away: AtomicBool::new(false),
            loads: AtomicU64::new(0),
            family_reads: AtomicU64::new(0),
            hidden: Mutex::default(),
            moves: AtomicU64::new(0),
            nonce: AtomicU64::new(1),
            gate: Mutex::default(),
        };
        world.store.create(Some(partitions)).await.expect("a fresh store");
        Arc::new(world)
    }

    /// An exporter of this store, and its process.
    pub(crate) fn exporter(self: &Arc<Self>) -> (Exporter, Context) {
        let context = Context::new("test", "0");
        let store: Arc<dyn SnapshotReader> = Arc::<Self>::clone(self);
        (Exporter::new(store, ViewOptions::default(), &context), context)
    }

    /// Counts `n` lines of `host`, read from a source of that name.
    pub(crate) async fn count(&self, host: &str, n: u64) {
        self.count_in(&lines(), host, &[host], n).await;
    }

    /// Counts in the series of a family, read from a source.
    pub(crate) async fn count_in(&self, family: &Family, source: &str, values: &[&str], n: u64) {
        let key = SeriesKey::new(family.id(), values.iter().copied());
        self.commit(family, source, &key, n).await;
    }

    /// Counts in a series that need not fit to the family.
    pub(crate) async fn commit(&self, family: &Family, source: &str, key: &SeriesKey, n: u64) {
        let source = SourceId::new(source).expect("a valid name");
        let at = self.partition(&source).await;
        let stored = self.stored(at, &source).await;
        let delta = Delta {
            generation: stored.generation,
            span: Span::new(stored.position, stored.position + 1).expect("a valid span"),
            tail_before: stored.tail,
            tail_after: Tail(stored.position + 1),
            note: None,
            records: RecordCounts { counted: n, filtered: 0, rejected: 0 },
            families: vec![family.clone()],
            limits: Vec::new(),
            increments: Increments::pack([(key.as_bytes(), n)]),
            source,
        };
        let (batch, _) = Batch::build([delta]);
        let committed = self.store.commit(at, &batch, self.nonce()).await.expect("answers");
        assert!(committed.applied.is_some(), "{committed:?}");
    }

    /// Reports that a source was acknowledged further than it is stored now.
    pub(crate) async fn report_ahead(&self, source: &str) {
        let source = SourceId::new(source).expect("a valid name");
        let at = self.partition(&source).await;
        let stored = self.stored(at, &source).await;
        let ahead = SourceState { position: stored.position + 1, tail: Tail(9), ..stored };
        let behind = self.store.report_acknowledged(at, &source, &ahead).await.expect("answers");
        assert!(behind);
    }

    /// Folds all partitions; entries of more than the grace time ago are trimmed.
    pub(crate) async fn fold(&self) {
        for partition in 0..self.store.info().await.expect("answers").partitions {
            self.store.fold(Partition(partition)).await.expect("answers");
        }
    }

    /// Lets the store's clock go on.
    pub(crate) fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The store's time.
    pub(crate) fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Puts an image of the store back.
    pub(crate) fn roll_back(&self, to: &MemoryContent) {
        self.store.restore(to.clone());
    }

    /// Puts a gate up for the next reads of changes.
    pub(crate) fn put_gate(&self) -> Arc<Gate> {
        let gate = Arc::<Gate>::default();
        *self.gate.lock().expect("no panic") = Some(Arc::clone(&gate));
        gate
    }

    /// Takes the gate away; who waits at it still waits.
    pub(crate) fn take_gate(&self) {
        *self.gate.lock().expect("no panic") = None;
    }

    async fn partition(&self, source: &SourceId) -> Partition {
        let info = self.store.info().await.expect("answers");
        partition_of(source, info.partitions)
    }

    async fn stored(&self, at: Partition, source: &SourceId) -> SourceState {
        let states = self.store.states(at, std::slice::from_ref(source)).await;
        if let Some(state) = states.expect("answers")[0] {
            return state;
        }
        let fresh = SourceState::start(Generation(self.nonce().0));
        let opening = Opening { source: source.clone(), expected: None, fresh };
        self.store.open(at, &opening).await.expect("answers");
        fresh
    }

    fn nonce(&self) -> Nonce {
        Nonce(self.nonce.fetch_add(1, Ordering::Relaxed))
    }

    fn check_present(&self) -> Result<(), StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("connection refused".to_owned()));
        }
        Ok(())
    }

    fn check_still(&self) -> Result<(), StoreError> {
        let less = |moves: u64| moves.checked_sub(1);
        match self.moves.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Err(StoreError::Moved("a fold came between".to_owned())),
            Err(_) => Ok(()),
        }
    }

    fn without_hidden(&self, families: Vec<Family>) -> Vec<Family> {
        let hidden = self.hidden.lock().expect("no panic");
        families.into_iter().filter(|family| !hidden.contains(family)).collect()
    }
}

#[async_trait]
impl SnapshotReader for World {
    async fn info(&self) -> Result<StoreInfo, StoreError> {
        self.check_present()?;
        let server = self.server.load(Ordering::Relaxed);
        Ok(StoreInfo { server, ..self.store.info().await? })
    }

    async fn load(&self, at: Partition) -> Result<Snapshot, StoreError> {
        self.check_present()?;
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.check_still()?;
        let snapshot = self.store.load(at).await?;
        let families = self.without_hidden(snapshot.families);
        Ok(Snapshot { families, ..snapshot })
    }

    async fn changes(&self, at: Partition, since: Mark) -> Result<Changes, StoreError> {
        self.check_present()?;
        self.check_still()?;
        let changes = self.store.changes(at, since).await;
        let gate = self.gate.lock().expect("no panic").clone();
        if let Some(gate) = gate {
            gate.reached.notify_one();
            gate.open.notified().await;
        }
        changes
    }

    async fn families(&self, at: Partition) -> Result<Vec<Family>, StoreError> {
        self.check_present()?;
        self.family_reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.without_hidden(self.store.families(at).await?))
    }

    async fn clock(&self, at: Partition) -> Result<StoreClock, StoreError> {
        self.store.clock(at).await
    }

    async fn sources(&self, at: Partition) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        self.store.sources(at).await
    }

    async fn sources_page(
        &self,
        at: Partition,
        from: Option<&PageCursor>,
    ) -> Result<SourcesPage, StoreError> {
        self.store.sources_page(at, from).await
    }
}

/// The series that an exporter shows.
pub(crate) async fn scrape(exporter: &Exporter) -> Result<Shown, Unavailable> {
    exporter.exposition(PageFormat::Text).await.map(|page| shown(&page))
}

/// The value of one of an exporter's own metrics, summed over its labels.
pub(crate) fn own(context: &Context, name: &str) -> f64 {
    let families = context.registry.gather();
    let name = format!("logtally_exporter_{name}");
    let family = families.iter().find(|family| family.name() == name).expect("registered");
    let value = |metric: &prometheus::proto::Metric| {
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    };
    family.get_metric().iter().map(value).sum()
}

/// Pages that follow a view, held against pages that are written at once.
pub(crate) struct Follower {
    pages: Pages,
    /// Pages that somebody still has, and what they were.
    held: Vec<(Arc<PageSnapshot>, Vec<u8>)>,
}

impl Follower {
    /// Follows nothing yet. Compresses in parts, however short the pages are.
    pub(crate) fn new() -> Self {
        Self { pages: Pages::whole_up_to(0), held: Vec::new() }
    }

    /// Checks the forms whose bits are set.
    pub(crate) fn check(&mut self, view: &mut View, forms: u8) {
        for form in all_forms().into_iter().enumerate().filter(|(bit, _)| forms & 1 << bit != 0) {
            let page = self.pages.page(view, form.1);
            let bytes = page.to_bytes().to_vec();
            assert_eq!(page.len(), bytes.len());
            let text = if form.1.gzip { inflated(&bytes) } else { bytes.clone() };
            let expected = render(view.arrange(), form.1.format);
            assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&expected));
            self.held.push((page, bytes));
        }
        if forms & 1 << 7 != 0 {
            self.let_go();
        }
    }

    /// The page that this one shows, which must be what somebody shows who has just come.
    pub(crate) fn check_alike(&mut self, view: &mut View, other: &mut View) {
        let mut cold = Pages::whole_up_to(0);
        for form in all_forms() {
            let (warm, cold) = (self.pages.page(view, form), cold.page(other, form));
            assert_eq!(warm.to_bytes(), cold.to_bytes(), "{form:?}");
        }
        self.let_go();
    }

    /// Nobody has a page any more; none has changed until now.
    fn let_go(&mut self) {
        for (page, before) in self.held.drain(..) {
            assert_eq!(page.to_bytes(), before, "a page changed that somebody had");
        }
    }
}

fn all_forms() -> [Form; 4] {
    let [text, open] = [PageFormat::Text, PageFormat::OpenMetrics];
    [(text, false), (open, false), (text, true), (open, true)]
        .map(|(format, gzip)| Form { format, gzip })
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = bytes;
    GzDecoder::new(&mut rest).read_to_end(&mut text).expect("readable");
    assert!(rest.is_empty(), "clients need not read more than one member");
    text
}
