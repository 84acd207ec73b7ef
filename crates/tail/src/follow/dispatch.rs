//! Which source is read next, and by which rules.

use std::time::Instant;

use logtally_core::limits::{IN_FLIGHT_BYTES_MAX, SHARED_BYTES_MIN, SPANS_IN_FLIGHT_MAX};
use logtally_core::source::SourceId;

use super::{Event, Follower};
use crate::reader::End;
use crate::slot::{Role, Slot};
use crate::worker::{FileAt, Job, work};

impl Follower {
    /// Hands ready slots to free workers, as long as there is room for what they bring back.
    pub(super) fn dispatch(&mut self) {
        while !self.stopping && self.in_flight_bytes < IN_FLIGHT_BYTES_MAX {
            if self.scratches.is_empty() {
                return;
            }
            let Some(id) = self.ready.pop_front() else { return };
            if let Some(job) = self.make_job(&id) {
                let (events, metrics) = (self.events.clone(), self.metrics.clone());
                tokio::task::spawn_blocking(move || {
                    let done = work(job, &metrics);
                    let _ = events.blocking_send(Event::Done(Box::new(done)));
                });
            }
        }
    }

    fn make_job(&mut self, id: &SourceId) -> Option<Job> {
        let end = self.end_for(self.slots.get(id)?);
        let slot = self.slots.get_mut(id)?;
        slot.queued = false;
        let generation = slot.conversation().generation()?;
        if !slot.may_read() {
            return None;
        }
        let mut reader = slot.take_reader()?;
        slot.dirty = false;
        reader.adopt(slot.reading.clone());
        let mut scratch = self.scratches.pop()?;
        if self.ready.is_empty() && slot.lag_bytes() >= SHARED_BYTES_MIN {
            // Nobody else needs them.
            scratch.helpers.append(&mut self.scratches);
        }
        let file = FileAt {
            path: slot.path.clone(),
            id: slot.file_id(),
            volume: self.options.volume.clone(),
            compression: slot.compression,
        };
        Some(Job { source: id.clone(), generation, epoch: slot.epoch, end, reader, file, scratch })
    }

    /// Whether anything can follow what is in the slot's source now.
    pub(super) fn end_for(&self, slot: &Slot) -> End {
        let over = match &slot.role {
            Role::Stdin => self.stdin.as_ref().is_some_and(|(_, stdin)| stdin.is_closed()),
            Role::Backfill { .. } => true,
            Role::File => {
                let gone = slot.superseded && self.is_quiet(slot);
                self.options.once || gone || slot.compression.is_some()
            }
        };
        if over { End::Final } else { End::Open }
    }

    /// Whether the slot's file has been away from its path, and unchanged, for long enough.
    pub(super) fn is_quiet(&self, slot: &Slot) -> bool {
        let wait = self.options.rotate_wait;
        let long = |since: Instant| since.elapsed() >= wait;
        slot.rotated.is_some_and(long) && long(slot.changed)
    }

    /// Puts a slot into the queue if it has something to read and may read.
    pub(super) fn enqueue(&mut self, id: &SourceId) {
        self.prepare(id);
        if let Some(slot) = self.slots.get_mut(id)
            && slot.dirty
            && !slot.queued
            && slot.may_read()
        {
            slot.queued = true;
            self.ready.push_back(id.clone());
        }
    }
}

impl Slot {
    /// Whether a reading step may begin now.
    fn may_read(&self) -> bool {
        self.conversation().is_ready()
            && self.prepared
            && !self.removed
            && self.reader.is_some()
            && self.conversation().in_flight() < SPANS_IN_FLIGHT_MAX
    }

    /// The identity of the slot's file.
    pub(super) fn file_id(&self) -> SourceId {
        match &self.role {
            Role::Backfill { of } => of.clone(),
            Role::File | Role::Stdin => self.id.clone(),
        }
    }
}
