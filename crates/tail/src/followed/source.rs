//! One followed source: what its parts say together.

use std::path::Path;
use std::time::{Duration, Instant};

use logtally_core::delta::Delta;
use logtally_core::exchange::{Party, SentSpan};
use logtally_core::limits::SPANS_IN_FLIGHT_MAX;
use logtally_core::source::{SourceId, SourceState};
use logtally_count::reading::Reading;
use logtally_session::conversation::{Conversation, NextStep, Tags};

use super::extent::{FileExtent, StampNews};
use super::location::FileLocation;
use super::read_state::{ReadState, ReadTicket, Returned};
use super::role::SourceRole;
use super::rules::RulesInForce;
use crate::discover::{Found, Stamp};
use crate::reader::{End, ReadSpan, Reader};

/// What the follower wants to know of a delta when it has landed.
#[derive(Debug)]
pub(crate) struct SentDelta {
    /// Encoded increments (bytes).
    pub(crate) bytes: usize,
    /// When it was sent.
    pub(crate) at: Instant,
    /// The trace of the span, from reading to commit: it ends when this is dropped.
    pub(crate) _trace: tracing::Span,
}

/// When a file is taken to have come to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EndPolicy {
    /// Whether files are read to their end once: nothing is awaited.
    pub(crate) once: bool,
    /// How long a rotated file must be quiet before its unterminated last record counts.
    pub(crate) rotate_wait: Duration,
}

/// One followed source.
pub(crate) struct FollowedSource {
    id: SourceId,
    role: SourceRole,
    /// The link to the aggregator that works for it.
    owner: Option<usize>,
    location: FileLocation,
    extent: FileExtent,
    rules: RulesInForce,
    reads: ReadState,
    /// What was asked, sent and answered.
    conversation: Conversation<SentDelta>,
    /// Since when the acknowledged position has been behind the end.
    behind_since: Option<Instant>,
}

impl FollowedSource {
    /// A file that was just found.
    pub(crate) fn file(
        id: SourceId,
        found: &Found,
        reader: Reader,
        reading: Reading,
        now: Instant,
    ) -> Self {
        let extent = FileExtent::new(found.compression, found.stamp.size);
        let location = FileLocation::new(found.path.clone(), now);
        Self::new(id, SourceRole::File, location, extent, reader, reading)
    }

    /// What a new rule counts of a `file` that was there before it.
    pub(crate) fn backfill(id: SourceId, file: &Self, reading: Reading, now: Instant) -> Self {
        let role = SourceRole::Backfill { of: file.id.clone() };
        let location = FileLocation::new(file.path().to_owned(), now);
        let extent = FileExtent::new(file.extent.compression(), 0);
        let reader = Reader::new(None, reading.clone());
        Self::new(id, role, location, extent, reader, reading)
    }

    /// Standard input.
    pub(crate) fn stdin(id: SourceId, reader: Reader, reading: Reading, now: Instant) -> Self {
        let location = FileLocation::new("-".into(), now);
        Self::new(id, SourceRole::Stdin, location, FileExtent::new(None, 0), reader, reading)
    }

    fn new(
        id: SourceId,
        role: SourceRole,
        location: FileLocation,
        extent: FileExtent,
        reader: Reader,
        reading: Reading,
    ) -> Self {
        Self {
            id,
            role,
            owner: None,
            location,
            extent,
            rules: RulesInForce::new(reading),
            reads: ReadState::new(reader),
            conversation: Conversation::new(Party::File),
            behind_since: None,
        }
    }

    /// Its identity.
    pub(crate) fn id(&self) -> &SourceId {
        &self.id
    }

    /// What it is.
    pub(crate) fn role(&self) -> &SourceRole {
        &self.role
    }

    /// The identity of the file that is read.
    pub(crate) fn file_id(&self) -> &SourceId {
        match &self.role {
            SourceRole::Backfill { of } => of,
            SourceRole::File | SourceRole::Stdin => &self.id,
        }
    }

    /// The link to the aggregator that works for it.
    pub(crate) fn owner(&self) -> Option<usize> {
        self.owner
    }

    /// Its path when it was last seen.
    pub(crate) fn path(&self) -> &Path {
        self.location.path()
    }

    /// Where its file is.
    pub(crate) fn location(&self) -> &FileLocation {
        &self.location
    }

    /// Where its file is, to note what was found.
    pub(crate) fn location_mut(&mut self) -> &mut FileLocation {
        &mut self.location
    }

    /// How much it has.
    pub(crate) fn extent(&self) -> &FileExtent {
        &self.extent
    }

    /// How much it has, to note what was found.
    pub(crate) fn extent_mut(&mut self) -> &mut FileExtent {
        &mut self.extent
    }

    /// By which rules it is read.
    pub(crate) fn rules(&self) -> &RulesInForce {
        &self.rules
    }

    /// By which rules it is read, to note what has become of them.
    pub(crate) fn rules_mut(&mut self) -> &mut RulesInForce {
        &mut self.rules
    }

    /// How its reading stands.
    pub(crate) fn reads(&self) -> &ReadState {
        &self.reads
    }

    /// How its reading stands, to note what has been read.
    pub(crate) fn reads_mut(&mut self) -> &mut ReadState {
        &mut self.reads
    }

    /// What was asked, sent and answered.
    pub(crate) fn conversation(&self) -> &Conversation<SentDelta> {
        &self.conversation
    }

    /// The last state that was acknowledged.
    pub(crate) fn acknowledged(&self) -> Option<SourceState> {
        self.conversation.known()
    }

    /// Whether deltas wait for their acknowledgement.
    pub(crate) fn has_deltas_in_flight(&self) -> bool {
        self.conversation.in_flight() > 0
    }

    /// Encoded increments (bytes) that are under way.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.conversation.payloads().map(|sent| sent.bytes).sum()
    }

    /// Another aggregator works for it, or none: what is under way will be read again.
    pub(crate) fn set_owner(&mut self, owner: Option<usize>) {
        self.owner = owner;
        self.conversation.go_offline();
        self.reset();
    }

    /// Asks for the stored state: what is under way will be read again from there.
    pub(crate) fn ask(&mut self, tags: &mut Tags) -> NextStep<SentDelta> {
        let step = self.conversation.ask(tags);
        self.prepare_for(step)
    }

    /// The file does not agree with the position.
    pub(crate) fn on_replaced(&mut self, tags: &mut Tags) -> NextStep<SentDelta> {
        self.reads.mark_dirty();
        let step = self.conversation.replace(tags);
        self.prepare_for(step)
    }

    /// Takes in the answer to request `tag`.
    pub(crate) fn on_response(
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
    pub(crate) fn send(&mut self, delta: &Delta, sent: SentDelta, tags: &mut Tags) -> u64 {
        let span = SentSpan { span: delta.span, tail_after: delta.tail_after };
        self.conversation.send(span, sent, tags)
    }

    /// Begins a check of the stored state, if nothing is under way and nothing is being read. Returns
    /// its tag.
    pub(crate) fn check(&mut self, tags: &mut Tags) -> Option<u64> {
        if self.is_idle() { self.conversation.check(tags) } else { None }
    }

    /// Whether nothing is known to be under way or being read.
    pub(crate) fn is_idle(&self) -> bool {
        self.conversation.is_quiet() && self.reads.is_here()
    }

    /// Makes the reading follow the conversation.
    fn prepare_for(&mut self, step: NextStep<SentDelta>) -> NextStep<SentDelta> {
        match &step {
            NextStep::Nothing | NextStep::Landed { .. } => {}
            NextStep::Ask { .. } | NextStep::Open { .. } | NextStep::Stop => self.reset(),
            NextStep::Continue(state) => self.reads.seek(*state),
        }
        step
    }

    /// What was read and not acknowledged is read again, from whatever is stored.
    fn reset(&mut self) {
        self.reads.reset();
        self.rules.reset();
    }

    /// Reads by other rules from the next step on.
    pub(crate) fn set_reading(&mut self, reading: Reading) {
        self.rules.replace(reading);
        self.reads.mark_dirty();
    }

    /// Whether a reading step may begin now.
    pub(crate) fn may_read(&self) -> bool {
        self.conversation.is_ready()
            && self.rules.may_count()
            && self.reads.is_here()
            && self.conversation.in_flight() < SPANS_IN_FLIGHT_MAX
    }

    /// Whether the registration of backfills may begin: what they count ends where nothing is under
    /// way any more.
    pub(crate) fn may_register_backfills(&self) -> bool {
        !self.rules.is_registering() && !self.has_deltas_in_flight() && self.reads.is_here()
    }

    /// Enters the queue if there is something to read and it may be read. Whether the source has to
    /// be put there.
    pub(crate) fn enter_queue(&mut self) -> bool {
        self.may_read() && self.reads.enter_queue()
    }

    /// Gives the reader to a worker, if a reading step may begin now.
    pub(crate) fn lend_reader(&mut self) -> Option<(Box<Reader>, ReadTicket)> {
        if !self.may_read() {
            return None;
        }
        let lent = self.reads.lend(self.rules.reading().clone())?;
        self.conversation.end_check();
        Some(lent)
    }

    /// Takes the reader back from a worker.
    pub(crate) fn take_back(&mut self, reader: Box<Reader>, ticket: ReadTicket) -> Returned {
        let acknowledged = self.acknowledged();
        self.reads.take_back(reader, ticket, acknowledged)
    }

    /// A reading step was done; `stamp` is that of the file before it.
    pub(crate) fn on_step(&mut self, span: &ReadSpan, stamp: Option<Stamp>, end: End) {
        self.reads.note_success();
        self.extent.note_read(span.to, span.pending);
        if span.at_end {
            self.extent.note_end(stamp);
            self.reads.note_end(end == End::Final);
        } else {
            self.reads.mark_dirty();
        }
    }

    /// Whether anything can follow what is in the source now.
    pub(crate) fn end(&self, policy: EndPolicy, stdin_is_closed: bool, now: Instant) -> End {
        let is_complete = match &self.role {
            SourceRole::Stdin => stdin_is_closed,
            SourceRole::Backfill { .. } => true,
            SourceRole::File => {
                policy.once
                    || self.extent.compression().is_some()
                    || self.location.is_complete(now, policy.rotate_wait)
            }
        };
        if is_complete { End::Final } else { End::Open }
    }

    /// Notes the stamp of the file: there is something to read if it has changed, or if an
    /// unterminated last record is complete now.
    pub(crate) fn on_stamp(&mut self, stamp: Stamp, policy: EndPolicy, now: Instant) {
        match self.extent.note_stamp(stamp) {
            StampNews::Same => {}
            StampNews::Unread => self.reads.mark_dirty(),
            StampNews::Changed => {
                self.location.note_change(now);
                self.reads.mark_dirty();
            }
        }
        let last_record_waits = self.extent.has_incomplete_record() && !self.reads.is_finished();
        if last_record_waits && self.end(policy, false, now) == End::Final {
            self.reads.mark_dirty();
        }
    }

    /// Whether a file that is gone from its path can be closed, `stamp` being its stamp now: it has
    /// been read and acknowledged to its end and quiet for long enough. A last record without an end
    /// stays with the file if the file may come back; it is then found again.
    pub(crate) fn may_close_missing(&self, stamp: Stamp, policy: EndPolicy, now: Instant) -> bool {
        let is_read = self.extent.is_read_as(stamp)
            && self.reads.is_here()
            && !self.reads.is_dirty()
            && !self.has_deltas_in_flight();
        let nothing_left = self.reads.is_finished()
            || !self.extent.has_incomplete_record()
            || !self.location.is_superseded();
        is_read && nothing_left && self.location.is_quiet(now, policy.rotate_wait)
    }

    /// Whether closing the file now, which cannot be opened again, leaves bytes of it uncounted.
    pub(crate) fn loses_bytes_if_closed(&self) -> bool {
        self.lag_bytes() > 0 || self.reads.is_dirty() || self.reads.last_error().is_some()
    }

    /// Whether the file can be closed to save handles: it can be opened again by its path, and
    /// nothing of it waits.
    pub(crate) fn may_release_handle(&self) -> bool {
        self.role != SourceRole::Stdin
            && !self.location.is_away()
            && !self.reads.is_dirty()
            && self.extent.has_reached_end()
    }

    /// Bytes between the acknowledged position and the end of the source.
    pub(crate) fn lag_bytes(&self) -> u64 {
        let end = self.acknowledged().and_then(|state| state.end);
        let end = end.map_or(self.extent.size(), |end| end.position);
        end.saturating_sub(self.conversation.position())
    }

    /// Looks at the clock for the lag. Returns how far the acknowledged position is behind (bytes),
    /// and for how long it has been (seconds).
    pub(crate) fn note_lag(&mut self, now: Instant) -> (u64, f64) {
        let bytes = self.lag_bytes();
        self.behind_since = if bytes == 0 { None } else { self.behind_since.or(Some(now)) };
        (bytes, self.lag_seconds(now))
    }

    /// Seconds for which the acknowledged position has been behind.
    pub(crate) fn lag_seconds(&self, now: Instant) -> f64 {
        match self.behind_since {
            Some(since) => now.saturating_duration_since(since).as_secs_f64(),
            None => 0.0,
        }
    }

    /// Whether everything that the source will ever have is acknowledged, and nothing is under way.
    pub(crate) fn is_over(&self) -> bool {
        let Some(state) = self.acknowledged() else { return false };
        let Some(end) = state.end else { return false };
        state.position >= end.position && !self.has_deltas_in_flight() && self.reads.is_here()
    }
}

#[cfg(test)]
mod tests;
