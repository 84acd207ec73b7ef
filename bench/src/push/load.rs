//! As much as the other side takes, for a given time: messages of lines to the ingest, or lines to the
//! baseline. What was sent must be acknowledged to the line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logtally_proto::v1::push_service_client::PushServiceClient;
use logtally_proto::v1::{Guarantee, OpenProducerRequest, PushRequest};
use tokio_stream::Stream;
use tonic::transport::{Channel, Endpoint};

use super::data::Data;
use super::wire::baseline_service_client::BaselineServiceClient;

/// Connects to a port of this machine.
pub async fn connect(port: u16) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.connect().await?)
}

/// What stops a load.
#[derive(Clone, Copy)]
pub struct Until(Instant);

impl Until {
    /// After some time.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// `make(0)`, `make(1)`… up to the end, as fast as they are taken, and how many there were.
    fn stream<T>(self, make: impl Fn(u64) -> T) -> (impl Stream<Item = T>, Arc<AtomicU64>) {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let next = move |n| {
            let go_on = n == 0 || Instant::now() < self.0;
            go_on.then(|| {
                counter.store(n + 1, Ordering::Relaxed);
                make(n)
            })
        };
        (tokio_stream::iter((0..).map_while(next)), sent)
    }
}

/// A producer that is open.
pub struct Producer {
    /// Where it pushes.
    pub client: PushServiceClient<Channel>,
    name: String,
    epoch: u64,
}

impl Producer {
    /// Opens a new producer on a connection of its own.
    pub async fn open(port: u16, name: String) -> Result<Self> {
        let mut client = PushServiceClient::new(connect(port).await?);
        let request = OpenProducerRequest { producer: name.clone() };
        let opened = client.open_producer(request).await?.into_inner();
        ensure!(opened.sequence == 0, "the producer {name} has pushed before");
        Ok(Self { client, name, epoch: opened.epoch })
    }

    /// Its message number `n` (from 0).
    pub fn message(&self, data: &Data, n: u64, lines: usize) -> PushRequest {
        let records = data.message(n, lines);
        let sequence = n + 1;
        let (producer, epoch) = (self.name.clone(), self.epoch);
        PushRequest { producer, epoch, sequence, records, ..PushRequest::default() }
    }

    /// The same in a stream, where only the first message says who sends it.
    pub fn message_of_stream(&self, data: &Data, n: u64, lines: usize) -> PushRequest {
        match n {
            0 => self.message(data, n, lines),
            _ => PushRequest {
                sequence: n + 1,
                records: data.message(n, lines),
                ..PushRequest::default()
            },
        }
    }

    /// Pushes messages of so many lines each over one stream. Returns how many lines were sent, once
    /// all of them are acknowledged, each once.
    pub async fn push(self, data: Arc<Data>, lines: usize, until: Until) -> Result<u64> {
        let mut client = self.client.clone();
        let (stream, sent) = until.stream(move |n| self.message_of_stream(&data, n, lines));
        let mut answers = client.push_stream(stream).await?.into_inner();
        let (mut messages, mut counted) = (0, 0);
        while let Some(answer) = answers.message().await? {
            ensure!(answer.guarantee() == Guarantee::ExactlyOnce && answer.durable, "{answer:?}");
            ensure!(answer.duplicates == 0 && answer.rejected.is_empty(), "{answer:?}");
            messages += answer.messages;
            counted += answer.counted;
        }
        let sent = sent.load(Ordering::Relaxed);
        ensure!(messages == sent, "{messages} of {sent} messages were acknowledged");
        ensure!(counted == sent * lines as u64, "{counted} lines of {sent} messages were counted");
        Ok(counted)
    }
}

/// Sends lines one by one to the baseline. Returns how many, if it has counted as many.
pub async fn count(port: u16, data: Arc<Data>, until: Until) -> Result<u64> {
    let mut client = BaselineServiceClient::new(connect(port).await?);
    let (stream, sent) = until.stream(move |n| data.line(n));
    let summary = client.count(stream).await?.into_inner();
    let sent = sent.load(Ordering::Relaxed);
    ensure!(summary.lines == sent, "{} of {sent} lines were counted", summary.lines);
    Ok(sent)
}
