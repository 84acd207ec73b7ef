//! What goes into a lane, and what comes out of it: plain data.

use logtally_core::delta::Delta;
use logtally_core::source::{Generation, SourceState};

use crate::message::{Acknowledged, PushError, Rejection};
use logtally_count::tally::Counted;

/// What a lane is the source of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The messages of a producer, which numbers them, and names the epoch in each.
    Producer,
    /// The one message of an idempotency key.
    Key,
    /// Messages of anybody, in the order of their arrival.
    Anybody,
}

/// A message that waits.
#[derive(Debug)]
pub struct Entry<T> {
    /// The epoch that a producer named.
    pub epoch: Generation,
    /// Its number; set by the lane unless a producer did.
    pub sequence: u64,
    /// Hash of its content.
    pub hash: u64,
    /// What its producer wants back.
    pub note: Option<u64>,
    /// What it counts.
    pub counted: Counted,
    /// Records that cannot be counted.
    pub rejections: Vec<Rejection>,
    /// Who is told.
    pub reply: T,
}

/// What the lane wants done.
#[derive(Debug)]
pub enum Step<T> {
    /// Ask for the stored state.
    Ask {
        /// What was heard last.
        acknowledged: Option<SourceState>,
        /// Tag of the question.
        tag: u64,
    },
    /// Open the source, if nothing is stored of it.
    Open {
        /// Tag of the question.
        tag: u64,
    },
    /// Commit a delta.
    Commit {
        /// Tag of the request.
        tag: u64,
        /// The delta.
        delta: Box<Delta>,
    },
    /// Tell somebody.
    Reply {
        /// Whom.
        to: T,
        /// What.
        result: Result<Acknowledged, PushError>,
    },
}
