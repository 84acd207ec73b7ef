//! Which messages are held, which one goes out next, and what an answer or an error makes of that.
//! Pure: no input, no output, no clock. Never gives a message a second number, and never lets go of one
//! that is not acknowledged.
//!
//! ```text
//!  first            acked               sent                last
//!    │ kept for a     │ under way         │ not sent yet      │
//!    │ rewind         │                   │                   │
//! ```
//!
//! Numbers up to `acked` are counted, as far as is known. A lost connection moves `sent` back to
//! `acked`; a store that forgot moves `acked` back, as long as `first` is not behind the gap.

use std::collections::VecDeque;

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_core::limits::{PRODUCER_IN_FLIGHT_BYTES_MAX, PRODUCER_IN_FLIGHT_MESSAGES_MAX};

use crate::error::Error;

#[cfg(test)]
mod tests;

/// What a message takes beside its records (bytes), so that many tiny ones are bounded, too.
const MESSAGE_OVERHEAD: u64 = 128;

/// A message as it is sent, however often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub records: Bytes,
    pub content_hash: u64,
    pub note: Option<u64>,
}

impl Message {
    pub(crate) fn new(records: Bytes, note: Option<u64>) -> Self {
        Self { content_hash: hash64(&records), records, note }
    }

    fn weight(&self) -> u64 {
        self.records.len() as u64 + MESSAGE_OVERHEAD
    }
}

/// How much is held, and how much may be under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// For what is not acknowledged (bytes).
    pub unacknowledged: u64,
    /// For what is acknowledged but not durable (bytes).
    pub kept: u64,
    /// Under way (bytes). More than an ingest takes from one producer would only fill buffers.
    pub under_way: u64,
    /// Under way (messages).
    pub under_way_messages: u64,
}

impl Bounds {
    /// A quarter of the buffer is for what may have to be sent once more.
    pub(crate) fn new(buffer_bytes: usize) -> Self {
        let kept = buffer_bytes as u64 / 4;
        Self {
            unacknowledged: buffer_bytes as u64 - kept,
            kept,
            under_way: PRODUCER_IN_FLIGHT_BYTES_MAX as u64,
            under_way_messages: PRODUCER_IN_FLIGHT_MESSAGES_MAX as u64,
        }
    }
}

/// What was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// The last message that is counted, for a named producer.
    pub sequence: u64,
    /// How many messages, for one without a name.
    pub messages: u64,
    /// Whether that is durable.
    pub durable: bool,
}

/// The messages of a producer.
#[derive(Debug)]
pub(crate) struct Window {
    named: bool,
    bounds: Bounds,
    held: VecDeque<HeldMessage>,
    /// Number of the first one held, also of none.
    first: u64,
    /// Weight of everything before it, and the last note there.
    base: u64,
    base_note: Option<u64>,
    acked: u64,
    sent: u64,
    /// The highest number ever sent: nobody can have counted more.
    ever_sent: u64,
    /// The highest number ever acknowledged, and the one that it began with.
    ever_acked: u64,
    began: u64,
}

#[derive(Debug)]
struct HeldMessage {
    message: Message,
    /// Weight of everything up to this message, and the last note there.
    end: u64,
    note: Option<u64>,
}

impl Window {
    /// A producer whose messages up to `sequence` are counted.
    pub(crate) fn new(named: bool, bounds: Bounds, sequence: u64, note: Option<u64>) -> Self {
        Self {
            named,
            bounds,
            held: VecDeque::new(),
            first: sequence + 1,
            base: 0,
            base_note: note,
            acked: sequence,
            sent: sequence,
            ever_sent: sequence,
            ever_acked: sequence,
            began: sequence,
        }
    }

    /// Whether `bytes` more may be held. Something may always be, or nothing would ever go on.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let unacked = self.end(self.last()) - self.end(self.acked);
        unacked == 0 || unacked + bytes as u64 + MESSAGE_OVERHEAD <= self.bounds.unacknowledged
    }

    /// Takes a message, and gives it the next number.
    pub(crate) fn add(&mut self, message: Message) {
        let end = self.end(self.last()) + message.weight();
        let note = message.note.or(self.note_at(self.last()));
        self.held.push_back(HeldMessage { message, end, note });
    }

    /// The next message to send with its number, if it may be under way now.
    pub(crate) fn send_next(&mut self) -> Option<(u64, Message)> {
        let next = self.sent + 1;
        let under_way = self.end(self.sent) - self.end(self.acked);
        let message = self.held.get(self.index(next)).map(|held| held.message.clone())?;
        let full = under_way + message.weight() > self.bounds.under_way
            || self.sent - self.acked >= self.bounds.under_way_messages;
        if full && under_way > 0 {
            return None;
        }
        self.sent = next;
        self.ever_sent = self.ever_sent.max(next);
        Some((next, message))
    }

    /// Takes an answer. One that says less than is known already came late, and says nothing.
    pub(crate) fn answered(&mut self, answer: Answer) -> Result<(), Error> {
        let to = if self.named { answer.sequence } else { self.acked + answer.messages };
        let possible = if self.named { self.ever_sent } else { self.sent };
        if to > possible {
            return Err(beyond(to, possible));
        }
        if to > self.acked {
            self.acknowledge(to);
        }
        self.let_go(if answer.durable || !self.named { to.min(self.acked) } else { 0 });
        Ok(())
    }

    /// The stream is gone: what was not acknowledged is to be sent again.
    pub(crate) fn broken(&mut self) {
        self.sent = self.acked;
    }

    /// The store says what it has: everything behind that is to be sent again, and everything up to it
    /// is counted. How many messages it had acknowledged and lost.
    pub(crate) fn go_to(&mut self, sequence: u64) -> Result<u64, Error> {
        if sequence > self.ever_sent {
            return Err(beyond(sequence, self.ever_sent));
        }
        if sequence + 1 < self.first {
            return Err(Error::Lost { from: sequence + 1, to: self.first - 1 });
        }
        let lost = self.acked.saturating_sub(sequence);
        self.acknowledge(sequence);
        self.sent = sequence;
        Ok(lost)
    }

    /// The last message that was added.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.held.len() as u64 - 1
    }

    /// The last message that is acknowledged.
    pub(crate) fn acked(&self) -> u64 {
        self.acked
    }

    /// The note of that message, or of the last one before it that had one.
    pub(crate) fn note(&self) -> Option<u64> {
        self.note_at(self.acked)
    }

    /// How many messages have ever been acknowledged, each once.
    pub(crate) fn messages(&self) -> u64 {
        self.ever_acked - self.began
    }

    /// Whether messages are under way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.sent > self.acked
    }

    /// Whether everything is acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.acked == self.last()
    }

    fn acknowledge(&mut self, to: u64) {
        self.acked = to;
        self.sent = self.sent.max(to);
        self.ever_acked = self.ever_acked.max(to);
    }

    /// Drops what is durable, and the oldest of what is acknowledged beyond the bound.
    fn let_go(&mut self, durable: u64) {
        while self.first <= self.acked {
            let kept = self.end(self.acked) - self.base;
            if self.first > durable && kept <= self.bounds.kept {
                return;
            }
            let Some(held) = self.held.pop_front() else { return };
            (self.base, self.base_note) = (held.end, held.note);
            self.first += 1;
        }
    }

    /// Weight of everything up to message `number`, which is held, or the one before the first.
    fn end(&self, number: u64) -> u64 {
        assert!(number + 1 >= self.first && number <= self.last(), "message {number} is not held");
        if number < self.first { self.base } else { self.held[self.index(number)].end }
    }

    fn note_at(&self, number: u64) -> Option<u64> {
        self.held.get(self.index(number)).map_or(self.base_note, |held| held.note)
    }

    /// Where a message lies; nowhere for one that is not held any more.
    fn index(&self, number: u64) -> usize {
        number.checked_sub(self.first).map_or(usize::MAX, |index| index as usize)
    }
}

fn beyond(said: u64, sent: u64) -> Error {
    Error::Protocol {
        text: format!("message {said} is said to be counted, {sent} was the last sent"),
    }
}
