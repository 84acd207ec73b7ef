//! Requests to aggregators, their answers, and what workers bring back.

use std::io::ErrorKind;
use std::time::Instant;

use logtally_core::limits::{IDLE_CHECKS_MAX, TAIL_BYTES_MAX};
use logtally_core::recovery::is_behind;
use logtally_core::source::{SourceId, SourceState};
use logtally_proto::{Action, Request};
use logtally_session::conversation::{NextStep, Tags};
use tokio::sync::mpsc;

use super::Follower;
use crate::discover::Stamp;
use crate::reader::{End, ReadError};
use crate::slot::{Role, SentDelta, Slot};
use crate::worker::{Done, Step};

impl Follower {
    pub(super) fn link_up(&mut self, link: usize, requests: mpsc::UnboundedSender<Request>) {
        self.links.up(link, requests);
        self.ring_changed(None);
    }

    pub(super) fn link_down(&mut self, link: usize) {
        self.links.down(link);
        self.ring_changed(Some(link));
    }

    /// Sources whose owner changed, or was lost, start again from what is stored.
    fn ring_changed(&mut self, lost: Option<usize>) {
        self.metrics.links.set(self.links.count() as i64);
        let ids: Vec<SourceId> = self.slots.keys().cloned().collect();
        for id in ids {
            let owner = self.links.owner_of(&id);
            let slot = &self.slots[&id];
            if slot.owner != owner || (lost.is_some() && slot.owner == lost) {
                self.assign(&id);
            }
        }
        self.show_readiness();
    }

    /// Gives a slot to its owner on the ring and begins anew there.
    pub(super) fn assign(&mut self, id: &SourceId) {
        let owner = self.links.owner_of(id);
        if let Some(slot) = self.slots.get_mut(id) {
            slot.owner = owner;
        }
        self.converse(id, |slot, _| {
            slot.go_offline();
            NextStep::Nothing
        });
        if owner.is_some() {
            self.ask(id);
        }
    }

    /// Asks for the stored state, and tells what was acknowledged, so that a store that went back in
    /// time is noticed by others, too.
    pub(super) fn ask(&mut self, id: &SourceId) {
        let step = self.converse(id, Slot::ask);
        self.carry_out(id, step);
    }

    /// Lets a slot do something that may drop what is under way.
    fn converse(
        &mut self,
        id: &SourceId,
        act: impl FnOnce(&mut Slot, &mut Tags) -> NextStep<SentDelta>,
    ) -> NextStep<SentDelta> {
        let Some(slot) = self.slots.get_mut(id) else { return NextStep::Nothing };
        self.in_flight_bytes -= slot.bytes_in_flight();
        let step = act(slot, &mut self.tags);
        self.in_flight_bytes += slot.bytes_in_flight();
        step
    }

    /// Carries out what a slot wants next.
    fn carry_out(&mut self, id: &SourceId, step: NextStep<SentDelta>) {
        match step {
            // A file's source may be opened by whoever reads the file, so that nothing stops it.
            NextStep::Nothing | NextStep::Stop => {}
            NextStep::Ask { acknowledged, tag } => {
                self.send(id, tag, Action::Lookup(acknowledged), String::new());
            }
            NextStep::Open { expected, tag } => self.open(id, expected, tag),
            NextStep::Continue(_) => {
                self.enqueue(id);
                self.note_registered(id);
            }
            NextStep::Landed { flights, .. } => {
                for SentDelta { at, .. } in flights.into_iter().map(|flight| flight.payload) {
                    self.metrics.commit_seconds.observe(at.elapsed().as_secs_f64());
                }
            }
        }
    }

    fn open(&mut self, id: &SourceId, expected: Option<SourceState>, tag: u64) {
        if expected.is_some() {
            tracing::warn!(source = %id, path = self.path_of(id),
                "the file was truncated or replaced; it counts from its beginning");
            self.metrics.replaced.inc();
        }
        if let Some(fresh) = self.fresh_state(id) {
            self.send(id, tag, Action::Open { expected, fresh }, String::new());
        }
    }

    /// Hands a request to the slot's link.
    fn send(&self, id: &SourceId, tag: u64, action: Action, traceparent: String) {
        let owner = self.slots.get(id).and_then(|s| s.owner);
        self.links.send(owner, Request { tag, source: id.clone(), action, traceparent });
    }

    pub(super) fn path_of(&self, id: &SourceId) -> String {
        self.slots.get(id).map(|s| s.path.display().to_string()).unwrap_or_default()
    }

    pub(super) fn take_answer(&mut self, tag: u64, id: &SourceId, stored: Option<SourceState>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let before = slot.acknowledged();
        let step = self.converse(id, |slot, tags| slot.on_response(tag, stored, tags));
        // Only a delta, or an idle look, can have this answer: not a question.
        if matches!(step, NextStep::Ask { .. }) {
            self.note_rewind(id, before, stored);
        }
        self.note_counted(id, before);
        self.carry_out(id, step);
        self.enqueue(id);
        self.close_if_over(id);
    }

    /// What is acknowledged of standard input is not kept any more.
    fn note_counted(&self, id: &SourceId, before: Option<SourceState>) {
        let Some((stdin_id, stdin)) = &self.stdin else { return };
        let state = self.slots.get(id).and_then(Slot::acknowledged);
        if stdin_id == id && state != before {
            let counted = state.map_or(0, |state| state.position);
            stdin.forget_before(counted.saturating_sub(TAIL_BYTES_MAX as u64));
        }
    }

    fn note_rewind(
        &self,
        id: &SourceId,
        acknowledged: Option<SourceState>,
        stored: Option<SourceState>,
    ) {
        self.metrics.rewinds.inc();
        if acknowledged.is_some_and(|known| is_behind(stored.as_ref(), &known)) {
            self.metrics.store_behind.inc();
            tracing::error!(source = %id, path = self.path_of(id), ?acknowledged, ?stored,
                "the store is behind what it had acknowledged; reading again from there");
        } else {
            tracing::info!(source = %id, path = self.path_of(id), ?stored,
                "reading again from what is stored");
        }
    }

    /// Idle sources ask for their stored state: after a rollback of the store nobody else would
    /// notice what is missing.
    pub(super) fn check_idle(&mut self) {
        if self.stopping {
            return;
        }
        // In turns, if there are many: by the hash, which costs less than an order.
        let turns = self.slots.len().div_ceil(IDLE_CHECKS_MAX) as u64;
        self.idle_turn += 1;
        let turn = self.idle_turn % turns.max(1);
        let is_its_turn = |id: &SourceId| turns <= 1 || id.hash64() % turns == turn;
        let due = self.slots.values().filter(|s| s.is_idle() && is_its_turn(&s.id));
        let idle: Vec<SourceId> = due.map(|s| s.id.clone()).collect();
        for id in idle {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            let Some(tag) = slot.check(&mut self.tags) else { continue };
            let acknowledged = slot.acknowledged();
            self.send(&id, tag, Action::Lookup(acknowledged), String::new());
        }
    }

    pub(super) fn take_done(&mut self, done: Done) {
        let mut scratch = done.scratch;
        self.scratches.append(&mut scratch.helpers);
        self.scratches.push(scratch);
        if done.opened {
            self.handles.opened();
        }
        let Some(slot) = self.slots.get_mut(&done.source).filter(|s| s.has_begun(done.epoch))
        else {
            self.handles.closed(Some(&done.reader));
            return;
        };
        slot.reader = Some(done.reader);
        if slot.epoch == done.epoch {
            match done.result {
                Ok(step) => self.take_step(&done.source, step, done.stamp, done.end),
                Err(error) => self.take_error(&done.source, &error, done.stamp),
            }
        } else {
            // The slot began anew meanwhile: what was read is read again from the stored state.
            let state = slot.acknowledged();
            if let (Some(reader), Some(state)) = (&mut slot.reader, state) {
                reader.seek(state);
            }
            slot.dirty = true;
        }
        self.enqueue(&done.source);
        self.close_if_over(&done.source);
    }

    fn take_step(&mut self, id: &SourceId, step: Step, stamp: Option<Stamp>, end: End) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if step.span.resumed_mid_line {
            tracing::warn!(source = %id, path = %slot.path.display(), offset = step.span.from,
                "text was appended to a last line that was counted without its end; it is a new record");
        }
        self.view.keep_samples(&slot.path, &step.samples, self.plan.samples_per_reason);
        slot.last_error = None;
        self.unread.remove(id);
        slot.pending = step.span.pending;
        slot.size = slot.size.max(step.span.to + step.span.pending);
        slot.seen = slot.seen.max(slot.size);
        if step.span.at_end {
            slot.stamp = stamp;
            slot.finished = end == End::Final;
            self.note_at_end(id);
        } else {
            slot.dirty = true;
        }
        if let Some((delta, trace)) = step.delta {
            let Some(slot) = self.slots.get_mut(id) else { return };
            let bytes = delta.increments.len();
            let traceparent = trace.in_scope(logtally_service::current_traceparent);
            let sent = SentDelta { bytes, at: Instant::now(), trace };
            let tag = slot.send(&delta, sent, &mut self.tags);
            self.in_flight_bytes += bytes;
            self.send(id, tag, Action::Commit(Box::new(delta)), traceparent);
        }
    }

    /// A file lost its content. What had been seen of it and was not read is lost: copytruncate does
    /// this to what was written between the copy and the truncation, and to more if we were behind.
    fn note_loss(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let read = slot.conversation().sent();
        let lost = std::mem::take(&mut slot.seen).saturating_sub(read);
        slot.size = 0;
        if lost > 0 {
            self.metrics.suspected_lost_bytes.inc_by(lost);
            tracing::error!(source = %id, path = %slot.path.display(), bytes = lost,
                "the file was truncated before it was read to its end");
        }
    }

    fn take_error(&mut self, id: &SourceId, error: &ReadError, stamp: Option<Stamp>) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        match error {
            ReadError::Replaced { .. } if matches!(slot.role, Role::Backfill { .. }) => {
                self.give_up_backfill(id);
            }
            ReadError::Replaced { .. } => {
                self.note_loss(id);
                let Some(slot) = self.slots.get_mut(id) else { return };
                slot.dirty = true;
                let step = self.converse(id, Slot::replaced);
                self.carry_out(id, step);
            }
            ReadError::Io { source, .. } => {
                self.metrics.read_errors.inc();
                let path = slot.path.display();
                let reason = error.to_string();
                if slot.last_error.as_ref() == Some(&reason) {
                    tracing::debug!(%path, %error, "still cannot read the file");
                } else {
                    tracing::error!(%path, %error, "cannot read the file");
                }
                let text = format!("{path}: {error}");
                // The next look at the file tries again; with `once` there is none. What cannot be
                // unpacked stays so until the file changes.
                slot.finished = self.options.once;
                let is_damaged =
                    matches!(source.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
                slot.stamp = stamp.filter(|_| is_damaged || slot.compression.is_some());
                slot.last_error = Some(reason);
                self.unread.insert(id.clone(), text);
            }
        }
    }
}
