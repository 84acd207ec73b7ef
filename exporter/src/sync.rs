//! Bringing the view up to date: from a store to the view, and nothing else.
//!
//! It never decides whether the view may be shown, and it never guesses: entries that do not link
//! make it load the partition again.

use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt, TryStreamExt};
use logtally_core::journal::{Entry, Mark};
use logtally_core::partition::Partition;
use logtally_store::{Changes, Recovering, Snapshot, SnapshotReader, StoreError, StoreInfo};

use crate::layout::View;
use crate::metrics::Metrics;
use crate::state::{CountState, Needs, NotLinked};
use crate::unavailable::Unavailable;

/// Partitions asked for changes at the same time: enough to hide the round trips, few enough that
/// their answers are a bounded part of memory.
const CHANGES_AT_ONCE: usize = 32;

/// Partitions loaded at the same time: one travels while another one is taken in.
const LOADS_AT_ONCE: usize = 2;

/// Increments (bytes) that are taken in without going to another thread: less than a millisecond.
const APPLIED_AT_ONCE_BYTES: usize = 64 << 10;

/// How often one read is tried that a fold, a trim or a new store interferes with.
const ATTEMPTS: usize = 5;

/// Reads a store into a view.
pub(crate) struct StoreSync {
    store: Arc<dyn SnapshotReader>,
    view: Arc<Mutex<View>>,
    metrics: Metrics,
    info: Option<StoreInfo>,
    /// Whether `info` must be read again before anything else, because the last run failed.
    is_doubtful: bool,
    /// What to call the load of a partition that the view does not have.
    load_reason: &'static str,
    recovering: Vec<Recovering>,
}

/// What is left to do for a partition after its changes were applied.
enum Rest {
    Families,
    Load,
}

impl StoreSync {
    /// Reads `store` into `view`.
    pub(crate) fn new(
        store: Arc<dyn SnapshotReader>,
        view: Arc<Mutex<View>>,
        metrics: Metrics,
    ) -> Self {
        let (info, recovering) = (None, Vec::new());
        Self { store, view, metrics, info, is_doubtful: true, load_reason: "start", recovering }
    }

    /// What each partition says about sources that are behind.
    pub(crate) fn recovering(&self) -> &[Recovering] {
        &self.recovering
    }

    /// Brings the view up to date with everything committed before the call. Returns the servers
    /// that answered before and after the view was read.
    pub(crate) async fn run(&mut self) -> Result<[u64; 2], Unavailable> {
        let result = self.follow_store().await;
        self.is_doubtful = result.is_err();
        result
    }

    async fn follow_store(&mut self) -> Result<[u64; 2], Unavailable> {
        for _ in 0..ATTEMPTS {
            let before = self.identify().await?;
            self.follow_partitions(before.partitions).await?;
            // Asked for after the reads: a server that was replaced in between is noticed now, not
            // after a page with its counts.
            let after = self.store.info().await?;
            if is_same(before, after) {
                self.info = Some(after);
                return Ok([before.server, after.server]);
            }
            self.adopt(after).await?;
        }
        Err(Unavailable::Store("the store was replaced again and again".to_owned()))
    }

    async fn identify(&mut self) -> Result<StoreInfo, Unavailable> {
        if let Some(known) = self.info.filter(|_| !self.is_doubtful) {
            return Ok(known);
        }
        let info = self.store.info().await?;
        if !self.info.is_some_and(|known| is_same(known, info)) {
            self.adopt(info).await?;
        }
        self.is_doubtful = false;
        Ok(info)
    }

    /// Starts over with another store, or with the first one.
    async fn adopt(&mut self, info: StoreInfo) -> Result<(), Unavailable> {
        if let Some(before) = self.info.replace(info) {
            tracing::warn!(
                before = format_args!("{:016x}", before.state_id),
                now = format_args!("{:016x}", info.state_id),
                "another store answers, loading all of it"
            );
            self.load_reason = "state";
        }
        self.recovering = vec![Recovering::default(); usize::from(info.partitions)];
        on_view(&self.view, never, move |view| {
            view.state.reset(info.partitions);
            // Known to all replicas of this store, and to nobody who writes logs.
            view.cut_by(info.state_id);
        })
        .await
    }

    async fn follow_partitions(&mut self, partitions: u16) -> Result<(), Unavailable> {
        let marks = on_view(&self.view, always, move |view| {
            (0..partitions)
                .map(|p| (Partition(p), view.state.mark(Partition(p))))
                .collect::<Vec<_>>()
        });
        let (known, missing): (Vec<_>, Vec<_>) =
            marks.await?.into_iter().partition(|(_, mark)| mark.is_some());
        let mut broken = Vec::new();
        for (at, rest) in self.follow_journals(known).await? {
            match rest {
                Rest::Families if self.read_families(at).await? => {}
                Rest::Families | Rest::Load => broken.push(at),
            }
        }
        self.load(broken, "broken").await?;
        self.load(missing.into_iter().map(|(at, _)| at).collect(), self.load_reason).await
    }

    /// Takes in what the journals of loaded partitions have after their marks.
    async fn follow_journals(
        &mut self,
        known: Vec<(Partition, Option<Mark>)>,
    ) -> Result<Vec<(Partition, Rest)>, Unavailable> {
        let store = &self.store;
        let reads = known.into_iter().map(|(at, mark)| async move {
            let since = mark.unwrap_or_default();
            let changes = until_still(|| store.changes(at, since)).await;
            changes.map(|changes| (at, changes))
        });
        let changes: Vec<_> =
            stream::iter(reads).buffer_unordered(CHANGES_AT_ONCE).try_collect().await?;
        let mut linked = Vec::new();
        let mut rest = Vec::new();
        for (at, changes) in changes {
            match changes {
                Changes::Broken => rest.push((at, Rest::Load)),
                Changes::Linked { entries, recovering } => {
                    self.recovering[usize::from(at.0)] = recovering;
                    linked.extend((!entries.is_empty()).then_some((at, entries)));
                }
            }
        }
        if !linked.is_empty() {
            let entries = linked.iter().flat_map(|(_, entries)| entries);
            let bytes: usize = entries.map(|entry| entry.increments.len()).sum();
            let is_quick = |_: &View| bytes <= APPLIED_AT_ONCE_BYTES;
            rest.extend(
                on_view(&self.view, is_quick, move |view| apply(&mut view.state, &linked)).await?,
            );
        }
        Ok(rest)
    }

    /// Loads whole partitions.
    async fn load(&mut self, which: Vec<Partition>, reason: &str) -> Result<(), Unavailable> {
        let store = Arc::clone(&self.store);
        let reads = which.into_iter().map(|at| {
            let store = Arc::clone(&store);
            // A task, which goes on while another partition is taken in.
            let load = async move { (at, until_still(|| store.load(at)).await) };
            async { tokio::spawn(load).await }
        });
        let mut loads = stream::iter(reads).buffer_unordered(LOADS_AT_ONCE);
        while let Some(loaded) = loads.next().await {
            let (at, snapshot) = loaded.map_err(|e| Unavailable::Internal(e.to_string()))?;
            self.take_in(at, snapshot?).await?;
            self.metrics.loads.with_label_values(&[reason]).inc();
            tracing::debug!(partition = %at, reason, "loaded a partition");
        }
        Ok(())
    }

    async fn take_in(&mut self, at: Partition, snapshot: Snapshot) -> Result<(), Unavailable> {
        self.recovering[usize::from(at.0)] = snapshot.recovering;
        let needs = on_view(&self.view, never, move |view| view.state.load(at, snapshot)).await?;
        // A family may have been added between the reads of counts and families. One that is still
        // missing after that is nowhere, and asking again at every scrape would not bring it back.
        if needs == Needs::Families && !self.read_families(at).await? {
            on_view(&self.view, always, |view| view.state.stop_asking_for_families()).await?;
        }
        Ok(())
    }

    /// Reads the families of a partition. Whether the view knows all that it needs then.
    async fn read_families(&self, at: Partition) -> Result<bool, Unavailable> {
        let families = self.store.families(at).await?;
        on_view(&self.view, never, move |view| {
            view.state.learn(&families);
            !view.state.asks_for_families()
        })
        .await
    }
}

/// Does something with the view: at once if that is quick, as `is_quick` says, and away from the
/// threads that answer requests otherwise, because with many series it takes long.
pub(crate) async fn on_view<T: Send + 'static>(
    view: &Arc<Mutex<View>>,
    is_quick: impl FnOnce(&View) -> bool,
    act: impl FnOnce(&mut View) -> T + Send + 'static,
) -> Result<T, Unavailable> {
    // Who holds it now may do so for long.
    let act = match view.try_lock() {
        Ok(mut view) if is_quick(&view) => return Ok(act(&mut view)),
        _ => act,
    };
    let view = Arc::clone(view);
    let acting = tokio::task::spawn_blocking(move || {
        // After a panic in the middle of a change no page of this view can be trusted.
        view.lock().map(|mut view| act(&mut view)).map_err(|e| e.to_string())
    });
    let acted = acting.await.map_err(|e| Unavailable::Internal(e.to_string()))?;
    acted.map_err(Unavailable::Internal)
}

/// For what takes no time.
fn always(_: &View) -> bool {
    true
}

/// For what may take long.
fn never(_: &View) -> bool {
    false
}

fn apply(state: &mut CountState, changes: &[(Partition, Vec<Entry>)]) -> Vec<(Partition, Rest)> {
    let rest = |(at, entries): &(Partition, Vec<Entry>)| match state.apply(*at, entries) {
        Ok(Needs::Nothing) => None,
        Ok(Needs::Families) => Some((*at, Rest::Families)),
        Err(NotLinked) => Some((*at, Rest::Load)),
    };
    changes.iter().filter_map(rest).collect()
}

/// Repeats a read as long as folds and trims interfere with it, but not for ever.
async fn until_still<T, F>(mut read: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..ATTEMPTS {
        match read().await {
            Err(StoreError::Moved(_)) => {}
            result => return result,
        }
    }
    read().await
}

fn is_same(a: StoreInfo, b: StoreInfo) -> bool {
    (a.state_id, a.partitions) == (b.state_id, b.partitions)
}
