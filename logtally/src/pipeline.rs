//! Ingest and aggregator over one store, joined by a pipe in memory: the way of every record in one
//! process, whether it is followed, counted once or only tried out.

use std::sync::Arc;

use logtally_aggregator::{Aggregator, Options as AggregatorOptions};
use logtally_ingest::metrics::Metrics;
use logtally_ingest::plan::Plan;
use logtally_ingest::uplink::Peer;
use logtally_ingest::{Options, Outcome, View, follow};
use logtally_service::Context;
use logtally_store::SharedStore;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Counts into `store` until the shutdown or the end of the files. `work` is how its aggregator works.
pub async fn count(
    options: Options,
    plans: watch::Receiver<Arc<Plan>>,
    view: View,
    store: SharedStore,
    work: AggregatorOptions,
    context: &Context,
) -> anyhow::Result<Outcome> {
    // The ingest drains into the aggregator, so the aggregator stops after it.
    let inner = Context { shutdown: CancellationToken::new(), ..context.clone() };
    let aggregator = tokio::select! {
        started = Aggregator::start(store, work, &inner) => started?,
        () = context.shutdown.cancelled() => return Ok(Outcome::default()),
    };
    let (pipes, incoming) = mpsc::channel(1);
    let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
    let aggregator = Arc::new(aggregator);
    let serving = {
        let (aggregator, inner) = (Arc::clone(&aggregator), inner.clone());
        tokio::spawn(async move { logtally_aggregator::serve(incoming, &aggregator, &inner).await })
    };
    let metrics = Metrics::new(&context.registry)?;
    let outcome = follow(options, vec![Peer::Local(pipes)], plans, view, metrics, context).await;
    inner.shutdown.cancel();
    serving.await??;
    Ok(outcome)
}
