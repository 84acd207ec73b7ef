//! A bad network for pushes: a push service that forwards to real ingests, and on the way delays,
//! loses and repeats what it is given.
//!
//! It works on messages, so that it can do what a cut wire cannot: forward a message and lose only the
//! answer, or send it again later, to another ingest. It never invents an answer, and counts what it
//! did ([`Did`]): a test that asserts the numbers knows that its faults happened.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logtally_proto::v1::push_service_server::{PushService, PushServiceServer};
use logtally_proto::v1::{OpenProducerRequest, OpenProducerResponse, PushRequest, PushResponse};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::push_client::{ATTEMPT, Client, client};
use crate::wait::holds;

/// How likely each fault is, per message, from 0 to 1.
#[derive(Clone, Debug)]
pub struct Rates {
    /// It is held back for up to [`Rates::longest`].
    pub delay: f64,
    /// The longest delay, of a message as well as of a duplicate.
    pub longest: Duration,
    /// It is not forwarded.
    pub cut_before: f64,
    /// It is forwarded, and the answer is lost.
    pub cut_after: f64,
    /// It is forwarded twice: at once, or later to any ingest.
    pub duplicate: f64,
    /// Its stream ends.
    pub end_stream: f64,
    /// All further answers of its stream are lost.
    pub mute_stream: f64,
}

impl Rates {
    /// Nothing happens.
    pub const NONE: Self = Self {
        delay: 0.0,
        longest: Duration::ZERO,
        cut_before: 0.0,
        cut_after: 0.0,
        duplicate: 0.0,
        end_stream: 0.0,
        mute_stream: 0.0,
    };

    /// Everything happens, and most messages arrive.
    pub const BAD: Self = Self {
        delay: 0.2,
        longest: Duration::from_millis(100),
        cut_before: 0.05,
        cut_after: 0.1,
        duplicate: 0.2,
        end_stream: 0.02,
        mute_stream: 0.02,
    };
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a proxy did so far.
        #[derive(Default)]
        pub struct Did { $($(#[$doc])* pub $name: AtomicU64),* }

        impl fmt::Debug for Did {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Did")$(.field(stringify!($name), &read(&self.$name)))*.finish()
            }
        }
    };
}

counters! {
    /// Messages that were forwarded, repetitions included.
    forwarded,
    /// Messages that were held back.
    delayed,
    /// Calls that failed before anything was forwarded.
    cut_before,
    /// Calls that were forwarded, and whose answer was lost.
    cut_after,
    /// Messages that were forwarded twice, one right after the other.
    repeated_at_once,
    /// Messages that were forwarded again later.
    repeated_later,
    /// Streams that were ended.
    streams_ended,
    /// Streams whose answers were lost from some moment on.
    streams_muted,
    /// Answers that muted streams lost.
    answers_lost,
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn note(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

/// A running proxy. It ends when it is dropped.
pub struct PushProxy {
    port: u16,
    did: Arc<Did>,
    server: tokio::task::JoinHandle<()>,
}

impl PushProxy {
    /// Forwards to the ingests that listen on these ports, from now on.
    pub async fn start(upstreams: &[u16], rates: Rates, rng: &mut StdRng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let did = Arc::new(Did::default());
        let wire = Wire(Arc::new(Shared {
            upstreams: upstreams.iter().copied().map(client).collect(),
            rates,
            rng: Mutex::new(StdRng::seed_from_u64(rng.random())),
            did: Arc::clone(&did),
        }));
        let serving = Server::builder()
            .add_service(PushServiceServer::new(wire))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async { serving.await.expect("the proxy's server") });
        Self { port, did, server }
    }

    /// Where clients push to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What happened so far.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Whether every kind of fault has happened. Single calls as well as streams must have come by.
    pub fn is_busy(&self) -> Result<(), String> {
        let did = &self.did;
        let faults = [
            &did.delayed,
            &did.cut_before,
            &did.cut_after,
            &did.repeated_at_once,
            &did.repeated_later,
            &did.streams_ended,
            &did.streams_muted,
            &did.answers_lost,
        ];
        let all = faults.iter().all(|counter| read(counter) > 0);
        holds(all, || format!("a fault never happened: {did:?}"))
    }
}

impl Drop for PushProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Shared {
    upstreams: Vec<Client>,
    rates: Rates,
    rng: Mutex<StdRng>,
    did: Arc<Did>,
}

/// What becomes of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Forward,
    CutBefore,
    CutAfter,
    Twice,
    Later,
}

#[derive(Clone)]
struct Wire(Arc<Shared>);

impl Wire {
    fn random<T>(&self, choose: impl FnOnce(&mut StdRng) -> T) -> T {
        choose(&mut self.0.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn happens(&self, rate: f64) -> bool {
        self.random(|rng| rng.random_bool(rate))
    }

    fn upstream(&self) -> Client {
        self.0.upstreams[self.random(|rng| rng.random_range(0..self.0.upstreams.len()))].clone()
    }

    fn fate(&self) -> Fate {
        let Rates { cut_before, cut_after, duplicate, .. } = self.0.rates;
        let chance: f64 = self.random(Rng::random);
        match chance {
            c if c < cut_before => Fate::CutBefore,
            c if c < cut_before + cut_after => Fate::CutAfter,
            c if c < cut_before + cut_after + duplicate => {
                if self.happens(0.5) {
                    Fate::Twice
                } else {
                    Fate::Later
                }
            }
            _ => Fate::Forward,
        }
    }

    async fn delay(&self) {
        if self.happens(self.0.rates.delay) {
            note(&self.0.did.delayed);
            tokio::time::sleep(self.some_time()).await;
        }
    }

    fn some_time(&self) -> Duration {
        self.0.rates.longest.mul_f64(self.random(Rng::random))
    }

    async fn forward(&self, message: PushRequest) -> Result<Response<PushResponse>, Status> {
        note(&self.0.did.forwarded);
        let mut upstream = self.upstream();
        in_time(upstream.push(message)).await
    }

    /// Forwards a message again after a while; nobody waits for the answer.
    fn repeat_later(&self, message: PushRequest) {
        note(&self.0.did.repeated_later);
        let wire = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wire.some_time()).await;
            let _ = wire.forward(message).await;
        });
    }

    /// Carries the messages of one stream.
    async fn pump(
        &self,
        mut from: Streaming<PushRequest>,
        to: mpsc::Sender<PushRequest>,
        muted: &AtomicBool,
    ) -> Status {
        let mut head = PushRequest::default();
        loop {
            let mut message = match from.message().await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(status) => return status,
            };
            if head.producer.is_empty() {
                head.clone_from(&message);
            }
            self.delay().await;
            if self.happens(self.0.rates.end_stream) {
                note(&self.0.did.streams_ended);
                return Status::unavailable("the proxy ended the stream");
            }
            if self.happens(self.0.rates.mute_stream) && !muted.swap(true, Ordering::SeqCst) {
                note(&self.0.did.streams_muted);
            }
            self.duplicate_inside(&head, &mut message, &to).await;
            note(&self.0.did.forwarded);
            if to.send(message).await.is_err() {
                break;
            }
        }
        drop(to);
        // The answers to what was sent are still to come: they end the stream.
        pending().await
    }

    /// Repeats a message of a stream within it, or later outside of it.
    async fn duplicate_inside(
        &self,
        head: &PushRequest,
        message: &mut PushRequest,
        to: &mpsc::Sender<PushRequest>,
    ) {
        match self.fate() {
            Fate::Twice => {
                note(&self.0.did.repeated_at_once);
                note(&self.0.did.forwarded);
                let _ = to.send(message.clone()).await;
            }
            // What the stream says once has to be said again outside.
            Fate::Later => self.repeat_later(PushRequest {
                producer: head.producer.clone(),
                epoch: head.epoch,
                input: head.input.clone(),
                format: head.format.clone(),
                ..message.clone()
            }),
            _ => (),
        }
    }

    /// Carries the answers of one stream, to their end.
    async fn pull(
        &self,
        messages: mpsc::Receiver<PushRequest>,
        to: &mpsc::Sender<Result<PushResponse, Status>>,
        muted: &AtomicBool,
    ) -> Result<(), Status> {
        let mut upstream = self.upstream();
        let mut answers = upstream.push_stream(ReceiverStream::new(messages)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            if muted.load(Ordering::SeqCst) {
                note(&self.0.did.answers_lost);
            } else {
                let _ = to.send(Ok(answer)).await;
            }
        }
        if muted.load(Ordering::SeqCst) {
            // The end is lost like the answers before it.
            pending::<()>().await;
        }
        Ok(())
    }

    async fn relay(
        self,
        from: Streaming<PushRequest>,
        to: mpsc::Sender<Result<PushResponse, Status>>,
    ) {
        let (sender, messages) = mpsc::channel(1);
        let muted = AtomicBool::new(false);
        let ended = tokio::select! {
            status = self.pump(from, sender, &muted) => Err(status),
            ended = self.pull(messages, &to, &muted) => ended,
            () = to.closed() => Ok(()),
        };
        if let Err(status) = ended {
            let _ = to.send(Err(status)).await;
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Status::unavailable("the proxy got no answer");
    tokio::time::timeout(ATTEMPT, call).await.map_err(late)?
}

fn lost() -> Status {
    Status::unavailable("the proxy lost it")
}

#[tonic::async_trait]
impl PushService for Wire {
    async fn open_producer(
        &self,
        request: Request<OpenProducerRequest>,
    ) -> Result<Response<OpenProducerResponse>, Status> {
        self.delay().await;
        let mut upstream = self.upstream();
        match self.fate() {
            Fate::CutBefore => {
                note(&self.0.did.cut_before);
                Err(lost())
            }
            Fate::CutAfter => {
                note(&self.0.did.cut_after);
                let _ = in_time(upstream.open_producer(request.into_inner())).await;
                Err(lost())
            }
            // A second opening later on would be a second producer, and end the first one.
            _ => in_time(upstream.open_producer(request.into_inner())).await,
        }
    }

    async fn push(&self, request: Request<PushRequest>) -> Result<Response<PushResponse>, Status> {
        let message = request.into_inner();
        self.delay().await;
        match self.fate() {
            Fate::Forward => self.forward(message).await,
            Fate::CutBefore => {
                note(&self.0.did.cut_before);
                Err(lost())
            }
            Fate::CutAfter => {
                note(&self.0.did.cut_after);
                let _ = self.forward(message).await;
                Err(lost())
            }
            Fate::Twice => {
                note(&self.0.did.repeated_at_once);
                let (first, second) =
                    tokio::join!(self.forward(message.clone()), self.forward(message));
                first.or(second)
            }
            Fate::Later => {
                self.repeat_later(message.clone());
                self.forward(message).await
            }
        }
    }

    type PushStreamStream = ReceiverStream<Result<PushResponse, Status>>;

    async fn push_stream(
        &self,
        request: Request<Streaming<PushRequest>>,
    ) -> Result<Response<Self::PushStreamStream>, Status> {
        let (to, answers) = mpsc::channel(1);
        tokio::spawn(self.clone().relay(request.into_inner(), to));
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

#[cfg(test)]
mod tests;
