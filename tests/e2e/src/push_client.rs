//! A plain client of the push service, on the generated code alone: what the tests know of pushing
//! must not depend on the client that is shipped.
//!
//! A [`Producer`] keeps an account of what was acknowledged, and refuses answers that cannot be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use logtally_proto::v1::push_service_client::PushServiceClient;
use logtally_proto::v1::{
    Guarantee, OpenProducerRequest, OpenProducerResponse, PushRequest, PushResponse,
};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use xxhash_rust::xxh3::xxh3_64;

/// The generated client.
pub type Client = PushServiceClient<Channel>;

/// How long one attempt may take: a frozen ingest must not hold up a producer that knows another one.
pub const ATTEMPT: Duration = Duration::from_secs(3);

/// Between two attempts, if the service names no time.
const PAUSE: Duration = Duration::from_millis(50);

/// Larger than what the service takes: it has to refuse by itself.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A client that connects when it is needed, to a port of this machine.
pub fn client(port: u16) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("an address");
    let channel = endpoint.connect_timeout(ATTEMPT).connect_lazy();
    PushServiceClient::new(channel)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// A message with its hash, as a producer sends it.
pub fn message(producer: &str, epoch: u64, sequence: u64, records: &Bytes) -> PushRequest {
    PushRequest {
        producer: producer.to_owned(),
        epoch,
        sequence,
        content_hash: Some(xxh3_64(records)),
        records: records.clone(),
        ..PushRequest::default()
    }
}

/// The reason in the details of an error; empty if the service did not give one.
pub fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Whether an error says nothing about the message: the same one may go well elsewhere, or later.
fn may_pass(status: &Status) -> bool {
    if !reason(status).is_empty() {
        return matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
    }
    // Without details it is the connection that speaks, in one of several words.
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Internal
            | Code::DeadlineExceeded
    )
}

/// What became of a producer's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Of these, those that had been counted by an earlier attempt.
    pub duplicates: u64,
    /// Records that answers said were counted. Less than what was pushed, if answers were lost.
    pub counted: u64,
    /// Answers that did not promise durability.
    pub not_durable: u64,
    /// Attempts that failed, by what they ended with.
    pub failed: BTreeMap<String, u64>,
}

impl Account {
    /// All attempts that failed.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Adds another account.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.duplicates += other.duplicates;
        self.counted += other.counted;
        self.not_durable += other.not_durable;
        for (why, times) in &other.failed {
            *self.failed.entry(why.clone()).or_default() += times;
        }
    }
}

/// A named producer that sends each message until it is acknowledged, to one ingest after the other.
pub struct Producer {
    name: String,
    clients: Vec<Client>,
    turn: usize,
    epoch: u64,
    sequence: u64,
    /// How long one attempt may take.
    pub attempt: Duration,
    /// The pause before each message of a stream.
    pub pace: Duration,
    /// What happened so far.
    pub account: Account,
}

impl Producer {
    /// A producer that is not opened yet, and the ports that it may push to.
    pub fn new(name: &str, ports: &[u16]) -> Self {
        Self::with(name, ports.iter().copied().map(client).collect())
    }

    /// As [`Producer::new`], over connections that others may have, too.
    pub fn with(name: &str, clients: Vec<Client>) -> Self {
        Self {
            name: name.to_owned(),
            clients,
            turn: 0,
            epoch: 0,
            sequence: 0,
            attempt: ATTEMPT,
            pace: Duration::ZERO,
            account: Account::default(),
        }
    }

    /// The last message that is acknowledged.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The epoch of the last opening.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Goes back to a message that the store has not forgotten: what came after it is to be sent again.
    pub fn go_back(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Goes on with another ingest, as a producer does whose ingest leaves.
    pub fn move_on(&mut self) {
        self.turn += 1;
    }

    /// Which of the ports it pushes to now.
    pub fn at(&self) -> usize {
        self.turn % self.clients.len()
    }

    fn client(&self) -> Client {
        self.clients[self.at()].clone()
    }

    /// Opens the producer, as often as it takes, and goes on after what is counted.
    pub async fn open(&mut self, within: Duration) -> Result<OpenProducerResponse, Status> {
        let begun = Instant::now();
        loop {
            let request = OpenProducerRequest { producer: self.name.clone() };
            let mut client = self.client();
            match answer_within(self.attempt, client.open_producer(request)).await {
                Ok(opened) => {
                    (self.epoch, self.sequence) = (opened.epoch, opened.sequence);
                    return Ok(opened);
                }
                Err(status) => self.pause(status, begun, within).await?,
            }
        }
    }

    /// The next message, with the number of its bytes' origin as a note.
    pub fn next(&self, records: &Bytes, note: Option<u64>) -> PushRequest {
        PushRequest { note, ..message(&self.name, self.epoch, self.sequence + 1, records) }
    }

    /// One attempt to push the next message.
    pub async fn try_push(&mut self, request: PushRequest) -> Result<PushResponse, Status> {
        let (mut client, number) = (self.client(), request.sequence);
        let answer = answer_within(self.attempt, client.push(Request::new(request))).await?;
        assert_eq!(answer.sequence, number, "{}: {answer:?}", self.name);
        self.acknowledge(&answer);
        Ok(answer)
    }

    /// Pushes the next message until it is acknowledged. An error says that this will never be, or
    /// not in time.
    pub async fn push(
        &mut self,
        records: &Bytes,
        note: Option<u64>,
        within: Duration,
    ) -> Result<PushResponse, Status> {
        let begun = Instant::now();
        loop {
            match self.try_push(self.next(records, note)).await {
                Ok(answer) => return Ok(answer),
                Err(status) => self.pause(status, begun, within).await?,
            }
        }
    }

    /// Streams messages until the last of them is acknowledged; `within` is for all of them. Each new
    /// stream begins after the last acknowledged message.
    pub async fn stream(&mut self, messages: &[Bytes], within: Duration) -> Result<(), Status> {
        let (begun, before) = (Instant::now(), self.sequence);
        let last = before + messages.len() as u64;
        while self.sequence < last {
            let rest = &messages[(self.sequence - before) as usize..];
            if let Err(status) = self.try_stream(rest).await {
                self.pause(status, begun, within).await?;
            }
        }
        Ok(())
    }

    /// One stream with the next messages. It ends well when all of them are acknowledged.
    pub async fn try_stream(&mut self, messages: &[Bytes]) -> Result<(), Status> {
        let last = self.sequence + messages.len() as u64;
        let (requests, pace) = (tokio_stream::iter(self.stream_of(messages)), self.pace);
        let requests = requests.then(move |request| async move {
            // A sleep of no time still lasts a millisecond.
            if !pace.is_zero() {
                tokio::time::sleep(pace).await;
            }
            request
        });
        let mut client = self.client();
        let mut answers = answer_within(self.attempt, client.push_stream(requests)).await?;
        while self.sequence < last {
            let next = tokio::time::timeout(self.attempt, answers.message()).await;
            let answer = next.map_err(|_| too_late())??;
            let answer = answer.ok_or_else(|| Status::unavailable("the stream ended early"))?;
            assert!(answer.sequence <= last, "{}: {answer:?}", self.name);
            self.acknowledge(&answer);
        }
        Ok(())
    }

    /// The messages of a stream: the first one says who sends, the others only what.
    fn stream_of(&self, messages: &[Bytes]) -> Vec<PushRequest> {
        let numbered = (self.sequence + 1..).zip(messages);
        let mut requests: Vec<PushRequest> =
            numbered.map(|(number, records)| message("", 0, number, records)).collect();
        if let Some(first) = requests.first_mut() {
            first.producer.clone_from(&self.name);
            first.epoch = self.epoch;
        }
        requests
    }

    fn acknowledge(&mut self, answer: &PushResponse) {
        assert!(answer.sequence >= self.sequence, "{}: went back: {answer:?}", self.name);
        let exact = answer.guarantee() == Guarantee::ExactlyOnce;
        assert!(exact, "{}: what has a name counts once: {answer:?}", self.name);
        assert!(answer.duplicates <= answer.messages, "{}: {answer:?}", self.name);
        self.account.acknowledged += answer.sequence - self.sequence;
        self.account.duplicates += answer.duplicates;
        self.account.counted += answer.counted;
        self.account.not_durable += u64::from(!answer.durable);
        self.sequence = answer.sequence;
    }

    /// Notes a failed attempt, and waits before the next one, which goes elsewhere. An error that
    /// does not pass, or comes too late, is given back.
    async fn pause(
        &mut self,
        status: Status,
        begun: Instant,
        within: Duration,
    ) -> Result<(), Status> {
        let reason = reason(&status);
        let code = status.code();
        let why =
            if reason.is_empty() { format!("{code:?}: {}", status.message()) } else { reason };
        *self.account.failed.entry(why).or_default() += 1;
        if !may_pass(&status) || begun.elapsed() > within {
            return Err(status);
        }
        self.move_on();
        let named = status.get_details_retry_info().and_then(|info| info.retry_delay);
        tokio::time::sleep(named.unwrap_or(PAUSE).min(self.attempt)).await;
        Ok(())
    }
}

async fn answer_within<T>(
    time: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    let answer = tokio::time::timeout(time, call).await.map_err(|_| too_late())?;
    answer.map(tonic::Response::into_inner)
}

fn too_late() -> Status {
    Status::deadline_exceeded("no answer within the time of an attempt")
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn refused(code: Code, reason: &str) -> Status {
        let details = ErrorDetails::with_error_info(reason, "logtally", []);
        Status::with_error_details(code, "no", details)
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        assert!(may_pass(&Status::unavailable("gone")) && may_pass(&Status::unknown("broken")));
        assert!(!may_pass(&Status::invalid_argument("wrong")));
        assert!(may_pass(&refused(Code::Unavailable, "DRAINING")));
        assert!(may_pass(&refused(Code::ResourceExhausted, "BUSY")));
        assert!(!may_pass(&refused(Code::FailedPrecondition, "PRODUCER_FENCED")));
        assert_eq!(reason(&refused(Code::Unavailable, "DRAINING")), "DRAINING");
    }

    #[test]
    fn only_the_first_message_of_a_stream_has_a_name() {
        let rt = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let rt = rt.expect("a runtime");
        let _inside = rt.enter();
        let producer = Producer { epoch: 7, sequence: 3, ..Producer::new("p", &[1]) };
        let requests = producer.stream_of(&[Bytes::from("a\n"), Bytes::from("b\n")]);
        let heads: Vec<_> =
            requests.iter().map(|r| (r.producer.as_str(), r.epoch, r.sequence)).collect();
        assert_eq!(heads, [("p", 7, 4), ("", 0, 5)]);
        assert!(requests.iter().all(|r| r.content_hash == Some(xxh3_64(&r.records))));
    }
}
