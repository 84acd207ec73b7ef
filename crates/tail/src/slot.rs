//! One followed source: what it has asked, sent and heard. A state machine without I/O.
//!
//! It never counts by itself: whatever it hears leads to one of a few next steps, which the
//! follower carries out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use logtally_core::delta::{Delta, Span};
use logtally_core::exchange::{Reaction, react};
use logtally_core::source::{Generation, SourceId, SourceState};

use crate::content::Compression;
use crate::discover::Stamp;
use crate::reader::Reader;
use logtally_count::reading::Reading;

/// A delta on its way.
#[derive(Debug)]
pub struct Flight {
    /// Tag of its request.
    pub tag: u64,
    /// What it covers.
    pub span: Span,
    /// Encoded increments (bytes).
    pub bytes: usize,
    /// When it was sent.
    pub sent: Instant,
    /// The trace of the span, from reading to commit.
    pub trace: tracing::Span,
}

/// What a slot is waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No aggregator to talk to.
    Offline,
    /// For the stored state, or for the answer to an opening.
    Asking {
        /// Tag of the request.
        tag: u64,
    },
    /// For nothing: reading.
    Reading,
}

/// What the follower does next for a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Ask for the stored state.
    Ask,
    /// Open a life, if the stored state is still this one.
    Open(Option<SourceState>),
    /// Read on from the state just heard.
    Read,
}

/// The epochs at which slots begin.
static EPOCHS: AtomicU64 = AtomicU64::new(0);

/// More resets than any slot sees.
const EPOCHS_PER_SLOT: u64 = 1 << 32;

/// What a source is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// A file, from its beginning on.
    File,
    /// What a new rule counts of a file that was there before it.
    Backfill {
        /// The file's own source.
        of: SourceId,
    },
    /// Standard input.
    Stdin,
}

/// One followed source.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state in disguise")]
pub struct Slot {
    /// Its identity.
    pub id: SourceId,
    /// Its path when it was last seen.
    pub path: PathBuf,
    /// The aggregator that works for it.
    pub owner: Option<usize>,
    /// What it is waiting for.
    pub phase: Phase,
    /// What it is.
    pub role: Role,
    /// How its file is compressed.
    pub compression: Option<Compression>,
    /// How its records are read from the next step on.
    pub reading: Reading,
    /// Whether what new rules count afterwards is registered, so that they may count live.
    pub prepared: bool,
    /// Whether their registration is under way.
    pub preparing: bool,
    /// Whether no input means it any more: it is closed as soon as nothing is under way.
    pub removed: bool,
    /// The last problem with it.
    pub last_error: Option<String>,
    /// The reader; away while a worker has it.
    pub reader: Option<Box<Reader>>,
    /// The last state that was acknowledged.
    pub acknowledged: Option<SourceState>,
    /// Deltas on their way, in order.
    pub flights: VecDeque<Flight>,
    /// Tag of a look at the stored state while idle.
    pub check: Option<u64>,
    /// Counts resets: what a worker brings back from before a reset is dropped. No two slots have the
    /// same, so a slot that comes after another one of the same source drops what was read for that.
    pub epoch: u64,
    /// Whether there may be something to read.
    pub dirty: bool,
    /// Whether the slot waits in the queue for a worker.
    pub queued: bool,
    /// Stamp of the file when its end was last reached.
    pub stamp: Option<Stamp>,
    /// Bytes of an incomplete last record.
    pub pending: u64,
    /// Since when the file is not at its path any more.
    pub rotated: Option<Instant>,
    /// The path that it had before it was renamed.
    pub former: Option<PathBuf>,
    /// Whether it never comes back: another file is in its place, or it was unlinked.
    pub superseded: bool,
    /// When the file was last seen to have something new.
    pub changed: Instant,
    /// Whether everything, an unterminated last record included, has been read.
    pub finished: bool,
    /// Size of the file when last seen, for the lag.
    pub size: u64,
    /// The largest size seen since the content was last found to be another one: bytes below it that
    /// were not read before a truncation are lost.
    pub seen: u64,
    /// Since when the acknowledged position is behind the file's size.
    pub behind_since: Option<Instant>,
}

impl Slot {
    /// A slot for a source that was just found.
    pub fn new(
        id: SourceId,
        path: PathBuf,
        reader: Reader,
        reading: Reading,
        now: Instant,
    ) -> Self {
        Self {
            id,
            path,
            role: Role::File,
            compression: None,
            reading,
            prepared: false,
            preparing: false,
            removed: false,
            last_error: None,
            owner: None,
            phase: Phase::Offline,
            reader: Some(Box::new(reader)),
            acknowledged: None,
            flights: VecDeque::new(),
            check: None,
            epoch: EPOCHS.fetch_add(EPOCHS_PER_SLOT, Ordering::Relaxed),
            dirty: true,
            queued: false,
            stamp: None,
            pending: 0,
            rotated: None,
            former: None,
            superseded: false,
            changed: now,
            finished: false,
            size: 0,
            seen: 0,
            behind_since: None,
        }
    }

    /// Drops what is under way: it will be read again from whatever is stored. Returns the bytes
    /// that are no longer in flight.
    pub fn reset(&mut self, phase: Phase) -> usize {
        self.phase = phase;
        self.epoch += 1;
        self.check = None;
        self.finished = false;
        self.prepared = false;
        self.preparing = false;
        self.flights.drain(..).map(|f| f.bytes).sum()
    }

    /// The end of everything sent so far.
    fn sent(&self) -> u64 {
        let acknowledged = self.acknowledged.map_or(0, |s| s.position);
        self.flights.back().map_or(acknowledged, |f| f.span.to())
    }

    /// The life that is being read.
    fn generation(&self) -> Option<Generation> {
        self.acknowledged.map(|s| s.generation)
    }

    /// Whether an epoch is one of this slot's, and not of another slot that the source had before.
    pub fn has_begun(&self, epoch: u64) -> bool {
        self.epoch / EPOCHS_PER_SLOT == epoch / EPOCHS_PER_SLOT
    }

    /// Takes in the answer to request `tag`. Returns what to do next, and the flights that landed.
    pub fn hear(&mut self, tag: u64, stored: Option<SourceState>) -> (Next, Vec<Flight>) {
        if self.phase == (Phase::Asking { tag }) {
            return (self.take_stored(stored), Vec::new());
        }
        if self.phase != Phase::Reading {
            return (Next::Nothing, Vec::new());
        }
        if self.check == Some(tag) {
            self.check = None;
            return (self.compare(stored), Vec::new());
        }
        match self.flights.iter().position(|f| f.tag == tag) {
            Some(index) => self.land(index, stored),
            None => (Next::Nothing, Vec::new()),
        }
    }

    /// The stored state is known: read from there, or open the source.
    fn take_stored(&mut self, stored: Option<SourceState>) -> Next {
        let Some(state) = stored else { return Next::Open(None) };
        self.acknowledged = Some(state);
        self.phase = Phase::Reading;
        self.dirty = true;
        if let Some(reader) = &mut self.reader {
            reader.seek(state);
        }
        Next::Read
    }

    /// An idle look at the stored state: only a difference matters, and only while nothing is under
    /// way (deltas are answered by themselves).
    fn compare(&mut self, stored: Option<SourceState>) -> Next {
        let same = match (&stored, &self.acknowledged) {
            (Some(stored), Some(known)) => stored.same_place(known),
            _ => false,
        };
        if same || !self.flights.is_empty() || self.reader.is_none() {
            Next::Nothing
        } else {
            Next::Ask
        }
    }

    fn land(&mut self, index: usize, stored: Option<SourceState>) -> (Next, Vec<Flight>) {
        let (Some(generation), sent) = (self.generation(), self.sent()) else {
            return (Next::Ask, Vec::new());
        };
        match react(generation, self.flights[index].span, sent, stored.as_ref()) {
            Reaction::CarryOn => {
                self.acknowledged = stored;
                (Next::Nothing, self.flights.drain(..=index).collect())
            }
            // All of these begin with a fresh look, which also reports what was acknowledged.
            Reaction::GoBack | Reaction::GoAhead | Reaction::OpenAgain | Reaction::LookAgain => {
                (Next::Ask, Vec::new())
            }
        }
    }

    /// The file does not agree with the position. If nothing is under way, the stored state is the
    /// one that was compared, and a new life may replace it; otherwise look first.
    pub fn replaced(&mut self) -> Next {
        if self.flights.is_empty() { Next::Open(self.acknowledged) } else { Next::Ask }
    }

    /// Notes a delta that is being sent.
    ///
    /// # Panics
    /// If the delta does not continue what was sent: the store would refuse it anyway.
    pub fn send(&mut self, delta: &Delta, flight: Flight) {
        assert_eq!(delta.span.from(), self.sent(), "spans of {:?} are sent in order", self.id);
        self.flights.push_back(flight);
    }

    /// The state that deltas must name as their life; `None` before the first answer.
    pub fn life(&self) -> Option<Generation> {
        self.generation()
    }

    /// Bytes between the acknowledged position and the end of the source.
    pub fn lag_bytes(&self) -> u64 {
        let end = self.acknowledged.and_then(|s| s.end).map_or(self.size, |end| end.position);
        end.saturating_sub(self.acknowledged.map_or(0, |s| s.position))
    }

    /// Whether everything that the source will ever have is acknowledged.
    pub fn is_over(&self) -> bool {
        let state = self.acknowledged;
        state.is_some_and(|s| s.end.is_some_and(|end| s.position >= end.position))
    }
}

#[cfg(test)]
mod tests {
    use logtally_core::series::Increments;
    use logtally_core::source::{RecordCounts, Tail};

    use super::*;

    fn slot() -> Slot {
        let reading = logtally_count::testing::default_reading();
        let reader = Reader::new(None, reading.clone());
        let id = SourceId::new("file/v/1/1").expect("valid");
        let mut slot = Slot::new(id, "x".into(), reader, reading, Instant::now());
        slot.phase = Phase::Asking { tag: 1 };
        slot
    }

    fn at(generation: u64, position: u64) -> SourceState {
        SourceState { position, ..SourceState::start(Generation(generation)) }
    }

    fn send(slot: &mut Slot, tag: u64, from: u64, to: u64) {
        let span = Span::new(from, to).expect("valid");
        let delta = Delta {
            source: slot.id.clone(),
            generation: slot.life().expect("open"),
            span,
            tail_before: Tail::empty(),
            tail_after: Tail::empty(),
            note: None,
            records: RecordCounts::default(),
            families: vec![],
            limits: vec![],
            increments: Increments::default(),
        };
        let trace = tracing::Span::none();
        slot.send(&delta, Flight { tag, span, bytes: 1, sent: Instant::now(), trace });
    }

    #[test]
    fn an_unknown_source_is_opened_and_a_known_one_continued() {
        let mut slot = slot();
        assert_eq!(slot.hear(9, Some(at(1, 5))).0, Next::Nothing, "not our question");
        assert_eq!(slot.hear(1, None).0, Next::Open(None));
        assert_eq!(slot.hear(1, Some(at(1, 5))).0, Next::Read);
        assert_eq!((slot.phase, slot.sent()), (Phase::Reading, 5));
    }

    #[test]
    fn acknowledgements_move_on_and_everything_else_asks() {
        let check = |answer: Option<SourceState>, next: Next, acknowledged: u64| {
            let mut slot = slot();
            slot.hear(1, Some(at(1, 0)));
            send(&mut slot, 2, 0, 10);
            send(&mut slot, 3, 10, 20);
            assert_eq!(slot.hear(2, answer).0, next);
            assert_eq!(slot.acknowledged.expect("open").position, acknowledged);
        };
        check(Some(at(1, 10)), Next::Nothing, 10);
        check(Some(at(1, 20)), Next::Nothing, 20);
        check(Some(at(1, 5)), Next::Ask, 0);
        check(Some(at(1, 30)), Next::Ask, 0);
        check(Some(at(2, 10)), Next::Ask, 0);
        check(None, Next::Ask, 0);
    }

    #[test]
    fn an_idle_look_only_minds_differences() {
        let check = |answer: Option<SourceState>, next: Next| {
            let mut slot = slot();
            slot.hear(1, Some(at(1, 10)));
            slot.check = Some(7);
            assert_eq!(slot.hear(7, answer).0, next);
        };
        check(Some(at(1, 10)), Next::Nothing);
        check(Some(at(1, 5)), Next::Ask);
        check(Some(at(2, 10)), Next::Ask);
        check(None, Next::Ask);
    }

    #[test]
    fn answers_from_before_a_reset_are_not_heard() {
        let mut slot = slot();
        slot.hear(1, Some(at(1, 0)));
        send(&mut slot, 2, 0, 10);
        assert_eq!(slot.reset(Phase::Asking { tag: 3 }), 1);
        assert_eq!(slot.hear(2, Some(at(1, 10))).0, Next::Nothing);
        assert_eq!(slot.acknowledged.expect("open").position, 0);
    }

    #[test]
    fn what_was_read_for_an_earlier_slot_of_the_source_is_not_taken() {
        let (mut earlier, slot) = (slot(), slot());
        earlier.reset(Phase::Offline);
        assert!(earlier.has_begun(earlier.epoch - 1) && !slot.has_begun(earlier.epoch));
    }

    #[test]
    fn a_replaced_file_is_looked_at_before_it_is_opened() {
        let mut slot = slot();
        slot.hear(1, Some(at(1, 0)));
        send(&mut slot, 2, 0, 10);
        assert_eq!(slot.replaced(), Next::Ask);
        slot.hear(2, Some(at(1, 10)));
        assert_eq!(slot.replaced(), Next::Open(Some(at(1, 10))));
    }
}
