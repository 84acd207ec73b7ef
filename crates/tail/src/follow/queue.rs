//! Who is read next: sources wait for a worker, first come first served.

use std::collections::VecDeque;

use logtally_core::limits::SHARED_BYTES_MIN;
use logtally_core::source::SourceId;

use crate::reader::Scratch;

/// The sources that have something to read, and the buffers of idle workers.
pub(super) struct ReadQueue {
    waiting: VecDeque<SourceId>,
    /// Free buffers: as many steps as there are buffers run at once.
    scratches: Vec<Scratch>,
}

impl ReadQueue {
    /// A queue for workers with these buffers.
    pub(super) fn new(scratches: Vec<Scratch>) -> Self {
        Self { waiting: VecDeque::new(), scratches }
    }

    /// Puts a source at the end.
    pub(super) fn push(&mut self, id: &SourceId) {
        self.waiting.push_back(id.clone());
    }

    /// Takes the next source, if there is a worker for it.
    pub(super) fn pop(&mut self) -> Option<SourceId> {
        if self.scratches.is_empty() {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Takes buffers for a step of a source that is so many bytes behind: those of all idle workers,
    /// if there is much to read and nobody else needs them.
    pub(super) fn take_scratch(&mut self, lag_bytes: u64) -> Option<Scratch> {
        let mut scratch = self.scratches.pop()?;
        if self.waiting.is_empty() && lag_bytes >= SHARED_BYTES_MIN {
            scratch.helpers.append(&mut self.scratches);
        }
        Some(scratch)
    }

    /// A step is done.
    pub(super) fn give_back(&mut self, mut scratch: Scratch) {
        self.scratches.append(&mut scratch.helpers);
        self.scratches.push(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_workers_help_with_much_when_nobody_waits() {
        let id = SourceId::new("file/v/1/1").expect("valid");
        let mut queue = ReadQueue::new((0..3).map(|_| Scratch::default()).collect());
        let scratch = queue.take_scratch(SHARED_BYTES_MIN - 1).expect("free");
        assert!(scratch.helpers.is_empty(), "it is little");
        queue.push(&id);
        let other = queue.take_scratch(SHARED_BYTES_MIN).expect("free");
        assert!(other.helpers.is_empty(), "somebody waits");
        assert_eq!(queue.pop(), Some(id.clone()));
        queue.give_back(scratch);
        queue.give_back(other);
        let scratch = queue.take_scratch(SHARED_BYTES_MIN).expect("free");
        assert_eq!(scratch.helpers.len(), 2);
        queue.push(&id);
        assert_eq!(queue.pop(), None, "all workers are busy");
        queue.give_back(scratch);
        assert_eq!(queue.pop(), Some(id));
    }
}
