//! New rules that count files from their beginning: for each file and rule a source of its own, from
//! the beginning to where the rule began to count live.
//!
//! A file is read by such a rule only after the source of what it counts afterwards is registered,
//! with its end: so a crash in between neither loses nor doubles anything. The two sources are in one
//! partition, so no rollback of the store takes one without the other; after any doubt about the
//! stored state the registration is looked at again.

use std::sync::Arc;
use std::time::Instant;

use logtally_core::source::{Generation, SourceEnd, SourceId, SourceState};

use super::Follower;
use crate::reader::Reader;
use crate::slot::{Role, Slot};
use logtally_count::reading::Reading;

impl Follower {
    /// Sees to it that everything is registered that the rules of a slot count afterwards, before
    /// they count live.
    pub(super) fn prepare(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.prepared || !slot.conversation().is_ready() {
            return;
        }
        if slot.role != Role::File || slot.reading.input.backfills.is_empty() {
            slot.prepared = true;
            return;
        }
        // The end of what is counted afterwards is where nothing is under way any more.
        if slot.preparing || slot.conversation().in_flight() > 0 || slot.reader.is_none() {
            return;
        }
        slot.preparing = true;
        let names: Vec<usize> = (0..slot.reading.input.backfills.len()).collect();
        for index in names {
            self.register(id, index);
        }
    }

    fn register(&mut self, of: &SourceId, index: usize) {
        let Some(slot) = self.slots.get(of) else { return };
        let (name, input) = &slot.reading.input.backfills[index];
        let Ok(id) = of.backfill(name) else { return };
        if self.slots.contains_key(&id) {
            self.ask(&id);
            return;
        }
        let names = input.rules.placeholders();
        let path = slot.reading.input.placeholder_values_of(names, &slot.path);
        let reading = Reading { input: Arc::clone(input), path: path.into() };
        let reader = Reader::new(None, reading.clone());
        let mut backfill =
            Slot::new(id.clone(), slot.path.clone(), reader, reading, Instant::now());
        backfill.role = Role::Backfill { of: of.clone() };
        backfill.compression = slot.compression;
        self.slots.insert(id.clone(), backfill);
        self.assign(&id);
    }

    /// The state in which a source begins.
    pub(super) fn fresh_state(&self, id: &SourceId) -> Option<SourceState> {
        // A random id never means another life, whatever the store forgets. 0 is kept for "none".
        let generation = Generation(rand::random::<u64>() | 1);
        let mut fresh = SourceState::start(generation);
        if let Role::Backfill { of } = &self.slots.get(id)?.role {
            let live = self.slots.get(of)?.acknowledged()?;
            fresh.end = Some(SourceEnd { position: live.position, tail: live.tail });
        }
        Some(fresh)
    }

    /// Notes that a backfill is registered. When the last one of a file is, the file may be read.
    pub(super) fn note_registered(&mut self, id: &SourceId) {
        let Some(Role::Backfill { of }) = self.slots.get(id).map(|slot| slot.role.clone()) else {
            return;
        };
        let Some(live) = self.slots.get(&of) else {
            self.slots.remove(id);
            return;
        };
        let registered = |(name, _): &(String, _)| {
            let slot = of.backfill(name).ok().and_then(|id| self.slots.get(&id));
            slot.is_some_and(|slot| slot.conversation().is_ready())
        };
        let ready = live.preparing && live.reading.input.backfills.iter().all(registered);
        if ready {
            let names = live.reading.input.backfills.iter();
            let ids: Vec<SourceId> = names.filter_map(|(name, _)| of.backfill(name).ok()).collect();
            let Some(live) = self.slots.get_mut(&of) else { return };
            (live.prepared, live.preparing) = (true, false);
            for id in ids {
                self.close_if_over(&id);
            }
            self.enqueue(&of);
        }
    }

    /// Forgets a backfill that is counted to its end; its state stays in the store.
    pub(super) fn close_if_over(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get(id) else { return };
        let Role::Backfill { of } = &slot.role else { return };
        let waiting = self.slots.get(of).is_some_and(|live| live.preparing);
        let is_quiet = slot.conversation().in_flight() == 0 && slot.reader.is_some();
        if slot.is_over() && is_quiet && !waiting {
            // Not again at every look at what was counted long ago.
            if slot.stamp.is_some() {
                tracing::info!(source = %id, path = %slot.path.display(), "counted what was there before the rule");
            }
            self.drop_slot(id);
        }
    }

    /// The bytes that a backfill wanted to count are gone.
    pub(super) fn give_up_backfill(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get(id) else { return };
        tracing::warn!(source = %id, path = %slot.path.display(),
            "the file was truncated or replaced; what was there before the rule cannot be counted");
        self.metrics.backfills_lost.inc();
        self.drop_slot(id);
    }

    /// Forgets a slot that nothing is under way for.
    pub(super) fn drop_slot(&mut self, id: &SourceId) {
        if let Some(slot) = self.slots.remove(id) {
            self.in_flight_bytes -= slot.bytes_in_flight();
            self.handles.closed(slot.reader.as_deref());
        }
    }
}
