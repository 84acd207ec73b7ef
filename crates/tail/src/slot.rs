//! One followed source: what it has asked, sent and heard. A state machine without I/O.
//!
//! It never counts by itself: whatever it hears leads to one of a few next steps, which the
//! follower carries out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use logtally_core::delta::Delta;
use logtally_core::exchange::{Party, SentSpan};
use logtally_core::source::{SourceId, SourceState};
use logtally_count::reading::Reading;
use logtally_session::conversation::{Conversation, NextStep, Tags};

use crate::content::Compression;
use crate::discover::Stamp;
use crate::reader::Reader;

/// What the follower wants to know of a delta when it has landed.
#[derive(Debug)]
pub struct SentDelta {
    /// Encoded increments (bytes).
    pub bytes: usize,
    /// When it was sent.
    pub at: Instant,
    /// The trace of the span, from reading to commit.
    pub trace: tracing::Span,
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
    /// What was asked, sent and answered.
    conversation: Conversation<SentDelta>,
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
            reader: Some(Box::new(reader)),
            conversation: Conversation::new(Party::File),
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

    /// What was asked, sent and answered.
    pub fn conversation(&self) -> &Conversation<SentDelta> {
        &self.conversation
    }

    /// The last state that was acknowledged.
    pub fn acknowledged(&self) -> Option<SourceState> {
        self.conversation.known()
    }

    /// Encoded increments (bytes) that are under way.
    pub fn bytes_in_flight(&self) -> usize {
        self.conversation.payloads().map(|sent| sent.bytes).sum()
    }

    /// Nobody can be asked: what is under way will be read again.
    pub fn go_offline(&mut self) {
        self.conversation.go_offline();
        self.reset();
    }

    /// Asks for the stored state: what is under way will be read again from there.
    pub fn ask(&mut self, tags: &mut Tags) -> NextStep<SentDelta> {
        let step = self.conversation.ask(tags);
        self.prepare_for(step)
    }

    /// The file does not agree with the position.
    pub fn replaced(&mut self, tags: &mut Tags) -> NextStep<SentDelta> {
        let step = self.conversation.replace(tags);
        self.prepare_for(step)
    }

    /// Takes in the answer to request `tag`.
    pub fn on_response(
        &mut self,
        tag: u64,
        stored: Option<SourceState>,
        tags: &mut Tags,
    ) -> NextStep<SentDelta> {
        let step = self.conversation.on_response(tag, stored, tags);
        self.prepare_for(step)
    }

    /// Notes a delta that is being sent. Returns its tag.
    ///
    /// # Panics
    /// If the delta does not continue what was sent: the store would refuse it anyway.
    pub fn send(&mut self, delta: &Delta, sent: SentDelta, tags: &mut Tags) -> u64 {
        let span = SentSpan { span: delta.span, tail_after: delta.tail_after };
        self.conversation.send(span, sent, tags)
    }

    /// Begins a look at the stored state, if nothing is under way and nothing is being read. Returns
    /// its tag.
    pub fn check(&mut self, tags: &mut Tags) -> Option<u64> {
        self.reader.as_ref()?;
        self.conversation.check(tags)
    }

    /// Whether nothing is known to be under way or being read.
    pub fn is_idle(&self) -> bool {
        self.conversation.is_quiet() && self.reader.is_some()
    }

    /// The reader, for a worker.
    pub fn take_reader(&mut self) -> Option<Box<Reader>> {
        let reader = self.reader.take()?;
        self.conversation.end_check();
        Some(reader)
    }

    /// Makes the reading follow the conversation.
    fn prepare_for(&mut self, step: NextStep<SentDelta>) -> NextStep<SentDelta> {
        match &step {
            NextStep::Nothing | NextStep::Landed { .. } => {}
            NextStep::Ask { .. } | NextStep::Open { .. } | NextStep::Stop => self.reset(),
            NextStep::Continue(state) => {
                self.dirty = true;
                if let Some(reader) = &mut self.reader {
                    reader.seek(*state);
                }
            }
        }
        step
    }

    /// What was read and not acknowledged is read again, from whatever is stored.
    fn reset(&mut self) {
        self.epoch += 1;
        self.finished = false;
        self.prepared = false;
        self.preparing = false;
    }

    /// Whether an epoch is one of this slot's, and not of another slot that the source had before.
    pub fn has_begun(&self, epoch: u64) -> bool {
        self.epoch / EPOCHS_PER_SLOT == epoch / EPOCHS_PER_SLOT
    }

    /// Bytes between the acknowledged position and the end of the source.
    pub fn lag_bytes(&self) -> u64 {
        let end = self.acknowledged().and_then(|s| s.end).map_or(self.size, |end| end.position);
        end.saturating_sub(self.conversation.position())
    }

    /// Whether everything that the source will ever have is acknowledged.
    pub fn is_over(&self) -> bool {
        let state = self.acknowledged();
        state.is_some_and(|s| s.end.is_some_and(|end| s.position >= end.position))
    }
}

#[cfg(test)]
mod tests {
    use logtally_core::delta::Span;
    use logtally_core::series::Increments;
    use logtally_core::source::{Generation, RecordCounts, Tail};

    use super::*;

    /// A slot that has asked, with tag 1.
    fn slot() -> (Slot, Tags) {
        let reading = logtally_count::testing::default_reading();
        let reader = Reader::new(None, reading.clone());
        let id = SourceId::new("file/v/1/1").expect("valid");
        let mut slot = Slot::new(id, "x".into(), reader, reading, Instant::now());
        let mut tags = Tags::default();
        slot.ask(&mut tags);
        (slot, tags)
    }

    fn at(generation: u64, position: u64) -> SourceState {
        SourceState { position, ..SourceState::start(Generation(generation)) }
    }

    fn send(slot: &mut Slot, tags: &mut Tags, from: u64, to: u64) -> u64 {
        let span = Span::new(from, to).expect("valid");
        let delta = Delta {
            source: slot.id.clone(),
            generation: slot.conversation().generation().expect("open"),
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
        slot.send(&delta, SentDelta { bytes: 1, at: Instant::now(), trace }, tags)
    }

    /// Whether a step begins with a fresh look.
    fn asks(step: &NextStep<SentDelta>) -> bool {
        matches!(step, NextStep::Ask { .. })
    }

    #[test]
    fn an_unknown_source_is_opened_and_a_known_one_continued() {
        let (mut slot, mut tags) = slot();
        let step = slot.on_response(9, Some(at(1, 5)), &mut tags);
        assert!(matches!(step, NextStep::Nothing), "not our question");
        let step = slot.on_response(1, None, &mut tags);
        assert!(matches!(step, NextStep::Open { expected: None, tag: 2 }), "{step:?}");
        let step = slot.on_response(2, Some(at(1, 5)), &mut tags);
        assert!(matches!(step, NextStep::Continue(_)), "{step:?}");
        assert!(slot.conversation().is_ready() && slot.conversation().sent() == 5);
    }

    #[test]
    fn acknowledgements_move_on_and_everything_else_asks() {
        let check = |answer: Option<SourceState>, expected_to_ask: bool, acknowledged: u64| {
            let (mut slot, mut tags) = slot();
            slot.on_response(1, Some(at(1, 0)), &mut tags);
            let first = send(&mut slot, &mut tags, 0, 10);
            send(&mut slot, &mut tags, 10, 20);
            let step = slot.on_response(first, answer, &mut tags);
            assert_eq!(asks(&step), expected_to_ask, "{step:?}");
            assert_eq!(slot.acknowledged().expect("open").position, acknowledged);
        };
        check(Some(at(1, 10)), false, 10);
        check(Some(at(1, 20)), false, 20);
        check(Some(at(1, 5)), true, 0);
        check(Some(at(1, 30)), true, 0);
        check(Some(at(2, 10)), true, 0);
        check(None, true, 0);
    }

    #[test]
    fn an_idle_look_only_minds_differences() {
        let check = |answer: Option<SourceState>, expected_to_ask: bool| {
            let (mut slot, mut tags) = slot();
            slot.on_response(1, Some(at(1, 10)), &mut tags);
            let tag = slot.check(&mut tags).expect("idle");
            assert_eq!(asks(&slot.on_response(tag, answer, &mut tags)), expected_to_ask);
        };
        check(Some(at(1, 10)), false);
        check(Some(at(1, 5)), true);
        check(Some(at(2, 10)), true);
        check(None, true);
    }

    #[test]
    fn a_slot_that_is_being_read_minds_no_idle_look() {
        let (mut slot, mut tags) = slot();
        slot.on_response(1, Some(at(1, 10)), &mut tags);
        let tag = slot.check(&mut tags).expect("idle");
        slot.take_reader().expect("there");
        assert!(!asks(&slot.on_response(tag, Some(at(1, 5)), &mut tags)));
        assert!(slot.check(&mut tags).is_none(), "not idle");
    }

    #[test]
    fn answers_from_before_a_reset_are_not_taken() {
        let (mut slot, mut tags) = slot();
        slot.on_response(1, Some(at(1, 0)), &mut tags);
        let sent = send(&mut slot, &mut tags, 0, 10);
        assert_eq!(slot.bytes_in_flight(), 1);
        let before = slot.epoch;
        slot.ask(&mut tags);
        assert_eq!((slot.bytes_in_flight(), slot.epoch), (0, before + 1));
        let step = slot.on_response(sent, Some(at(1, 10)), &mut tags);
        assert!(matches!(step, NextStep::Nothing), "{step:?}");
        assert_eq!(slot.acknowledged().expect("open").position, 0);
    }

    #[test]
    fn what_was_read_for_an_earlier_slot_of_the_source_is_not_taken() {
        let ((mut earlier, _), (slot, _)) = (slot(), slot());
        earlier.go_offline();
        assert!(earlier.has_begun(earlier.epoch - 1) && !slot.has_begun(earlier.epoch));
    }

    #[test]
    fn a_replaced_file_is_looked_at_before_it_is_opened() {
        let (mut slot, mut tags) = slot();
        slot.on_response(1, Some(at(1, 0)), &mut tags);
        send(&mut slot, &mut tags, 0, 10);
        let step = slot.replaced(&mut tags);
        let NextStep::Ask { tag, .. } = step else { panic!("{step:?}") };
        slot.on_response(tag, Some(at(1, 10)), &mut tags);
        let step = slot.replaced(&mut tags);
        assert!(matches!(step, NextStep::Open { expected, .. } if expected == Some(at(1, 10))));
    }
}
