//! The exporter as a handle that others hold: one store in, pages out.

use std::sync::Arc;

use bytes::Bytes;
use logtally_service::Context;
use logtally_store::SnapshotReader;
use tokio::sync::Mutex;

use crate::flight::{Flight, Flights};
use crate::metrics::Metrics;
use crate::page::{Form, PageFormat, PageSnapshot};
use crate::replica::Replica;
use crate::serve_policy::ViewOptions;
use crate::unavailable::Unavailable;

/// One replica of the exporter. Clones are handles to the same one.
#[derive(Clone)]
pub struct Exporter {
    replica: Arc<Mutex<Replica>>,
    flights: Arc<Flights<Result<(), Unavailable>>>,
    metrics: Metrics,
}

impl Exporter {
    /// An exporter of a store, which need not be reachable yet. Readiness has a gate for the view
    /// from here on.
    ///
    /// # Panics
    /// If the registry of the context has an exporter already.
    pub fn new(store: Arc<dyn SnapshotReader>, options: ViewOptions, context: &Context) -> Self {
        let metrics = Metrics::new(&context.registry).expect("one exporter per registry");
        let gate = context.readiness.gate("view");
        let replica = Replica::new(store, options, metrics.clone(), gate);
        Self { replica: Arc::new(Mutex::new(replica)), flights: Arc::new(Flights::new()), metrics }
    }

    /// The page with everything that was committed before the call. Brings the view up to date
    /// first, together with all others who ask at the same time.
    pub async fn exposition(&self, format: PageFormat) -> Result<Bytes, Unavailable> {
        self.page(Form { format, gzip: false }).await.map(|page| page.to_bytes())
    }

    pub(crate) async fn page(&self, form: Form) -> Result<Arc<PageSnapshot>, Unavailable> {
        self.sync().await?;
        // By now the next sync may have run; its verdict and its counts are as good or better.
        self.replica.lock().await.page(form).await
    }

    /// Brings the view up to date with everything that was committed before the call.
    pub(crate) async fn sync(&self) -> Result<(), Unavailable> {
        let synced = self.flight().await;
        synced.map_err(|lost| Unavailable::Internal(lost.to_string()))?
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn flight(&self) -> Flight<Result<(), Unavailable>> {
        let replica = Arc::clone(&self.replica);
        self.flights.join(|begin| async move {
            let mut replica = replica.lock_owned().await;
            begin();
            replica.sync().await
        })
    }
}
