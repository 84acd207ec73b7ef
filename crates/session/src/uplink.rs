//! Links to the aggregators: one long-lived stream each, kept up for ever.
//!
//! A link only carries requests and answers. It never repeats a request: when a link breaks, the
//! follower asks for the stored state and reads again from there.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use logtally_core::limits::{
    LINK_KEEPALIVE, LOCAL_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, STREAM_WINDOW_BYTES,
};
use logtally_core::secret_url::SecretUrl;
use logtally_core::source::{SourceId, SourceState};
use logtally_proto::Request;
use logtally_proto::v1;
use logtally_proto::v1::aggregator_service_client::AggregatorServiceClient;
use rand::Rng;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// First and longest wait between connection attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Where an aggregator is.
#[derive(Clone, Debug)]
pub enum Peer {
    /// In another process.
    Remote {
        /// Its name on the ring: stable, whatever its address.
        name: String,
        /// `host:port`.
        address: String,
    },
    /// In this process: the other end of each pipe is sent here.
    Local(mpsc::Sender<DuplexStream>),
}

/// Why an aggregator in `--aggregators` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT or NAME=HOST:PORT")]
pub struct InvalidPeer(SecretUrl);

impl Peer {
    /// Reads `HOST:PORT` (which is then the name, too) or `NAME=HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, InvalidPeer> {
        let invalid = || InvalidPeer(text.into());
        let (name, address) = text.split_once('=').unwrap_or((text, text));
        let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
        // An aggregator asks for no password, and the address stands in logs.
        let has_user = host.contains('@');
        if name.is_empty() || host.is_empty() || has_user || port.parse::<u16>().is_err() {
            return Err(invalid());
        }
        Ok(Self::Remote { name: name.to_owned(), address: address.to_owned() })
    }

    /// The name on the ring.
    pub fn name(&self) -> &str {
        match self {
            Self::Remote { name, .. } => name,
            Self::Local(_) => "local",
        }
    }

    /// Connects to it once.
    pub async fn connect(&self) -> Result<Channel, String> {
        let endpoint = match self {
            Self::Remote { address, .. } => Endpoint::from_shared(format!("http://{address}"))
                .map_err(|e| e.to_string())?
                .connect_timeout(CONNECT_TIMEOUT)
                .http2_keep_alive_interval(LINK_KEEPALIVE)
                .keep_alive_timeout(LINK_KEEPALIVE)
                .keep_alive_while_idle(true)
                .tcp_nodelay(true),
            Self::Local(_) => Endpoint::from_static("http://local"),
        }
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES * 2);
        let connected = match self {
            Self::Remote { .. } => endpoint.connect().await,
            Self::Local(pipes) => {
                let pipes = pipes.clone();
                let connector = tower::service_fn(move |_| open_pipe(pipes.clone()));
                endpoint.connect_with_connector(connector).await
            }
        };
        connected.map_err(|e| chain(&e))
    }
}

async fn open_pipe(
    pipes: mpsc::Sender<DuplexStream>,
) -> Result<TokioIo<DuplexStream>, std::io::Error> {
    let (ours, theirs) = tokio::io::duplex(STREAM_WINDOW_BYTES as usize);
    let gone = || std::io::Error::other("the aggregator of this process has stopped");
    pipes.send(theirs).await.map_err(|_| gone())?;
    Ok(TokioIo::new(ours))
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// What a link tells the follower.
#[derive(Debug)]
pub enum LinkEvent {
    /// The link is up: requests may be sent.
    Up {
        /// Which link.
        link: usize,
        /// Where requests go while it stays up. The follower bounds what is in flight, so the
        /// channel needs no bound of its own.
        requests: mpsc::UnboundedSender<Request>,
    },
    /// The link is down: what was not answered may or may not have been done.
    Down {
        /// Which link.
        link: usize,
    },
    /// What is stored now.
    Answer {
        /// The request's tag.
        tag: u64,
        /// The source.
        source: SourceId,
        /// Its stored state.
        stored: Option<SourceState>,
        /// Whether that survives a crash of the store.
        durable: bool,
    },
}

/// Keeps link number `link` up until the receiver of `events` is gone.
pub async fn keep_up<E: From<LinkEvent> + Send>(link: usize, peer: Peer, events: mpsc::Sender<E>) {
    let mut wait = BACKOFF.0;
    while !events.is_closed() {
        let result = match peer.connect().await {
            Ok(channel) => {
                wait = BACKOFF.0;
                let result = exchange(link, channel, &events).await;
                let _ = events.send(LinkEvent::Down { link }.into()).await;
                result
            }
            Err(e) => Err(e),
        };
        if let Err(error) = result {
            tracing::warn!(aggregator = peer.name(), error, "no link to the aggregator");
        }
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(wait.mul_f64(jitter)).await;
        wait = (wait * 2).min(BACKOFF.1);
    }
}

/// Carries requests and answers until one side ends.
async fn exchange<E: From<LinkEvent>>(
    link: usize,
    channel: Channel,
    events: &mpsc::Sender<E>,
) -> Result<(), String> {
    let (requests, outgoing) = mpsc::unbounded_channel();
    let mut client = AggregatorServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        // What is sent is bounded where it is made; what is taken, by the aggregator.
        .max_encoding_message_size(LOCAL_MESSAGE_BYTES_MAX);
    let outgoing = UnboundedReceiverStream::new(outgoing).map(v1::ExchangeRequest::from);
    let response = client.exchange(outgoing).await.map_err(|s| status_text(&s))?;
    let mut answers = response.into_inner();
    if events.send(LinkEvent::Up { link, requests }.into()).await.is_err() {
        return Ok(());
    }
    while let Some(answer) = answers.message().await.map_err(|s| status_text(&s))? {
        let event = parse(&answer)?;
        if events.send(event.into()).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn parse(answer: &v1::ExchangeResponse) -> Result<LinkEvent, String> {
    let source = SourceId::new(&answer.source).map_err(|e| format!("bad answer: {e}"))?;
    let stored = answer.state.map(SourceState::try_from).transpose();
    let stored = stored.map_err(|e| format!("bad answer: {e}"))?;
    Ok(LinkEvent::Answer { tag: answer.tag, source, stored, durable: answer.durable })
}

fn status_text(status: &tonic::Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_a_name_and_an_address() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let got = match Peer::parse(text) {
                Ok(Peer::Remote { name, address }) => Some((name, address)),
                _ => None,
            };
            let got = got.as_ref().map(|(n, a)| (n.as_str(), a.as_str()));
            assert_eq!(got, expected, "{text}");
        };
        check("localhost:9510", Some(("localhost:9510", "localhost:9510")));
        check("a-0=a-0.agg:9510", Some(("a-0", "a-0.agg:9510")));
        check("a-0=[::1]:9510", Some(("a-0", "[::1]:9510")));
        for wrong in ["", "host", "host:", "host:x", "=h:1", ":9510", "a=:1"] {
            check(wrong, None);
        }
    }
}
