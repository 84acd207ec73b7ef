//! What the listeners call: counts a message and hands it to the hub.
//!
//! It never waits for a commit: a reply comes later, through a channel.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_core::push::ProducerName;
use logtally_count::plan::Plan;
use logtally_count::reading::Reading;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::block::count_block;
use crate::budget::{Budget, Permit};
use crate::directory::Directory;
use crate::error::PushError;
use crate::hub::{Command, Event};
use crate::message::{Acknowledgement, Message, OpenedProducer, Sender, check_sequence};
use crate::metrics::PushMetrics;

/// Messages of so many bytes or more are counted on a thread that may block: they would hold up others
/// for some milliseconds. Below that, handing them over costs more than it saves.
const BLOCKING_BYTES: usize = 512 << 10;

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

/// Records to be counted, and how.
#[derive(Clone, Debug)]
pub(crate) struct PushedRecords {
    /// Name of the push input; empty for the first one.
    pub(crate) input: String,
    /// Name of the format; empty for that of the input.
    pub(crate) format: String,
    /// The records.
    pub(crate) bytes: Bytes,
}

/// A reply that is on its way.
pub(crate) type Pending = oneshot::Receiver<Result<Acknowledgement, PushError>>;

impl Push {
    pub(crate) fn new(
        events: mpsc::Sender<Event>,
        plans: watch::Receiver<Arc<Plan>>,
        budget: Budget,
        metrics: PushMetrics,
        directory: Directory,
        shutdown: CancellationToken,
    ) -> Self {
        Self { events, plans, budget, metrics, directory, shutdown }
    }

    /// The memory for pushed records.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What is counted, as of now.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plans.borrow())
    }

    /// Own metrics.
    pub(crate) fn metrics(&self) -> &PushMetrics {
        &self.metrics
    }

    /// Who knows the groups of pushed metrics.
    pub(crate) fn groups(&self) -> &Directory {
        &self.directory
    }

    /// Cancelled when nothing more is taken in.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Opens a producer.
    pub(crate) async fn open(&self, name: ProducerName) -> Result<OpenedProducer, PushError> {
        let (reply_to, opened) = oneshot::channel();
        self.hand_on(Command::Open(name, reply_to)).await?;
        opened.await.map_err(|_| PushError::Draining)?
    }

    /// Counts records and hands them on. The messages of one sender must be handed on in their order:
    /// wait for this before the next one. The reply comes later.
    pub(crate) async fn records(
        &self,
        sender: Sender,
        records: PushedRecords,
        expected_hash: Option<u64>,
        permit: Permit,
    ) -> Result<Pending, PushError> {
        let message = self.count(sender, records, expected_hash, permit).await;
        let message = message.inspect_err(|error| self.metrics.note_refused(error))?;
        self.message(message).await
    }

    /// Hands on a message that is counted already.
    pub(crate) async fn message(&self, message: Message) -> Result<Pending, PushError> {
        let (reply_to, pending) = oneshot::channel();
        self.hand_on(Command::Push(Box::new(message), reply_to)).await?;
        Ok(pending)
    }

    async fn count(
        &self,
        sender: Sender,
        records: PushedRecords,
        expected_hash: Option<u64>,
        permit: Permit,
    ) -> Result<Message, PushError> {
        let number = match &sender {
            Sender::Producer { sequence, .. } => {
                check_sequence(*sequence)?;
                *sequence
            }
            Sender::Key { .. } | Sender::Anonymous { .. } => now_ms(),
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

    async fn hand_on(&self, command: Command) -> Result<(), PushError> {
        if self.shutdown.is_cancelled() {
            return Err(PushError::Draining);
        }
        self.events.send(Event::Command(command)).await.map_err(|_| PushError::Draining)
    }
}

/// The reply, once it is there.
pub(crate) async fn replied(pending: Pending) -> Result<Acknowledgement, PushError> {
    pending.await.map_err(|_| PushError::Draining)?
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
