//! The work behind a [`Push`]: the hub, and its links to the aggregators.

use std::sync::Arc;

use logtally_count::plan::Plan;
use logtally_service::Context;
use logtally_session::links::Links;
use logtally_session::uplink::{Peer, keep_up};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::budget::Budget;
use crate::directory::Directory;
use crate::hub::Hub;
use crate::metrics::PushMetrics;
use crate::push::Push;

/// Events that wait for the hub.
const EVENTS_MAX: usize = 1024;

/// The work behind a [`Push`].
pub struct Pushing {
    /// The handle.
    pub push: Push,
    hub: JoinHandle<()>,
    links: tokio::task::JoinSet<()>,
}

impl Pushing {
    /// Starts to work, until the context's shutdown.
    pub fn start(
        peers: &[Peer],
        plans: watch::Receiver<Arc<Plan>>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let metrics = PushMetrics::new(&context.registry)?;
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let mut links = tokio::task::JoinSet::new();
        for (link, peer) in peers.iter().enumerate() {
            links.spawn(keep_up(link, peer.clone(), events.clone()));
        }
        let gate = context.readiness.gate("pushes");
        let budget = Budget::default();
        let hub = Hub::new(Links::new(peers), budget.clone(), metrics.clone(), gate);
        let hub = tokio::spawn(hub.run(inbox, context.shutdown.clone()));
        let shutdown = context.shutdown.clone();
        let directory = Directory::new(peers);
        let push = Push::new(events, plans, budget, metrics, directory, shutdown);
        Ok(Self { push, hub, links })
    }

    /// Waits until nothing is under way after the shutdown.
    pub async fn finish(mut self) {
        drop(self.push);
        if let Err(error) = self.hub.await {
            tracing::error!(%error, "the hub of pushes has failed");
        }
        self.links.shutdown().await;
    }
}
