//! What is pushed, what is answered, and what can go wrong. Plain data, the same for gRPC and HTTP.

use std::fmt::Display;
use std::time::Duration;

use logtally_core::limits::{DELTA_BYTES_MAX, POSITION_MAX, PUSH_BYTES_MAX};
use logtally_core::push::{ProducerName, Scope};
use logtally_core::source::{RecordCounts, SourceState};

use crate::budget::Permit;
use logtally_count::tally::Counted;

/// Who pushes, which decides what a retry does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Sender {
    /// A named producer: counts once.
    Producer {
        /// Its name.
        name: ProducerName,
        /// From its opening.
        epoch: u64,
        /// The number of the message, from 1.
        sequence: u64,
        /// What the producer wants back when it is opened again.
        note: Option<u64>,
    },
    /// Somebody with an idempotency key: counts once.
    Key {
        /// Where the key is valid.
        scope: Scope,
        /// The key.
        key: Vec<u8>,
    },
    /// A sender without a name: counts at least once.
    Anonymous {
        /// Where it belongs.
        scope: Scope,
    },
}

/// One message, already counted.
#[derive(Debug)]
pub(crate) struct Message {
    /// Who pushes.
    pub(crate) sender: Sender,
    /// Hash of the content.
    pub(crate) hash: u64,
    /// What it counts.
    pub(crate) counted: Counted,
    /// Records that cannot be counted.
    pub(crate) rejections: Vec<Rejection>,
    /// Its share of the memory for pushed records, until it is acknowledged.
    pub(crate) permit: Permit,
}

/// Records of a message that cannot be counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rejection {
    /// Why.
    pub(crate) reason: &'static str,
    /// How many.
    pub(crate) records: u64,
    /// Offset in the message just after the first of them.
    pub(crate) first: u64,
}

/// The message is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Acknowledgement {
    /// The last message of the producer that is counted; 0 without a producer.
    pub(crate) sequence: u64,
    /// Whether that survives a crash of the store.
    pub(crate) durable: bool,
    /// Whether sending it again would count it again.
    pub(crate) exactly_once: bool,
    /// Whether it had been counted before; then the rest is empty.
    pub(crate) duplicate: bool,
    /// What became of its records.
    pub(crate) records: RecordCounts,
    /// Why some were rejected.
    pub(crate) rejections: Vec<Rejection>,
}

/// A producer was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpenedProducer {
    /// As it is stored now: its generation is the epoch.
    pub(crate) state: SourceState,
    /// Whether that survives a crash of the store.
    pub(crate) durable: bool,
}

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

/// Whether a producer may use a number.
pub(crate) fn check_sequence(sequence: u64) -> Result<(), PushError> {
    if (1..=POSITION_MAX).contains(&sequence) {
        Ok(())
    } else {
        Err(PushError::invalid(
            "sequence",
            "the first message has the number 1, and all are below 2^53",
        ))
    }
}
