//! The aggregator as a program: committers and folders of all partitions behind a gRPC listener.

use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use logtally_core::limits::{
    COMMIT_QUEUE_MAX, GROUPS_BYTES_MAX, MESSAGE_BYTES_MAX, PUSHED_SOURCE_RETENTION_DEFAULT,
    STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use logtally_core::partition::Partition;
use logtally_proto::v1::aggregator_service_server::AggregatorServiceServer;
use logtally_proto::v1::group_service_server::GroupServiceServer;
use logtally_service::{
    Context, ExitError, ReadinessGate, bind, bind_std, cancel_on_signal, init_telemetry,
    spawn_admin, version,
};
use logtally_store::redis::RedisOptions;
use logtally_store::{CountStore, SharedStore, StoreError, StoreInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpIncoming};

use crate::args::Args;
use crate::committer::Committer;
use crate::exchange::Exchange;
use crate::folder::{Backlog, fold_forever};
use crate::groups::Groups;
use crate::janitor::Janitor;
use crate::limits::SeriesLimits;
use crate::metrics::Metrics;
use crate::shortest_ttl::ShortestTtl;
use crate::ticker::Ticker;

/// How long a stopping aggregator works on what it has taken in.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How often a store that is away is tried at start.
const CREATE_EVERY: Duration = Duration::from_millis(500);

/// How often whatever serves the store is checked.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// How the aggregator works.
#[derive(Clone, Copy, Debug)]
pub struct AggregatorOptions {
    /// Number of partitions that a new store gets, and an existing one must have.
    pub partitions: Option<u16>,
    /// How long the idempotency keys and the anonymous sources of pushes are kept.
    pub key_retention: Duration,
    /// Largest message (bytes) that an ingest may send.
    pub message_bytes_max: usize,
}

impl Default for AggregatorOptions {
    fn default() -> Self {
        Self {
            partitions: None,
            key_retention: PUSHED_SOURCE_RETENTION_DEFAULT,
            message_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

/// Committers and folders over one store.
pub struct Aggregator {
    exchange: Exchange,
    groups: Groups,
    message_bytes_max: usize,
    tasks: JoinSet<()>,
    /// The store that it found or created.
    pub info: StoreInfo,
}

impl Aggregator {
    /// Creates or finds the store (waiting for one that is away) and starts to work on it.
    pub async fn start(
        store: SharedStore,
        options: AggregatorOptions,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new(&context.registry)?;
        let writes: Arc<dyn CountStore> = store.clone();
        let info = create(&writes, options, &context.readiness.gate("store")).await?;
        let partitions = info.partitions;
        let limits = SeriesLimits::new(store.clone(), partitions, metrics.clone());
        let shortest_ttl = ShortestTtl::default();
        let (mut tasks, mut queues, mut backlogs) = (JoinSet::new(), Vec::new(), Vec::new());
        for partition in (0..partitions).map(Partition) {
            let backlog = Backlog::new(writes.pace());
            let (queue, jobs) = mpsc::channel(COMMIT_QUEUE_MAX);
            let committer = Committer {
                partition,
                partitions,
                store: Arc::clone(&writes),
                backlog: backlog.clone(),
                limits: limits.clone(),
                shortest_ttl: shortest_ttl.clone(),
                metrics: metrics.clone(),
                gate: context.readiness.gate("commits"),
            };
            tasks.spawn(committer.run(jobs));
            let gate = context.readiness.gate("folds");
            let folding = fold_forever(
                partition,
                Arc::clone(&writes),
                backlog.clone(),
                metrics.clone(),
                gate,
            );
            tasks.spawn(folding);
            queues.push(queue);
            backlogs.push(backlog);
        }
        let (ours, retention) = (metrics.clone(), options.key_retention);
        let backlog = backlogs[0].clone();
        let ticker = Ticker {
            store: store.clone(),
            partitions,
            backlog,
            shortest_ttl,
            metrics: ours.clone(),
        };
        tasks.spawn(ticker.run());
        let janitor = Janitor { store: store.clone(), partitions, retention, metrics: ours };
        tasks.spawn(janitor.run());
        tasks.spawn(check_forever(writes, context.readiness.gate("store settings")));
        let groups = Groups::new(store, backlogs, metrics.clone());
        let exchange = Exchange::new(queues, metrics, context.shutdown.clone());
        Ok(Self { exchange, groups, message_bytes_max: options.message_bytes_max, tasks, info })
    }

    /// Stops all work at once.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Finds or creates the store, for as long as that may still succeed.
async fn create(
    store: &Arc<dyn CountStore>,
    options: AggregatorOptions,
    gate: &ReadinessGate,
) -> Result<StoreInfo, StoreError> {
    loop {
        let created = async {
            store.check().await?;
            store.create(options.partitions).await
        };
        match created.await {
            Ok(info) => {
                gate.ready();
                tracing::info!(
                    partitions = info.partitions,
                    state_id = info.state_id,
                    "store is ready"
                );
                return Ok(info);
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for the store");
                gate.not_ready(error.to_string());
                tokio::time::sleep(CREATE_EVERY).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Tells of settings that put counts at risk, when they begin and when they end.
async fn check_forever(store: Arc<dyn CountStore>, gate: ReadinessGate) {
    let mut known: Vec<String> = Vec::new();
    loop {
        match store.check().await {
            Ok(warnings) => {
                gate.ready();
                for warning in warnings.iter().filter(|w| !known.contains(w)) {
                    tracing::warn!(warning, "the store's server is not set up well");
                }
                known = warnings;
            }
            // Whoever uses the store says so.
            Err(error) if error.is_transient() => {}
            Err(error) => {
                tracing::error!(%error, "the store's server is not safe to count on");
                gate.not_ready(error.to_string());
            }
        }
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

/// Serves the aggregator on connections of any kind until the context's shutdown.
pub async fn serve<I, IO, E>(
    incoming: I,
    aggregator: &Aggregator,
    context: &Context,
) -> anyhow::Result<()>
where
    I: Stream<Item = Result<IO, E>> + Send,
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AggregatorServiceServer<Exchange>>().await;
    health.set_serving::<GroupServiceServer<Groups>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(logtally_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let service = AggregatorServiceServer::new(aggregator.exchange.clone())
        .max_decoding_message_size(aggregator.message_bytes_max)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let groups = GroupServiceServer::new(aggregator.groups.clone())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(GROUPS_BYTES_MAX);
    let shutdown = context.shutdown.clone();
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * 4)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_service(service)
        .add_service(groups)
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_MAX).await;
    };
    tokio::select! {
        result = server => result?,
        () = late => tracing::warn!("stopped before everything was answered; it will be sent again"),
    }
    Ok(())
}

/// Runs the program until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let url = args.store.server_url().map_err(ExitError::usage)?;
    let telemetry = init_telemetry("logtally-aggregator", &args.log)?;
    let context = Context::new("logtally-aggregator", version());
    cancel_on_signal(context.shutdown.clone());
    let admin = bind_std("--admin.listen-address", &args.admin_listen_address).await?;
    let listener = bind("--grpc.listen-address", &args.grpc_listen_address).await?;
    let admin = spawn_admin(admin, context.clone(), "logtally-aggregator");
    let options = RedisOptions { durability: args.durability.into(), ..RedisOptions::default() };
    let store = url.open(options)?;
    tracing::info!(version = version(), "started");
    let options = AggregatorOptions {
        partitions: args.partitions,
        key_retention: args.retention.key_retention,
        ..AggregatorOptions::default()
    };
    let started = tokio::select! {
        aggregator = Aggregator::start(store, options, &context) => Some(aggregator?),
        () = context.shutdown.cancelled() => None,
    };
    if let Some(aggregator) = started {
        // Answers are small and many: none may wait until the one before it has arrived.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        serve(incoming, &aggregator, &context).await?;
        aggregator.stop().await;
    }
    admin.stop();
    telemetry.shutdown();
    Ok(())
}
