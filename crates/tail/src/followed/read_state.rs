//! How the reading of one source stands: who has its reader, whether there is something to read, and
//! whether what a worker brings back is still wanted.

use std::sync::atomic::{AtomicU64, Ordering};

use logtally_core::source::SourceState;
use logtally_count::reading::Reading;

use crate::content::Content;
use crate::reader::Reader;

/// Numbers the followed sources of this process, in the order in which they were found.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Which of the reading steps of a source a worker does. A source that is closed and found again has
/// another number, so it never takes what was read for the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReadTicket {
    number: u64,
    /// Resets before the step began.
    resets: u64,
}

/// What a reader that comes back is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Returned {
    /// What was read continues what was sent.
    Wanted,
    /// The source was reset meanwhile: what was read is dropped, the reader is kept.
    Outdated,
}

/// How the reading of a source stands.
pub(crate) struct ReadState {
    /// The reader; away while a worker has it.
    reader: Option<Box<Reader>>,
    ticket: ReadTicket,
    /// Whether there may be something to read.
    dirty: bool,
    /// Whether the source waits in the queue for a worker.
    queued: bool,
    /// Whether everything, an unterminated last record included, has been read.
    finished: bool,
    /// The last problem, until it is read again.
    last_error: Option<String>,
}

impl ReadState {
    /// The state of a source that was just found.
    pub(crate) fn new(reader: Reader) -> Self {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self {
            reader: Some(Box::new(reader)),
            ticket: ReadTicket { number, resets: 0 },
            dirty: true,
            queued: false,
            finished: false,
            last_error: None,
        }
    }

    /// What is being read is not wanted any more: the source begins anew from what is stored.
    pub(crate) fn reset(&mut self) {
        self.ticket.resets += 1;
        self.finished = false;
    }

    /// Reads on from a stored state.
    pub(crate) fn seek(&mut self, state: SourceState) {
        self.dirty = true;
        if let Some(reader) = &mut self.reader {
            reader.seek(state);
        }
    }

    /// There may be something to read.
    pub(crate) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// Whether there may be something to read.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether no worker has the reader.
    pub(crate) fn is_here(&self) -> bool {
        self.reader.is_some()
    }

    /// The reader, unless a worker has it.
    pub(crate) fn reader(&self) -> Option<&Reader> {
        self.reader.as_deref()
    }

    /// The content, if it is open and no worker has it.
    pub(crate) fn content(&self) -> Option<&Content> {
        self.reader.as_ref().and_then(|reader| reader.content())
    }

    /// Closes the content; the place in it stays. Whether it was open.
    pub(crate) fn close_content(&mut self) -> bool {
        let Some(reader) = &mut self.reader else { return false };
        let was_open = reader.content().is_some();
        reader.close();
        was_open
    }

    /// Enters the queue if there is something to read. Whether the source has to be put there.
    pub(crate) fn enter_queue(&mut self) -> bool {
        let enters = self.dirty && !self.queued;
        self.queued |= enters;
        enters
    }

    /// The source's turn in the queue has come.
    pub(crate) fn leave_queue(&mut self) {
        self.queued = false;
    }

    /// Gives the reader to a worker, to read in this way.
    pub(crate) fn lend(&mut self, reading: Reading) -> Option<(Box<Reader>, ReadTicket)> {
        let mut reader = self.reader.take()?;
        self.dirty = false;
        reader.adopt(reading);
        Some((reader, self.ticket))
    }

    /// Whether a step was done for this source, and not for one that had its name before.
    pub(crate) fn owns(&self, ticket: ReadTicket) -> bool {
        self.ticket.number == ticket.number
    }

    /// Takes the reader back from a worker. If the source was reset meanwhile, everything after the
    /// `acknowledged` state is read again.
    pub(crate) fn take_back(
        &mut self,
        mut reader: Box<Reader>,
        ticket: ReadTicket,
        acknowledged: Option<SourceState>,
    ) -> Returned {
        debug_assert!(self.owns(ticket), "the reader of another source");
        if self.ticket == ticket {
            self.reader = Some(reader);
            return Returned::Wanted;
        }
        if let Some(state) = acknowledged {
            reader.seek(state);
        }
        self.reader = Some(reader);
        self.dirty = true;
        Returned::Outdated
    }

    /// The end of what there is was reached; `finished` if nothing can follow.
    pub(crate) fn note_end(&mut self, finished: bool) {
        self.finished = finished;
    }

    /// A step was done without a problem.
    pub(crate) fn note_success(&mut self) {
        self.last_error = None;
    }

    /// A step failed. Whether it is another problem than before.
    pub(crate) fn note_failure(&mut self, error: String, finished: bool) -> bool {
        self.finished = finished;
        let is_news = self.last_error.as_ref() != Some(&error);
        self.last_error = Some(error);
        is_news
    }

    /// Whether everything, an unterminated last record included, has been read.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The last problem, until it is read again.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (ReadState, Reading) {
        let reading = logtally_count::testing::default_reading();
        (ReadState::new(Reader::new(None, reading.clone())), reading)
    }

    #[test]
    fn a_source_is_queued_once_for_each_time_it_has_something_to_read() {
        let (mut state, reading) = state();
        assert!(state.enter_queue() && !state.enter_queue());
        state.leave_queue();
        state.lend(reading).expect("here");
        assert!(!state.enter_queue(), "nothing new since the step began");
        state.mark_dirty();
        assert!(state.enter_queue());
    }

    #[test]
    fn what_was_read_before_a_reset_is_read_again() {
        let (mut state, reading) = state();
        let (reader, ticket) = state.lend(reading.clone()).expect("here");
        assert!(!state.is_here() && state.lend(reading.clone()).is_none());
        assert_eq!(state.take_back(reader, ticket, None), Returned::Wanted);
        assert!(!state.is_dirty());
        let (reader, ticket) = state.lend(reading).expect("here");
        state.reset();
        assert!(state.owns(ticket));
        assert_eq!(state.take_back(reader, ticket, None), Returned::Outdated);
        assert!(state.is_dirty() && state.is_here());
    }

    #[test]
    fn what_was_read_for_an_earlier_source_of_the_name_is_not_taken() {
        let ((mut earlier, reading), (later, _)) = (state(), state());
        let (_, ticket) = earlier.lend(reading).expect("here");
        earlier.reset();
        assert!(earlier.owns(ticket) && !later.owns(ticket));
    }

    #[test]
    fn the_same_problem_is_news_once() {
        let (mut state, _) = state();
        assert!(state.note_failure("no".to_owned(), false));
        assert!(!state.note_failure("no".to_owned(), true));
        assert!(state.is_finished());
        state.note_success();
        assert!(state.note_failure("no".to_owned(), false));
    }
}
