//! An ingest that keeps its counts in a map: the rules of push.proto and nothing else. A test double
//! for what the client decides; never a proof about the real ingest.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_proto::v1;
use logtally_proto::v1::push_service_server::{PushService, PushServiceServer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

/// A producer as it is stored.
#[derive(Clone, Default)]
pub(crate) struct Stored {
    pub epoch: u64,
    pub messages: Vec<(Bytes, Option<u64>)>,
}

/// The store, which all ingests of a test share.
#[derive(Clone)]
pub(crate) struct Store(Arc<Mutex<Inner>>);

pub(crate) struct Inner {
    pub producers: HashMap<String, Stored>,
    pub unnamed: Vec<Bytes>,
    pub durable: bool,
    epochs: u64,
    streams: u64,
}

impl Store {
    pub(crate) fn new(durable: bool) -> Self {
        let (producers, unnamed) = (HashMap::new(), Vec::new());
        Self(Arc::new(Mutex::new(Inner { producers, unnamed, durable, epochs: 100, streams: 0 })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics with the lock")
    }

    /// All records of a producer in their order.
    pub(crate) fn text(&self, producer: &str) -> String {
        let inner = self.lock();
        let messages = inner.producers[producer].messages.iter();
        messages.map(|(records, _)| String::from_utf8_lossy(records).into_owned()).collect()
    }

    /// Forgets all messages of a producer but the first ones.
    pub(crate) fn rewind(&self, producer: &str, to: usize) {
        self.lock().producers.get_mut(producer).expect("known").messages.truncate(to);
    }
}

impl Inner {
    fn open(&mut self, producer: &str) -> v1::OpenProducerResponse {
        self.epochs += 1;
        let stored = self.producers.entry(producer.to_owned()).or_default();
        stored.epoch = self.epochs;
        v1::OpenProducerResponse {
            epoch: stored.epoch,
            sequence: stored.messages.len() as u64,
            content_hash: stored.messages.last().map_or(0, |(records, _)| hash64(records)),
            note: stored.messages.last().and_then(|(_, note)| *note),
            durable: self.durable,
        }
    }

    fn push(&mut self, request: &v1::PushRequest) -> Result<v1::PushResponse, Status> {
        if request.records.starts_with(b"refuse") {
            return Err(error(Code::InvalidArgument, "TOO_MANY_SERIES", &[]));
        }
        let mut answer = v1::PushResponse {
            messages: 1,
            durable: self.durable,
            counted: request.records.split(|byte| *byte == b'\n').count() as u64 - 1,
            guarantee: v1::Guarantee::ExactlyOnce.into(),
            ..v1::PushResponse::default()
        };
        if request.producer.is_empty() {
            self.unnamed.push(request.records.clone());
            answer.guarantee = v1::Guarantee::AtLeastOnce.into();
            return Ok(answer);
        }
        if request.content_hash != Some(hash64(&request.records)) {
            return Err(error(Code::DataLoss, "CONTENT_DAMAGED", &[]));
        }
        let unknown = || error(Code::NotFound, "PRODUCER_UNKNOWN", &[]);
        let stored = self.producers.get_mut(&request.producer).ok_or_else(unknown)?;
        if stored.epoch != request.epoch {
            return Err(error(Code::FailedPrecondition, "PRODUCER_FENCED", &[]));
        }
        let (number, last) = (request.sequence, stored.messages.len() as u64);
        if number > last + 1 {
            let last = last.to_string();
            return Err(error(Code::OutOfRange, "SEQUENCE_GAP", &[("sequence", &last)]));
        }
        if number == last + 1 {
            stored.messages.push((request.records.clone(), request.note));
        } else if stored.messages[number as usize - 1].0 != request.records {
            return Err(error(Code::AlreadyExists, "CONTENT_CONFLICT", &[]));
        } else {
            (answer.duplicates, answer.counted) = (1, 0);
        }
        answer.sequence = stored.messages.len() as u64;
        Ok(answer)
    }
}

fn error(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let metadata: HashMap<_, _> = metadata.iter().map(own).collect();
    let mut details = ErrorDetails::with_error_info(reason, "logtally", metadata);
    if matches!(code, Code::Unavailable | Code::ResourceExhausted) {
        details.set_retry_info(Some(Duration::from_millis(5)));
    }
    Status::with_error_details(code, "test", details)
}

/// What goes wrong, each with its probability per message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    pub refuse_busy: f64,
    pub drain: f64,
    /// The message counts, and the stream ends without an answer.
    pub lose_answer: f64,
    /// The answer comes with a later one.
    pub skip_answer: f64,
    /// Takes everything and never answers.
    pub hang: bool,
}

/// An ingest.
#[derive(Clone)]
pub(crate) struct Ingest {
    pub store: Store,
    pub faults: Faults,
    pub seed: u64,
}

impl Ingest {
    /// Serves on a free port until the test ends.
    pub(crate) async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tonic::transport::Server::builder()
            .add_service(PushServiceServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }

    /// One stream, message by message.
    async fn serve(
        self,
        mut requests: Streaming<v1::PushRequest>,
        answers: mpsc::UnboundedSender<Result<v1::PushResponse, Status>>,
    ) {
        let stream = {
            let mut inner = self.store.lock();
            inner.streams += 1;
            inner.streams
        };
        // Each stream fails in its own way, or one that fails at once would do so for ever.
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(stream));
        let (mut producer, mut epoch) = (String::new(), 0);
        let mut skipped: Option<v1::PushResponse> = None;
        while let Some(Ok(mut request)) = requests.next().await {
            if self.faults.hang {
                continue;
            }
            if random.random_bool(self.faults.refuse_busy) {
                drop(answers.send(Err(error(Code::ResourceExhausted, "BUSY", &[]))));
                return;
            }
            if random.random_bool(self.faults.drain) {
                drop(answers.send(Err(error(Code::Unavailable, "DRAINING", &[]))));
                return;
            }
            if !request.producer.is_empty() {
                (producer, epoch) = (request.producer.clone(), request.epoch);
            }
            (request.producer, request.epoch) = (producer.clone(), epoch);
            let mut answer = self.store.lock().push(&request);
            if random.random_bool(self.faults.lose_answer) {
                return;
            }
            if let (Ok(answer), Some(before)) = (&mut answer, skipped.take()) {
                answer.messages += before.messages;
                answer.duplicates += before.duplicates;
                answer.counted += before.counted;
            }
            match answer {
                Ok(answer) if random.random_bool(self.faults.skip_answer) => skipped = Some(answer),
                answer => {
                    let is_end = answer.is_err();
                    if answers.send(answer).is_err() || is_end {
                        return;
                    }
                }
            }
        }
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<v1::PushResponse, Status>> + Send>>;

#[tonic::async_trait]
impl PushService for Ingest {
    type PushStreamStream = Answers;

    async fn open_producer(
        &self,
        request: Request<v1::OpenProducerRequest>,
    ) -> Result<Response<v1::OpenProducerResponse>, Status> {
        Ok(Response::new(self.store.lock().open(&request.into_inner().producer)))
    }

    async fn push(
        &self,
        request: Request<v1::PushRequest>,
    ) -> Result<Response<v1::PushResponse>, Status> {
        self.store.lock().push(&request.into_inner()).map(Response::new)
    }

    async fn push_stream(
        &self,
        request: Request<Streaming<v1::PushRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let (sender, answers) = mpsc::unbounded_channel();
        tokio::spawn(self.clone().serve(request.into_inner(), sender));
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(answers))))
    }
}

/// A wire to `to` that cuts each connection after a random number of bytes, in one direction: in the
/// middle of the messages, or of the answers.
pub(crate) async fn cutting_wire(to: SocketAddr, seed: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut random = StdRng::seed_from_u64(seed);
        while let Ok((ours, _)) = listener.accept().await {
            let limits = if random.random_bool(0.5) {
                [random.random_range(100..60_000), u64::MAX]
            } else {
                [u64::MAX, random.random_range(100..2000)]
            };
            tokio::spawn(wire(ours, to, limits));
        }
    });
    address
}

async fn wire(ours: TcpStream, to: SocketAddr, [there, back]: [u64; 2]) {
    let Ok(theirs) = TcpStream::connect(to).await else { return };
    let (our_read, our_write) = ours.into_split();
    let (their_read, their_write) = theirs.into_split();
    tokio::select! {
        () = carry(our_read.take(there), their_write) => {}
        () = carry(their_read.take(back), our_write) => {}
    }
}

async fn carry(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.flush().await;
}
