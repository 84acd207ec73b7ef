//! An aggregator behind a pipe in memory, and short words for its client.

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use logtally_aggregator::{Aggregator, AggregatorOptions, serve};
use logtally_core::source::{SourceId, SourceState};
use logtally_proto::v1::aggregator_service_client::AggregatorServiceClient;
use logtally_proto::v1::group_service_client::GroupServiceClient;
use logtally_proto::{Action, Request, v1};
use logtally_service::Context;
use logtally_store::SharedStore;
use logtally_store::memory::MemoryStore;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// An aggregator, and a client's stream to it.
pub(crate) struct Bench {
    pub store: SharedStore,
    pub context: Context,
    pub groups: GroupServiceClient<Channel>,
    pub requests: mpsc::UnboundedSender<v1::ExchangeRequest>,
    answers: Streaming<v1::ExchangeResponse>,
    tag: u64,
    serving: JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    /// The same over a store that may hold something.
    pub(crate) async fn over(store: SharedStore) -> Self {
        let context = Context::new("test", "0");
        let aggregator =
            Aggregator::start(store.clone(), AggregatorOptions::default(), &context).await;
        let aggregator = aggregator.expect("started");
        let (pipes, incoming) = mpsc::channel::<DuplexStream>(1);
        let server = context.clone();
        let serving = tokio::spawn(async move {
            let incoming = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
            serve(incoming, &aggregator, &server).await.expect("served");
            aggregator.stop().await;
        });
        let connector = tower::service_fn(move |_| {
            let pipes = pipes.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1 << 16);
                pipes.send(theirs).await.map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>(TokioIo::new(ours))
            }
        });
        let channel = Endpoint::from_static("http://pipe").connect_with_connector(connector).await;
        let channel = channel.expect("connected");
        let mut client = AggregatorServiceClient::new(channel.clone());
        let groups = GroupServiceClient::new(channel);
        let (requests, outgoing) = mpsc::unbounded_channel();
        let answers = client.exchange(UnboundedReceiverStream::new(outgoing)).await;
        let answers = answers.expect("a stream").into_inner();
        Self { store, context, groups, requests, answers, tag: 0, serving }
    }

    pub(crate) fn send(&mut self, source: &str, action: Action) {
        self.tag += 1;
        let source = SourceId::new(source).expect("valid");
        let request = Request { tag: self.tag, source, action, traceparent: String::new() };
        self.requests.send(request.into()).expect("the stream is open");
    }

    pub(crate) async fn answer(&mut self) -> Result<(u64, Option<SourceState>), Status> {
        let answer = self.answers.message().await?.expect("an answer");
        let state = answer.state.map(|s| SourceState::try_from(s).expect("a valid state"));
        Ok((answer.tag, state))
    }

    pub(crate) async fn ask(&mut self, source: &str, action: Action) -> Option<SourceState> {
        self.send(source, action);
        let (tag, state) = self.answer().await.expect("an answer");
        assert_eq!(tag, self.tag);
        state
    }

    /// Stops the aggregator, and gives the store back.
    pub(crate) async fn stop(self) -> SharedStore {
        self.context.shutdown.cancel();
        drop((self.requests, self.answers, self.groups));
        self.serving.await.expect("no panic");
        self.store
    }
}
