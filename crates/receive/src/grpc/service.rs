//! The calls of `PushService`. They translate, and keep the order of what comes in; nothing is decided
//! here.

use std::pin::Pin;

use futures::Stream;
use logtally_core::limits::{
    IDEMPOTENCY_KEY_BYTES_MAX, POSITION_MAX, PRODUCER_IN_FLIGHT_MESSAGES_MAX, PUSH_BYTES_MAX,
};
use logtally_core::push::{ProducerName, Scope};
use logtally_proto::v1;
use logtally_proto::v1::push_service_server::PushService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::intake::Intake;
use super::status::status;
use crate::budget::Permit;
use crate::error::PushError;
use crate::message::{Acknowledgement, Sender};
use crate::push::{Pending, Push, PushedRecords, replied};

/// Answers that wait until a client takes them; then its messages wait, too.
const ANSWERS_MAX: usize = 64;

/// The service.
#[derive(Clone)]
pub(super) struct Service {
    push: Push,
}

/// What a message of a stream leaves out, because an earlier one gave it; and what the first one decides
/// for all.
#[derive(Default)]
struct StreamDefaults {
    producer: String,
    epoch: u64,
    /// Input and format of the first message; `None` before it.
    target: Option<(String, String)>,
}

impl Service {
    pub(super) fn new(push: Push) -> Self {
        Self { push }
    }

    /// Hands on one message.
    async fn take(&self, message: v1::PushRequest, permit: Permit) -> Result<Pending, PushError> {
        let expected_hash = message.content_hash;
        let sender = sender(&message).inspect_err(|e| self.push.metrics().note_refused(e))?;
        let v1::PushRequest { input, format, records: bytes, .. } = message;
        if bytes.len() > PUSH_BYTES_MAX {
            return Err(PushError::TooLarge);
        }
        let records = PushedRecords { input, format, bytes };
        self.push.records(sender, records, expected_hash, permit).await
    }

    /// Takes in messages until the stream ends, something is wrong, or the process stops.
    async fn read(
        self,
        mut messages: Streaming<v1::PushRequest>,
        intake: Intake,
        pending: mpsc::Sender<Result<Pending, Status>>,
    ) {
        let mut before = StreamDefaults::default();
        loop {
            let next = tokio::select! {
                next = messages.message() => next,
                () = self.push.shutdown().cancelled() => Err(status(&PushError::Draining)),
                () = pending.closed() => return,
            };
            let taken = match next {
                Ok(None) => return,
                Ok(Some(mut message)) => match intake.take() {
                    Ok(permit) => {
                        before.complete(&mut message);
                        self.take(message, permit).await.map_err(|error| status(&error))
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            let is_over = taken.is_err();
            if pending.send(taken).await.is_err() || is_over {
                return;
            }
        }
    }
}

impl StreamDefaults {
    /// Fills in what was said before, and remembers what is said now.
    fn complete(&mut self, message: &mut v1::PushRequest) {
        if message.producer.is_empty() {
            message.producer.clone_from(&self.producer);
        } else {
            self.producer.clone_from(&message.producer);
        }
        let target = &mut self.target;
        let (input, format) =
            target.get_or_insert_with(|| (message.input.clone(), message.format.clone()));
        message.input.clone_from(input);
        message.format.clone_from(format);
        match message.epoch {
            0 => message.epoch = self.epoch,
            epoch => self.epoch = epoch,
        }
    }
}

/// Who sends a message.
fn sender(message: &v1::PushRequest) -> Result<Sender, PushError> {
    let key = message.idempotency_key.as_bytes();
    if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        let text = format!("a key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
        return Err(PushError::invalid("idempotency_key", text));
    }
    if message.producer.is_empty() {
        if message.sequence != 0 || message.epoch != 0 {
            let text = "a message with a sequence or an epoch needs the name of its producer";
            return Err(PushError::invalid("producer", text));
        }
        return Ok(match key {
            [] => Sender::Anonymous { scope: Scope::Lines },
            key => Sender::Key { scope: Scope::Lines, key: key.to_vec() },
        });
    }
    if !key.is_empty() {
        let text = "a message of a producer has its sequence number, and no key";
        return Err(PushError::invalid("idempotency_key", text));
    }
    if message.note.is_some_and(|note| note > POSITION_MAX) {
        return Err(PushError::invalid("note", "a note is below 2^53"));
    }
    let name = ProducerName::new(&message.producer);
    Ok(Sender::Producer {
        name: name.map_err(|error| PushError::invalid("producer", error))?,
        epoch: message.epoch,
        sequence: message.sequence,
        note: message.note,
    })
}

/// One answer for messages that were acknowledged one after the other.
#[derive(Default)]
struct Sum(v1::PushResponse);

impl Sum {
    fn add(&mut self, one: Acknowledgement) {
        let sum = &mut self.0;
        sum.sequence = sum.sequence.max(one.sequence);
        sum.durable = (sum.messages == 0 || sum.durable) && one.durable;
        let guarantee =
            if one.exactly_once { v1::Guarantee::ExactlyOnce } else { v1::Guarantee::AtLeastOnce };
        // Of several, the weakest.
        sum.guarantee = sum.guarantee.max(guarantee.into());
        sum.messages += 1;
        sum.duplicates += u64::from(one.duplicate);
        sum.counted += one.records.counted;
        sum.filtered += one.records.filtered;
        for rejection in one.rejections {
            match sum.rejected.iter_mut().find(|known| known.reason == rejection.reason) {
                Some(known) => known.records += rejection.records,
                None => sum.rejected.push(v1::Rejection {
                    reason: rejection.reason.to_owned(),
                    records: rejection.records,
                    first: rejection.first,
                }),
            }
        }
    }
}

/// Answers in the order of the messages; several at once if they are there.
async fn respond(
    mut pending: mpsc::Receiver<Result<Pending, Status>>,
    answers: mpsc::Sender<Result<v1::PushResponse, Status>>,
) {
    let mut next = pending.recv().await;
    while let Some(first) = next {
        let mut sum = Sum::default();
        let mut waiting = Some(first);
        let mut end = None;
        // The first one is waited for; those behind it are taken along if they are ready.
        while let Some(message) = waiting.take() {
            let answer = match message {
                Ok(mut answer) if sum.0.messages > 0 => match answer.try_recv() {
                    Ok(result) => result.map_err(|error| status(&error)),
                    Err(tokio::sync::oneshot::error::TryRecvError::Empty) => {
                        waiting = Some(Ok(answer));
                        break;
                    }
                    Err(_) => Err(status(&PushError::Draining)),
                },
                Ok(answer) => replied(answer).await.map_err(|error| status(&error)),
                Err(error) => Err(error),
            };
            match answer {
                Ok(acknowledged) => sum.add(acknowledged),
                Err(error) => {
                    end = Some(error);
                    break;
                }
            }
            waiting = pending.try_recv().ok();
        }
        if sum.0.messages > 0 && answers.send(Ok(sum.0)).await.is_err() {
            return;
        }
        if let Some(error) = end {
            let _ = answers.send(Err(error)).await;
            return;
        }
        next = match waiting {
            Some(message) => Some(message),
            None => pending.recv().await,
        };
    }
}

#[tonic::async_trait]
impl PushService for Service {
    type PushStreamStream = Pin<Box<dyn Stream<Item = Result<v1::PushResponse, Status>> + Send>>;

    async fn open_producer(
        &self,
        request: Request<v1::OpenProducerRequest>,
    ) -> Result<Response<v1::OpenProducerResponse>, Status> {
        let name = ProducerName::new(&request.get_ref().producer);
        let name = name.map_err(|error| status(&PushError::invalid("producer", error)))?;
        let opened = self.push.open(name).await.map_err(|error| status(&error))?;
        Ok(Response::new(v1::OpenProducerResponse {
            epoch: opened.state.generation.0,
            sequence: opened.state.position,
            content_hash: opened.state.tail.0,
            note: opened.state.note,
            durable: opened.durable,
        }))
    }

    async fn push(
        &self,
        request: Request<v1::PushRequest>,
    ) -> Result<Response<v1::PushResponse>, Status> {
        let permit = intake(&request)?.take()?;
        let pending = self.take(request.into_inner(), permit).await;
        let pending = pending.map_err(|error| status(&error))?;
        let acknowledged = replied(pending).await.map_err(|error| status(&error))?;
        let mut sum = Sum::default();
        sum.add(acknowledged);
        Ok(Response::new(sum.0))
    }

    async fn push_stream(
        &self,
        request: Request<Streaming<v1::PushRequest>>,
    ) -> Result<Response<Self::PushStreamStream>, Status> {
        let intake = intake(&request)?;
        let (pending, waiting) = mpsc::channel(PRODUCER_IN_FLIGHT_MESSAGES_MAX);
        let (answers, stream) = mpsc::channel(ANSWERS_MAX);
        let streams = self.push.metrics().streams.clone();
        let reading = self.clone().read(request.into_inner(), intake, pending);
        tokio::spawn(async move {
            streams.inc();
            tokio::join!(reading, respond(waiting, answers));
            streams.dec();
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

fn intake<T>(request: &Request<T>) -> Result<Intake, Status> {
    let intake = request.extensions().get::<Intake>().cloned();
    intake.ok_or_else(|| Status::internal("a call came in past the intake"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_of_a_stream_names_input_and_format_for_all() {
        let named = |input: &str, format: &str| v1::PushRequest {
            input: input.into(),
            format: format.into(),
            ..v1::PushRequest::default()
        };
        for first in [named("jobs", "json"), named("", "")] {
            let mut defaults = StreamDefaults::default();
            for mut message in [first.clone(), named("", ""), named("visits", "csv")] {
                defaults.complete(&mut message);
                assert_eq!(message, first);
            }
        }
    }

    #[test]
    fn a_producer_and_its_epoch_hold_until_others_are_named() {
        let mut defaults = StreamDefaults::default();
        let named = |producer: &str, epoch| v1::PushRequest {
            producer: producer.into(),
            epoch,
            ..v1::PushRequest::default()
        };
        for (said, meant) in [(("a", 1), ("a", 1)), (("", 0), ("a", 1)), (("b", 2), ("b", 2))] {
            let mut message = named(said.0, said.1);
            defaults.complete(&mut message);
            assert_eq!(message, named(meant.0, meant.1));
        }
    }
}
