//! What a producer may be told, with defaults that fit most. Checked once, at the opening.

use std::fmt;
use std::time::Duration;

use logtally_core::limits::PUSH_BYTES_MAX;
use logtally_core::push::ProducerName;
use logtally_core::secret_url::{SecretUrl, without_secrets};
use tonic::transport::Endpoint;

use crate::error::Error;

/// How records are pushed.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// Ingests, as `http://HOST:PORT`. One of them is used at a time, at first any one of them; after
    /// a failure the next one.
    pub endpoints: Vec<String>,
    /// The name of the producer: 1 to 256 bytes without blanks and control characters. Without it,
    /// what is pushed counts at least once.
    pub producer: Option<String>,
    /// The push input that counts; empty for the first one.
    pub input: String,
    /// The format of the records; empty for that of the input.
    pub format: String,
    /// How large a message becomes (bytes) before it is sent, up to 2 MiB. A record is never split: one
    /// that is larger travels alone.
    pub message_bytes: usize,
    /// How long records may wait for others to fill their message.
    pub linger: Duration,
    /// Memory for records (bytes). Three quarters are for what is not acknowledged yet; when they are
    /// full, a push waits. A quarter is for what is acknowledged but not durable: it is kept so that a
    /// store that loses its last moments can be given them again.
    pub buffer_bytes: usize,
    /// How long a connection, or the opening of a producer, may take.
    pub connect_timeout: Duration,
    /// How long messages may be under way without any acknowledgement before the connection is taken
    /// for a dead one.
    pub answer_timeout: Duration,
    /// How long to go on while every attempt fails; for ever if there is none.
    pub give_up: Option<Duration>,
    /// First and longest wait between two attempts. The waits double, and each is a random part of
    /// that, so that many producers do not come back at the same moment.
    pub backoff: (Duration, Duration),
    /// The random numbers: the waits, and which endpoint is the first. Tests set it to repeat a run.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            producer: None,
            input: String::new(),
            format: String::new(),
            message_bytes: 256 << 10,
            linger: Duration::from_millis(100),
            buffer_bytes: 32 << 20,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            give_up: None,
            backoff: (Duration::from_millis(50), Duration::from_secs(5)),
            seed: None,
        }
    }
}

// Endpoints may hold passwords.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.iter().map(|url| SecretUrl::from(url.as_str()));
        f.debug_struct("Options")
            .field("endpoints", &endpoints.collect::<Vec<_>>())
            .field("producer", &self.producer)
            .field("input", &self.input)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The name of the producer and the endpoints, if all options can be.
    pub(crate) fn check(&self) -> Result<(Option<ProducerName>, Vec<Endpoint>), Error> {
        let bad = |text: String| Error::Options { text };
        if !(1..=PUSH_BYTES_MAX).contains(&self.message_bytes) {
            let text =
                format!("message_bytes is 1 to {PUSH_BYTES_MAX}, not {}", self.message_bytes);
            return Err(bad(text));
        }
        if self.endpoints.is_empty() {
            return Err(bad("name at least one endpoint, as http://HOST:PORT".to_owned()));
        }
        let name = self.producer.as_deref().map(ProducerName::new).transpose();
        let name = name.map_err(|error| bad(error.to_string()))?;
        let endpoints = self.endpoints.iter().map(|endpoint| self.endpoint(endpoint));
        Ok((name, endpoints.collect::<Result<_, _>>()?))
    }

    fn endpoint(&self, text: &str) -> Result<Endpoint, Error> {
        let bad = || {
            let shown = without_secrets(text);
            Error::Options { text: format!("{shown:?} is not an endpoint: write http://HOST:PORT") }
        };
        let endpoint = Endpoint::from_shared(text.to_owned()).map_err(|_| bad())?;
        let uri = endpoint.uri();
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return Err(bad());
        }
        Ok(endpoint
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(self.answer_timeout)
            .keep_alive_timeout(self.connect_timeout)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(endpoint: &str, producer: &str, message_bytes: usize) -> Options {
        Options {
            endpoints: vec![endpoint.to_owned()],
            producer: Some(producer.to_owned()),
            message_bytes,
            ..Options::default()
        }
    }

    #[test]
    fn passwords_of_endpoints_are_not_repeated() {
        let options = options("https://u:secret@a:1", "p", 1);
        let error = options.check().expect_err("not http");
        let shown = format!("{error} {error:?} {options:?}");
        assert!(!shown.contains("secret") && shown.contains("https://…@a:1"), "{shown}");
    }

    #[test]
    fn options_that_cannot_be_are_refused() {
        assert!(options("http://a:1", "p", 1).check().is_ok());
        assert!(Options::default().check().is_err(), "no endpoint");
        for endpoint in ["", "a:1", "a", "https://a:1", "http://", "ftp://a:1", "http://a b"] {
            assert!(options(endpoint, "p", 1).check().is_err(), "{endpoint:?}");
        }
        for name in ["", "a b", "a\n"] {
            assert!(options("http://a:1", name, 1).check().is_err(), "{name:?}");
        }
        for bytes in [0, PUSH_BYTES_MAX + 1] {
            assert!(options("http://a:1", "p", bytes).check().is_err(), "{bytes}");
        }
    }
}
