//! What goes into a pushed source, and what comes out of it: plain data.

use logtally_core::delta::Delta;
use logtally_core::source::{Generation, SourceState};
use logtally_count::tally::Counted;

use crate::error::PushError;
use crate::message::{Acknowledgement, Rejection};

/// Whose messages a pushed source has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SenderKind {
    /// Those of a producer, which numbers them, and names the epoch in each.
    Producer,
    /// The one message of an idempotency key.
    Key,
    /// Those of senders without a name, in the order of their arrival.
    Anonymous,
}

/// A message that waits.
#[derive(Debug)]
pub(crate) struct PendingMessage<T> {
    /// The epoch that a producer named, which is the generation of its source.
    pub(crate) generation: Generation,
    /// Its number; set by the source unless a producer did.
    pub(crate) sequence: u64,
    /// Hash of its content.
    pub(crate) hash: u64,
    /// What its producer wants back.
    pub(crate) note: Option<u64>,
    /// What it counts.
    pub(crate) counted: Counted,
    /// Records that cannot be counted.
    pub(crate) rejections: Vec<Rejection>,
    /// Who gets the reply.
    pub(crate) reply: T,
}

/// What a pushed source wants done.
#[derive(Debug)]
pub(crate) enum Effect<T> {
    /// Ask for the stored state.
    Ask {
        /// The last state that was received.
        acknowledged: Option<SourceState>,
        /// Tag of the question.
        tag: u64,
    },
    /// Open the source, if nothing is stored of it.
    Open {
        /// Tag of the request.
        tag: u64,
    },
    /// Commit a delta.
    Commit {
        /// Tag of the request.
        tag: u64,
        /// The delta.
        delta: Box<Delta>,
    },
    /// Reply to a sender.
    Reply {
        /// Whom.
        to: T,
        /// What.
        result: Result<Acknowledgement, PushError>,
    },
}
