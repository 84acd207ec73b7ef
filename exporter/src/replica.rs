//! What this replica knows and what it may show: the view, the judgement on it, and the pages
//! written from it.
//!
//! A page is only written from a view that has been judged after its last change, and what a page
//! shows is marked as served before anybody gets it.

use std::mem::discriminant;
use std::sync::{Arc, Mutex};

use logtally_service::ReadinessGate;
use logtally_store::SnapshotReader;
use tokio::time::Instant;

use crate::layout::{LeftOut, View};
use crate::metrics::Metrics;
use crate::page::{Form, PageSnapshot, Pages};
use crate::serve_policy::{Judgement, ServePolicy, ViewOptions};
use crate::state::Shortfall;
use crate::sync::{StoreSync, on_view};
use crate::unavailable::Unavailable;

/// Changed series up to which the view is looked at without going to another thread.
const QUICK_MAX: usize = 2_000;

/// Whether there may be a page.
type Verdict = Result<(), Unavailable>;

/// The state of one replica.
pub(crate) struct Replica {
    view: Arc<Mutex<View>>,
    sync: StoreSync,
    policy: ServePolicy,
    /// Of the last sync.
    verdict: Verdict,
    left_out: LeftOut,
    pages: Arc<Mutex<Pages>>,
    metrics: Metrics,
    gate: ReadinessGate,
}

impl Replica {
    /// A replica that knows nothing yet.
    pub(crate) fn new(
        store: Arc<dyn SnapshotReader>,
        options: ViewOptions,
        metrics: Metrics,
        gate: ReadinessGate,
    ) -> Self {
        let view = Arc::<Mutex<View>>::default();
        Self {
            sync: StoreSync::new(store, Arc::clone(&view), metrics.clone()),
            view,
            policy: ServePolicy::new(options),
            verdict: Err(Unavailable::Starting),
            left_out: LeftOut::default(),
            pages: Arc::default(),
            metrics,
            gate,
        }
    }

    /// Brings the view up to date and judges it.
    pub(crate) async fn sync(&mut self) -> Verdict {
        // What is left if this panics.
        let unfinished = Err(Unavailable::Internal("a sync did not end".to_owned()));
        let before = std::mem::replace(&mut self.verdict, unfinished);
        let timer = self.metrics.sync_seconds.start_timer();
        let verdict = self.read_and_judge().await;
        timer.observe_duration();
        self.announce(&before, &verdict);
        self.verdict.clone_from(&verdict);
        verdict
    }

    /// The page as of the last sync.
    pub(crate) async fn page(&mut self, form: Form) -> Result<Arc<PageSnapshot>, Unavailable> {
        self.verdict.clone()?;
        let is_quick =
            |view: &View| self.pages.try_lock().is_ok_and(|pages| pages.is_quick(view, form));
        let pages = Arc::clone(&self.pages);
        let writing = on_view(&self.view, is_quick, move |view| {
            // After a panic in the middle of a change no page can be trusted any more.
            pages.lock().map(|mut pages| pages.page(view, form)).map_err(|e| e.to_string())
        });
        writing.await?.map_err(Unavailable::Internal)
    }

    async fn read_and_judge(&mut self) -> Verdict {
        let servers = self.sync.run().await?;
        self.metrics.view_age.reset();
        let now = Instant::now().into_std();
        for server in servers {
            if self.policy.see_server(server, now) {
                self.metrics.server_changes.inc();
                tracing::warn!("the server behind the store was replaced");
            }
        }
        let below = self.survey().await?;
        match self.policy.judge(now, self.sync.recovering(), below) {
            Judgement::Serve => Ok(()),
            Judgement::AcceptLoss(below) => self.accept_loss(&below).await,
            Judgement::Wait(reason) => Err(reason),
        }
    }

    /// Looks at the whole view once after a sync.
    async fn survey(&mut self) -> Result<Option<Shortfall>, Unavailable> {
        let is_quick = |view: &View| view.state.pending().is_some_and(|n| n <= QUICK_MAX);
        let looking = on_view(&self.view, is_quick, |view| {
            view.arrange();
            (view.state.series(), view.left_out(), view.state.below_high_water())
        });
        let (series, left_out, below) = looking.await?;
        self.metrics.view_series.set(series.cast_signed());
        let recovering: u64 = self.sync.recovering().iter().map(|r| r.sources).sum();
        self.metrics.recovering_sources.set(recovering.cast_signed());
        self.note_left_out(left_out);
        Ok(below)
    }

    fn note_left_out(&mut self, left_out: LeftOut) {
        if left_out == self.left_out {
            return;
        }
        let LeftOut { unknown, invalid, conflicting, strays } = left_out;
        tracing::error!(
            unknown_families = unknown,
            invalid_families = invalid,
            conflicting_families = conflicting,
            stray_series = strays,
            "the page leaves out what cannot be shown"
        );
        self.metrics.set_left_out(left_out);
        self.left_out = left_out;
    }

    async fn accept_loss(&mut self, below: &Shortfall) -> Verdict {
        on_view(&self.view, |_| false, |view| view.state.accept_loss()).await?;
        self.metrics.accepted_losses.inc();
        let Shortfall { series, served, total, count } = below;
        tracing::error!(
            series = count,
            first = series,
            served,
            total,
            "counts that were served are lost, serving what is left"
        );
        Ok(())
    }

    /// Tells readiness always, and the log when something changes.
    fn announce(&self, before: &Verdict, now: &Verdict) {
        match now {
            Ok(()) => self.gate.ready(),
            Err(reason) => self.gate.not_ready(reason.to_string()),
        }
        match (before, now) {
            (Err(_), Ok(())) => tracing::info!("serving counts"),
            (Err(before), Err(now)) if discriminant(before) == discriminant(now) => {
                tracing::debug!(reason = %now, "still not serving counts");
            }
            (_, Err(reason)) => tracing::warn!(%reason, "not serving counts"),
            (Ok(()), Ok(())) => {}
        }
    }
}
