//! What ends a producer. Everything that another attempt may heal is not here: it is tried again.

use std::time::Duration;

use logtally_core::limits::PUSH_BYTES_MAX;

/// Why records are not, or may not be, counted. All but [`Error::Record`] end the producer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// An option cannot be.
    #[error("{text}")]
    Options {
        /// Which, and why.
        text: String,
    },
    /// A message cannot be pushed. Nothing became of it; the producer goes on.
    #[error("{text}")]
    Record {
        /// Why.
        text: String,
    },
    /// Somebody else opened a producer of this name, and goes on with it. What was acknowledged is
    /// counted; of the rest, nobody knows.
    #[error(
        "the producer was opened again by somebody else after message {after} was acknowledged: give \
         each its own name, and see that none runs twice"
    )]
    Fenced {
        /// The last message that was acknowledged.
        after: u64,
    },
    /// The store lost messages that it had acknowledged, and that are not held any more. Open the
    /// producer again, and push again what stands behind its [`crate::Resumed`].
    #[error(
        "the store lost the messages {from} to {to}, which it had acknowledged: push them again from \
         their source"
    )]
    Lost {
        /// The first that is lost.
        from: u64,
        /// The last that is lost and cannot be sent again from here.
        to: u64,
    },
    /// A message was refused for good: sending it again would not help.
    #[error("refused behind message {after}: {message} ({reason})")]
    Refused {
        /// The last message that was acknowledged. One that was sent after it is refused.
        after: u64,
        /// The note of that message.
        note: Option<u64>,
        /// The reason in the error's details, or the name of its status code.
        reason: String,
        /// What the ingest says.
        message: String,
    },
    /// An ingest said what cannot be; it is another program, or there is an error in one of the two.
    #[error("the ingest broke the protocol: {text}")]
    Protocol {
        /// What it said.
        text: String,
    },
    /// Every attempt failed, for as long as [`crate::Options::give_up`].
    #[error("given up after {} s without success: {last}", waited.as_secs())]
    GivenUp {
        /// For how long.
        waited: Duration,
        /// Why the last attempt failed.
        last: String,
    },
    /// The runtime of a blocking producer could not be started.
    #[error("cannot start a runtime: {text}")]
    Runtime {
        /// Why.
        text: String,
    },
}

impl Error {
    pub(crate) fn empty() -> Self {
        Self::Record { text: "a message without records cannot be pushed".to_owned() }
    }

    pub(crate) fn too_large(bytes: usize) -> Self {
        let text =
            format!("{bytes} bytes are too many for one message, which has {PUSH_BYTES_MAX}");
        Self::Record { text }
    }
}
