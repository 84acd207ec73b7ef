//! Why something that was pushed is not counted, the same for gRPC and HTTP. Never how that is answered.

use std::fmt::Display;
use std::time::Duration;

use logtally_core::limits::{DELTA_BYTES_MAX, PUSH_BYTES_MAX};

/// Why a message was not counted, or may not have been.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PushError {
    /// A field is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The field, as in the messages.
        field: &'static str,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// A header names a form of the body that nobody here reads.
    #[error("{header}: {message}")]
    Unsupported {
        /// The header.
        header: &'static str,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The producer was opened again since.
    #[error(
        "the producer was opened again since: this epoch is over; open it to go on, if no other process has its name"
    )]
    Fenced,
    /// Nothing is stored of the producer.
    #[error("nothing is stored of the producer: open it")]
    Unknown,
    /// Messages before this one are missing.
    #[error("messages are missing: {sequence} is the last one that is counted; go on after it")]
    Gap {
        /// The last message that is counted.
        sequence: u64,
    },
    /// The number, or the key, was used for other content.
    #[error("the {what} was used for other content")]
    Conflict {
        /// `sequence` or `idempotency key`.
        what: &'static str,
    },
    /// The content does not have the hash that came with it.
    #[error(
        "the records do not have the hash that came with them: {got:016x} instead of {expected:016x}"
    )]
    Damaged {
        /// What came with it.
        expected: u64,
        /// What it has.
        got: u64,
    },
    /// More than one message may have.
    #[error("the message has more than {PUSH_BYTES_MAX} bytes: send fewer records in each")]
    TooLarge,
    /// More than one commit can take.
    #[error(
        "the message counts too many different series ({bytes} bytes, at most {DELTA_BYTES_MAX} fit one commit): send fewer records in each"
    )]
    TooManySeries {
        /// What they take.
        bytes: usize,
    },
    /// No room now.
    #[error("too much is waiting to be counted: try again a little later")]
    Busy,
    /// This ingest stops.
    #[error("this ingest stops: go to another one")]
    Draining,
    /// Nothing can be committed now.
    #[error("no aggregator is reachable: try again, or go to another ingest")]
    NoAggregator,
    /// It was sent to an aggregator and not answered in time.
    #[error("not answered in time, and perhaps counted: send it again")]
    Unanswered,
}

impl PushError {
    /// How long to wait before trying again; `None` if that would not help.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy => Some(Duration::from_millis(500)),
            Self::Draining => Some(Duration::from_millis(100)),
            Self::NoAggregator | Self::Unanswered => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// A wrong field.
    pub(crate) fn invalid(field: &'static str, message: impl Display) -> Self {
        Self::Invalid { field, message: message.to_string() }
    }

    /// A form of the body that nobody here reads.
    pub(crate) fn unsupported(header: &'static str, message: impl Display) -> Self {
        Self::Unsupported { header, message: message.to_string() }
    }
}
