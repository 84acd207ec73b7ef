//! The opening of a producer: what is stored of it gets a new epoch, and everything else stays. A
//! state machine without I/O.

use std::time::Instant;

use logtally_core::source::{Generation, SourceId, SourceState};
use logtally_proto::Action;
use tokio::sync::oneshot;

use crate::error::PushError;
use crate::message::OpenedProducer;

/// How often it is tried while others open the same producer.
const ATTEMPTS_MAX: u32 = 16;

/// One opening.
pub(super) struct ProducerOpening {
    /// The producer's source.
    pub(super) source: SourceId,
    /// The link that was asked.
    pub(super) owner: Option<usize>,
    /// When it began.
    pub(super) since: Instant,
    /// The epoch that is being installed.
    fresh: Option<Generation>,
    attempts: u32,
    reply_to: oneshot::Sender<Result<OpenedProducer, PushError>>,
}

impl ProducerOpening {
    pub(super) fn new(
        source: SourceId,
        reply_to: oneshot::Sender<Result<OpenedProducer, PushError>>,
    ) -> Self {
        Self { source, owner: None, since: Instant::now(), fresh: None, attempts: 0, reply_to }
    }

    pub(super) fn asked_by(self, owner: Option<usize>) -> Self {
        Self { owner, ..self }
    }

    /// Takes in what is stored now. Returns what to ask next, or answers.
    pub(super) fn on_response(
        mut self,
        stored: Option<SourceState>,
        durable: bool,
    ) -> Option<(Self, Action)> {
        if let Some(state) = stored
            && self.fresh == Some(state.generation)
        {
            let _ = self.reply_to.send(Ok(OpenedProducer { state, durable }));
            return None;
        }
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX {
            self.fail(PushError::Busy);
            return None;
        }
        // Never 0, which means "as before" in a stream.
        let generation = Generation(rand::random_range(1..=u64::MAX));
        let fresh = match stored {
            Some(state) => SourceState { generation, ..state },
            None => SourceState::start(generation),
        };
        self.fresh = Some(generation);
        Some((self, Action::Open { expected: stored, fresh }))
    }

    pub(super) fn fail(self, error: PushError) {
        let _ = self.reply_to.send(Err(error));
    }
}
