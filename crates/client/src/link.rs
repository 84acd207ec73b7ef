//! The way to the ingests: one stream at a time, begun again after every failure until it works or is
//! hopeless. Only carries; what is sent, and what an answer means, is decided by the window.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use logtally_core::push::ProducerName;
use logtally_core::secret_url::without_secrets;
use logtally_proto::v1;
use logtally_proto::v1::push_service_client::PushServiceClient;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::backoff::Backoff;
use crate::error::Error;
use crate::fault::{Fault, chain};
use crate::options::Options;
use crate::state::{Opened, Shared};

/// The endpoints, and how patient to be with them.
pub(crate) struct Link {
    producer: Option<ProducerName>,
    endpoints: Vec<Endpoint>,
    at: usize,
    connect_timeout: Duration,
    answer_timeout: Duration,
    give_up: Option<Duration>,
    backoff: Backoff,
    random: StdRng,
    failing: Option<Instant>,
}

impl Link {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let (producer, endpoints) = options.check()?;
        let mut random = options.seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64);
        Ok(Self {
            producer,
            // Many producers with one list of ingests begin at different ones.
            at: random.random_range(0..endpoints.len()),
            endpoints,
            connect_timeout: options.connect_timeout,
            answer_timeout: options.answer_timeout,
            give_up: options.give_up,
            backoff: Backoff::new(options.backoff),
            random,
            failing: None,
        })
    }

    pub(crate) fn producer(&self) -> Option<&ProducerName> {
        self.producer.as_ref()
    }

    /// Opens the producer, however long it takes. Without a name there is nothing to open.
    pub(crate) async fn open(&mut self) -> Result<Result<Opened, Fault>, Error> {
        let Some(producer) = self.producer.clone() else { return Ok(Ok(Opened::default())) };
        loop {
            match self.try_open(&producer).await {
                Ok(opened) => return Ok(Ok(opened)),
                Err(Fault::Retry { reason, after }) => self.retry(reason, after).await?,
                Err(fault) => return Ok(Err(fault)),
            }
        }
    }

    /// Sends what is to be sent until that is hopeless.
    pub(crate) async fn run(mut self, shared: Arc<Shared>) {
        self.succeeded();
        loop {
            if shared.until_work().await {
                // Nothing failed while there was nothing to do.
                self.failing = None;
            }
            let before = shared.acked();
            let fault = self.stream(&shared).await;
            shared.broken();
            if shared.acked() > before {
                self.succeeded();
            }
            let healed = match fault {
                Ok(fault) => self.heal(fault, &shared).await,
                Err(error) => Err(error),
            };
            if let Err(error) = healed {
                return shared.end(error);
            }
        }
    }

    /// Does whatever may let the next stream work.
    async fn heal(&mut self, fault: Fault, shared: &Shared) -> Result<(), Error> {
        match fault {
            Fault::Retry { reason, after } => self.retry(reason, after).await,
            Fault::Gap { sequence } => {
                let lost = shared.go_to(sequence)?;
                self.tell_rewind(sequence, lost);
                // One that says so again and again must not be asked in a circle.
                self.pause(format!("messages behind {sequence} are missing"), None).await
            }
            Fault::Unknown => match self.open().await? {
                Ok(opened) => {
                    let lost = shared.reopened(opened)?;
                    self.tell_rewind(opened.resumed.sequence, lost);
                    self.pause("the producer was unknown".to_owned(), None).await
                }
                Err(fault) => Err(shared.fatal(fault)),
            },
            fault => Err(shared.fatal(fault)),
        }
    }

    fn tell_rewind(&self, sequence: u64, lost: u64) {
        if lost > 0 {
            let producer = self.producer.as_ref().map_or("", ProducerName::as_str);
            tracing::warn!(
                producer,
                sequence,
                messages = lost,
                "the store lost messages that it had acknowledged; they are sent again"
            );
        }
    }

    async fn try_open(&self, producer: &ProducerName) -> Result<Opened, Fault> {
        let mut client = PushServiceClient::new(self.connect().await?);
        let request = v1::OpenProducerRequest { producer: producer.as_str().to_owned() };
        let answer = timeout(self.connect_timeout, client.open_producer(request)).await;
        let answer = answer.map_err(|_| Fault::retry("no answer to the opening"))?;
        let answer = answer.map_err(|status| Fault::from(&status))?.into_inner();
        Ok(Opened { epoch: answer.epoch, resumed: answer.into() })
    }

    async fn connect(&self) -> Result<Channel, Fault> {
        // The endpoint's own limit does not hold for the resolution of the name.
        let connected = timeout(self.connect_timeout, self.endpoints[self.at].connect()).await;
        let connected = connected.map_err(|_| Fault::retry("connecting took too long"))?;
        connected.map_err(|error| Fault::retry(chain(&error)))
    }

    /// One stream, until it ends.
    async fn stream(&self, shared: &Shared) -> Result<Fault, Error> {
        let channel = match self.connect().await {
            Ok(channel) => channel,
            Err(fault) => return Ok(fault),
        };
        // The window bounds what is under way, so the channel needs no bound of its own.
        let (requests, outgoing) = mpsc::unbounded_channel();
        let feed = async {
            shared.feed(requests).await;
            // It was the other end that closed, and the answers tell why.
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            end = receive(channel, outgoing, shared) => end,
            () = stalled(shared, self.answer_timeout) => Ok(Fault::retry("no answer")),
            never = feed => match never {},
        }
    }

    fn succeeded(&mut self) {
        self.failing = None;
        self.backoff.reset();
    }

    /// Waits, and turns to the next endpoint.
    async fn retry(&mut self, reason: String, after: Option<Duration>) -> Result<(), Error> {
        let from = shown(&self.endpoints[self.at]);
        self.at = (self.at + 1) % self.endpoints.len();
        let to = shown(&self.endpoints[self.at]);
        tracing::info!(reason, from, to, "the connection is made again");
        self.pause(reason, after).await
    }

    /// Waits, unless it has failed for too long.
    async fn pause(&mut self, reason: String, after: Option<Duration>) -> Result<(), Error> {
        let now = Instant::now();
        let waited = now - *self.failing.get_or_insert(now);
        let wait = self.backoff.wait(after, &mut self.random);
        let left = self.give_up.map_or(Duration::MAX, |longest| longest.saturating_sub(waited));
        if left.is_zero() {
            return Err(Error::GivenUp { waited, last: reason });
        }
        sleep(wait.min(left)).await;
        Ok(())
    }
}

fn shown(endpoint: &Endpoint) -> String {
    without_secrets(&endpoint.uri().to_string())
}

async fn receive(
    channel: Channel,
    outgoing: mpsc::UnboundedReceiver<v1::PushRequest>,
    shared: &Shared,
) -> Result<Fault, Error> {
    let mut client = PushServiceClient::new(channel);
    let mut answers = match client.push_stream(UnboundedReceiverStream::new(outgoing)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(Fault::from(&status)),
    };
    loop {
        match answers.message().await {
            Ok(Some(answer)) => shared.answered(&answer)?,
            Ok(None) => return Ok(Fault::retry("the ingest ended the stream")),
            Err(status) => return Ok(Fault::from(&status)),
        }
    }
}

/// Ends when an answer has been missing for too long.
async fn stalled(shared: &Shared, longest: Duration) {
    loop {
        let now = Instant::now();
        match shared.waiting() {
            Some(since) if now - since >= longest => return,
            Some(since) => sleep_until(since + longest).await,
            None => sleep(longest).await,
        }
    }
}
