//! The memory for pushed records: who holds how much of it, from the first byte of a message to its
//! acknowledgement. First come, first served, so that nobody starves.

use std::sync::Arc;
use std::time::Duration;

use logtally_core::limits::{
    PRODUCER_IN_FLIGHT_BYTES_MAX, PRODUCER_IN_FLIGHT_MESSAGES_MAX, PUSH_BYTES_MAX,
    PUSH_IN_FLIGHT_BYTES_MAX,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::PushError;

/// How long somebody who can be told to come back later waits for room.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What a message takes beside its bytes, so that many small ones are bounded, too.
const OVERHEAD_BYTES: usize = PRODUCER_IN_FLIGHT_BYTES_MAX / PRODUCER_IN_FLIGHT_MESSAGES_MAX;

/// What stands around the records of a message: names and numbers.
const ENVELOPE_BYTES: usize = 2048;

/// The memory of one process.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    size: usize,
}

/// A share of the memory, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    bytes: usize,
    _held: OwnedSemaphorePermit,
    _within: Option<Box<Permit>>,
}

impl Permit {
    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same share of two memories: that of a stream, and within it that of the process.
    #[must_use]
    pub(crate) fn with(self, within: Self) -> Self {
        Self { _within: Some(Box::new(within)), ..self }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(PUSH_IN_FLIGHT_BYTES_MAX)
    }
}

impl Budget {
    /// A memory of so many bytes, which must be more than the largest message takes.
    pub(crate) fn new(size: usize) -> Self {
        Self { bytes: Arc::new(Semaphore::new(size)), size }
    }

    /// What one stream may have under way.
    pub(crate) fn of_stream() -> Self {
        Self::new(PRODUCER_IN_FLIGHT_BYTES_MAX)
    }

    /// Bytes that are held.
    pub(crate) fn used(&self) -> usize {
        self.size - self.bytes.available_permits()
    }

    /// Waits for room for a message of so many bytes. More than a message may have is refused at once.
    pub(crate) async fn wait(&self, message_bytes: usize) -> Result<Permit, PushError> {
        if message_bytes > PUSH_BYTES_MAX + ENVELOPE_BYTES {
            return Err(PushError::TooLarge);
        }
        let bytes = message_bytes + OVERHEAD_BYTES;
        let held = Arc::clone(&self.bytes).acquire_many_owned(bytes as u32).await;
        // The semaphore is never closed.
        held.map(|held| Permit { bytes, _held: held, _within: None })
            .map_err(|_| PushError::Draining)
    }

    /// Waits for room for a short time only.
    pub(crate) async fn try_wait(&self, message_bytes: usize) -> Result<Permit, PushError> {
        let waited = tokio::time::timeout(WAIT_MAX, self.wait(message_bytes)).await;
        waited.map_err(|_| PushError::Busy)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_full_waits_and_then_says_so() {
        let budget = Budget::new(2 * PUSH_BYTES_MAX + OVERHEAD_BYTES);
        let first = budget.wait(2 * OVERHEAD_BYTES).await.expect("room");
        assert_eq!((first.bytes(), budget.used()), (3 * OVERHEAD_BYTES, 3 * OVERHEAD_BYTES));
        let second = budget.wait(PUSH_BYTES_MAX).await.expect("room");
        assert_eq!(budget.try_wait(PUSH_BYTES_MAX).await.err(), Some(PushError::Busy));
        drop(second);
        assert!(budget.try_wait(PUSH_BYTES_MAX).await.is_ok());
        assert_eq!(
            budget.wait(PUSH_BYTES_MAX + ENVELOPE_BYTES + 1).await.err(),
            Some(PushError::TooLarge)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_is_not_overtaken_for_ever() {
        let budget = Budget::new(PUSH_BYTES_MAX + OVERHEAD_BYTES);
        let small = budget.wait(1).await.expect("room");
        let large = tokio::spawn({
            let budget = budget.clone();
            async move { budget.wait(PUSH_BYTES_MAX).await.map(|permit| permit.bytes()) }
        });
        tokio::task::yield_now().await;
        // There is room for it, but somebody waits already.
        assert_eq!(budget.try_wait(1).await.err(), Some(PushError::Busy));
        drop(small);
        assert!(large.await.expect("ran").is_ok());
    }
}
