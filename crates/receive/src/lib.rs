//! Pushed records: from a message to an acknowledgement.
//!
//! A message is admitted ([`budget`]), counted by the rules of a push input ([`block`]),
//! put in its place behind the messages before it ([`lane`]) and committed by the aggregator that works
//! for its source ([`hub`]). The listeners ([`grpc`], [`http`]) only translate.

pub mod block;

pub mod directory;

pub mod budget;

pub mod groups;

pub mod grpc;

pub mod http;

pub mod lane;

pub mod message;

pub mod metrics;

mod hub;

mod opening;

mod listeners;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_core::push::ProducerName;
use logtally_service::Context;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::block::count_block;
use self::budget::{Budget, Permit};
use self::directory::Directory;
use self::hub::{Command, Event, Hub};
use self::lane::check_sequence;
pub use self::listeners::Listeners;
use self::message::{Acknowledged, Message, Opened, PushError, Sender};
use self::metrics::PushMetrics;
use logtally_count::plan::Plan;
use logtally_count::reading::Reading;
use logtally_session::links::Links;
use logtally_session::uplink::{Peer, keep_up};

/// Messages of so many bytes or more are counted on a thread that may block: they would hold up others
/// for some milliseconds. Below that, handing them over costs more than it saves.
const BLOCKING_BYTES: usize = 512 << 10;

/// Events that wait for the hub.
const EVENTS_MAX: usize = 1024;

/// Takes in pushed messages. Clones are handles to the same.
#[derive(Clone)]
pub struct Push {
    events: mpsc::Sender<Event>,
    plans: watch::Receiver<Arc<Plan>>,
    budget: Budget,
    metrics: PushMetrics,
    directory: Directory,
    shutdown: CancellationToken,
}

/// The work behind a [`Push`].
pub struct Pushing {
    /// The handle.
    pub push: Push,
    hub: JoinHandle<()>,
    links: tokio::task::JoinSet<()>,
}

/// Records to be counted, and how.
#[derive(Clone, Debug)]
pub struct Records {
    /// Name of the push input; empty for the first one.
    pub input: String,
    /// Name of the format; empty for that of the input.
    pub format: String,
    /// The records.
    pub bytes: Bytes,
}

/// An answer that is on its way.
pub type Pending = oneshot::Receiver<Result<Acknowledged, PushError>>;

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
        let push = Push { events, plans, budget, metrics, directory, shutdown };
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

impl Push {
    /// The memory for pushed records.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What is counted, as of now.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plans.borrow())
    }

    /// Own metrics.
    pub fn metrics(&self) -> &PushMetrics {
        &self.metrics
    }

    /// Who knows the groups of pushed metrics.
    pub fn groups(&self) -> &Directory {
        &self.directory
    }

    /// Cancelled when nothing more is taken in.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Opens a producer.
    pub async fn open(&self, name: ProducerName) -> Result<Opened, PushError> {
        let (answer, opened) = oneshot::channel();
        self.tell(Command::Open(name, answer)).await?;
        opened.await.map_err(|_| PushError::Draining)?
    }

    /// Counts records and hands them on. The messages of one sender must be handed on in their order:
    /// wait for this before the next one. The answer comes later.
    pub async fn records(
        &self,
        sender: Sender,
        records: Records,
        expected_hash: Option<u64>,
        permit: Permit,
    ) -> Result<Pending, PushError> {
        let message = self.count(sender, records, expected_hash, permit).await;
        let message = message.inspect_err(|error| self.metrics.note_refused(error))?;
        self.message(message).await
    }

    /// Hands on a message that is counted already.
    pub async fn message(&self, message: Message) -> Result<Pending, PushError> {
        let (answer, pending) = oneshot::channel();
        self.tell(Command::Push(Box::new(message), answer)).await?;
        Ok(pending)
    }

    async fn count(
        &self,
        sender: Sender,
        records: Records,
        expected_hash: Option<u64>,
        permit: Permit,
    ) -> Result<Message, PushError> {
        let number = match &sender {
            Sender::Producer { sequence, .. } => {
                check_sequence(*sequence)?;
                *sequence
            }
            Sender::Key { .. } | Sender::Anybody { .. } => now_ms(),
        };
        let hash = hash64(&records.bytes);
        if let Some(expected) = expected_hash.filter(|expected| *expected != hash) {
            return Err(PushError::Damaged { expected, got: hash });
        }
        let plan = self.plan();
        let input = plan.push.find(&records.input, &records.format);
        let input = input.map_err(|error| PushError::invalid(error.field(), error))?;
        let reading = Reading { input: Arc::clone(input), path: Arc::from([]) };
        let bytes = records.bytes;
        let counted = if bytes.len() < BLOCKING_BYTES {
            count_block(&reading, number, &bytes)
        } else {
            let work = move || count_block(&reading, number, &bytes);
            // It only fails if it panics, which has been reported.
            tokio::task::spawn_blocking(work).await.map_err(|_| PushError::Unanswered)?
        };
        let (counted, rejections) = counted?;
        Ok(Message { sender, hash, counted, rejections, permit })
    }

    async fn tell(&self, command: Command) -> Result<(), PushError> {
        if self.shutdown.is_cancelled() {
            return Err(PushError::Draining);
        }
        self.events.send(Event::Command(command)).await.map_err(|_| PushError::Draining)
    }
}

/// The answer, once it is there.
pub async fn answered(pending: Pending) -> Result<Acknowledged, PushError> {
    pending.await.map_err(|_| PushError::Draining)?
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
