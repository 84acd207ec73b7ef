//! The wire side: requests come in, are parsed once, and go to the committer of their partition.
//!
//! It takes no decision about a source, and it never waits for a client that does not read: what one
//! stream may have outstanding is bounded, and then nothing more is read from it.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use logtally_core::partition::partition_of;
use logtally_core::source::{RecordCounts, SourceState, Tail};
use logtally_proto::v1;
use logtally_proto::v1::aggregator_service_server::AggregatorService;
use logtally_proto::{Action, Request, answer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status, Streaming};

use crate::metrics::Metrics;

/// Requests that one stream may have outstanding: every source of a large ingest may ask at once,
/// and deltas are bounded by the sender.
const OUTSTANDING_MAX: usize = 16_384;

/// A request and where its answer goes.
pub struct PendingRequest {
    /// What is asked for.
    pub request: Request,
    reply: mpsc::UnboundedSender<Reply>,
    permit: OwnedSemaphorePermit,
}

type Reply = (Result<v1::ExchangeResponse, Status>, Option<OwnedSemaphorePermit>);

impl PendingRequest {
    /// Answers with what is stored now. A client that has gone asks again on its next stream.
    pub fn answer(self, stored: Option<SourceState>, durable: bool) {
        let response = answer(self.request.tag, &self.request.source, stored, durable);
        let _ = self.reply.send((Ok(response), Some(self.permit)));
    }
}

/// The gRPC service.
#[derive(Clone)]
pub struct Exchange {
    committers: Arc<[mpsc::Sender<PendingRequest>]>,
    metrics: Metrics,
    shutdown: CancellationToken,
}

impl Exchange {
    /// A service before the committers of all partitions, in order.
    pub fn new(
        committers: Vec<mpsc::Sender<PendingRequest>>,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        Self { committers: committers.into(), metrics, shutdown }
    }

    async fn read(
        self,
        mut requests: Streaming<v1::ExchangeRequest>,
        reply: mpsc::UnboundedSender<Reply>,
    ) {
        self.metrics.streams.inc();
        if let Err(status) = self.read_all(&mut requests, &reply).await {
            note_end(&status);
            let _ = reply.send((Err(status), None));
        }
        self.metrics.streams.dec();
    }

    async fn read_all(
        &self,
        requests: &mut Streaming<v1::ExchangeRequest>,
        reply: &mpsc::UnboundedSender<Reply>,
    ) -> Result<(), Status> {
        let outstanding = Arc::new(Semaphore::new(OUTSTANDING_MAX));
        let stopped = || Status::unavailable("the aggregator is stopping");
        loop {
            let message = tokio::select! {
                message = requests.message() => message?,
                () = self.shutdown.cancelled() => return Err(stopped()),
            };
            let Some(message) = message else { return Ok(()) };
            let tag = message.tag;
            let request = Request::try_from(message)
                .map_err(|e| Status::invalid_argument(format!("request {tag}: {e}")))?;
            check_action(&request.action)
                .map_err(|why| Status::invalid_argument(format!("request {tag}: {why}")))?;
            let permit = Arc::clone(&outstanding).acquire_owned().await;
            let permit = permit.map_err(|_| stopped())?;
            let partition = partition_of(&request.source, self.committers.len() as u16);
            let committer = &self.committers[usize::from(partition.0)];
            let job = PendingRequest { request, reply: reply.clone(), permit };
            committer.send(job).await.map_err(|_| stopped())?;
        }
    }
}

/// Refuses a generation that does not begin as one can: the store takes the state as it is.
fn check_action(action: &Action) -> Result<(), &'static str> {
    let Action::Open { expected, fresh } = action else { return Ok(()) };
    let SourceState { position, tail, end, records, .. } = *fresh;
    // A producer's new generation goes on where the one before stands.
    let goes_on = expected.is_some_and(|before| {
        (before.position, before.tail, before.records) == (position, tail, records)
    });
    if records != RecordCounts::default() && !goes_on {
        return Err("a new generation has no records yet");
    }
    if end.is_some_and(|end| end.position < position) {
        return Err("a new generation begins behind its end");
    }
    if position == 0 && tail != Tail::empty() {
        return Err("nothing stands before a beginning");
    }
    Ok(())
}

/// Ingests come and go; only a message that makes no sense is worth a warning.
fn note_end(status: &Status) {
    let (code, reason) = (status.code(), status.message());
    if code == Code::InvalidArgument {
        tracing::warn!(?code, reason, "an ingest sent a message that makes no sense");
    } else {
        tracing::info!(?code, reason, "a stream ended");
    }
}

#[tonic::async_trait]
impl AggregatorService for Exchange {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<v1::ExchangeResponse, Status>> + Send>>;

    async fn exchange(
        &self,
        request: tonic::Request<Streaming<v1::ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (reply, replies) = mpsc::unbounded_channel::<Reply>();
        tokio::spawn(self.clone().read(request.into_inner(), reply));
        // The permit goes when the answer is handed to the transport.
        let answers = UnboundedReceiverStream::new(replies).map(|(answer, _permit)| answer);
        Ok(Response::new(Box::pin(answers)))
    }
}
