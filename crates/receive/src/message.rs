//! What is pushed and what is answered. Plain data, the same for gRPC and HTTP.

use logtally_core::limits::POSITION_MAX;
use logtally_core::push::{ProducerName, Scope};
use logtally_core::source::{RecordCounts, SourceState};
use logtally_count::tally::Counted;

use crate::budget::Permit;
use crate::error::PushError;

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
