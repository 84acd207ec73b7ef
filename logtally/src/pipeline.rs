//! Ingest and aggregator over one store, joined by a pipe in memory: the way of every record in one
//! process, whether it is followed, counted once or only tried out.

use std::sync::Arc;

use logtally_aggregator::{Aggregator, AggregatorOptions};
use logtally_count::plan::Plan;
use logtally_receive::Listeners;
use logtally_receive::Pushing;
use logtally_service::Context;
use logtally_session::uplink::Peer;
use logtally_store::SharedStore;
use logtally_tail::{FollowOptions, FollowOutcome, FollowView, TailMetrics, follow};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// What is counted, and how.
pub(crate) struct Job {
    /// How files are followed.
    pub(crate) options: FollowOptions,
    /// What is read and counted.
    pub(crate) plans: watch::Receiver<Arc<Plan>>,
    /// Learns what is followed.
    pub(crate) view: FollowView,
    /// Where pushes are taken.
    pub(crate) pushes: Listeners,
    /// How the aggregator works.
    pub(crate) aggregator: AggregatorOptions,
}

/// Counts into `store` until the shutdown or the end of the files.
pub(crate) async fn count(
    job: Job,
    store: SharedStore,
    context: &Context,
) -> anyhow::Result<FollowOutcome> {
    let Job { options, plans, view, pushes, aggregator } = job;
    // The ingest drains into the aggregator, so the aggregator stops after it.
    let inner = Context { shutdown: CancellationToken::new(), ..context.clone() };
    let aggregator = tokio::select! {
        started = Aggregator::start(store, aggregator, &inner) => started?,
        () = context.shutdown.cancelled() => return Ok(FollowOutcome::default()),
    };
    let (pipes, incoming) = mpsc::channel(1);
    let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
    let aggregator = Arc::new(aggregator);
    let serving = {
        let (aggregator, inner) = (Arc::clone(&aggregator), inner.clone());
        tokio::spawn(async move { logtally_aggregator::serve(incoming, &aggregator, &inner).await })
    };
    let peers = vec![Peer::Local(pipes)];
    let pushing = start_pushes(pushes, &peers, &plans, context)?;
    let metrics = TailMetrics::new(&context.registry)?;
    let outcome = follow(options, peers, plans, view, metrics, context).await;
    if let Some((pushing, serving)) = pushing {
        context.shutdown.cancel();
        pushing.finish().await;
        serving.await??;
    }
    inner.shutdown.cancel();
    serving.await??;
    Ok(outcome)
}

/// Takes pushes, if there is a listener for them.
fn start_pushes(
    listeners: Listeners,
    peers: &[Peer],
    plans: &watch::Receiver<Arc<Plan>>,
    context: &Context,
) -> anyhow::Result<Option<(Pushing, JoinHandle<anyhow::Result<()>>)>> {
    if listeners.is_empty() {
        return Ok(None);
    }
    let pushing = Pushing::start(peers, plans.clone(), context)?;
    let serving = tokio::spawn(listeners.serve(pushing.push.clone(), context.clone()));
    Ok(Some((pushing, serving)))
}
