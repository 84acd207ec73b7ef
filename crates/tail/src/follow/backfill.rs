//! New rules that count files from their beginning: for each file and rule a source of its own, from
//! the beginning to where the rule began to count live.
//!
//! A file is read by such a rule only after the source of what it counts afterwards is registered,
//! with its end: so a crash in between neither loses nor doubles anything. The two sources are in one
//! partition, so no rollback of the store takes one without the other; after any doubt about the
//! stored state the registration is checked again.

use std::sync::Arc;
use std::time::Instant;

use logtally_core::source::{Generation, SourceEnd, SourceId, SourceState};
use logtally_count::reading::Reading;

use super::sources::Sources;
use crate::followed::{FollowedSource, SourceRole};

impl Sources {
    /// Sees to it that everything is registered that the rules of a source count afterwards, before
    /// they count live.
    pub(super) fn register_backfills(&mut self, id: &SourceId) {
        let Some(source) = self.table_mut().get_mut(id) else { return };
        if source.rules().is_registered() || !source.conversation().is_ready() {
            return;
        }
        let backfills = source.rules().input().backfills.len();
        if *source.role() != SourceRole::File || backfills == 0 {
            source.rules_mut().note_registered();
            return;
        }
        if !source.may_register_backfills() {
            return;
        }
        source.rules_mut().start_registering();
        for index in 0..backfills {
            self.register_backfill(id, index);
        }
    }

    fn register_backfill(&mut self, of: &SourceId, index: usize) {
        let Some(file) = self.table().get(of) else { return };
        let live = file.rules().input();
        let (name, input) = &live.backfills[index];
        let Ok(id) = of.backfill(name) else { return };
        if self.table().contains(&id) {
            self.ask(&id);
            return;
        }
        let names = input.rules.placeholders();
        let path = live.placeholder_values_of(names, file.path());
        let reading = Reading { input: Arc::clone(input), path: path.into() };
        self.follow(FollowedSource::backfill(id, file, reading, Instant::now()));
    }

    /// The state in which a source begins.
    pub(super) fn fresh_state(&self, source: &FollowedSource) -> Option<SourceState> {
        // A random id never names another generation, whatever the store forgets. 0 is kept for
        // "none".
        let generation = Generation(rand::random::<u64>() | 1);
        let mut fresh = SourceState::start(generation);
        if let SourceRole::Backfill { of } = source.role() {
            let live = self.table().get(of)?.acknowledged()?;
            fresh.end = Some(SourceEnd { position: live.position, tail: live.tail });
        }
        Some(fresh)
    }

    /// Notes that a backfill is registered. When the last one of a file is, the file may be read.
    pub(super) fn note_registered(&mut self, id: &SourceId) {
        let Some(backfill) = self.table().get(id) else { return };
        let SourceRole::Backfill { of } = backfill.role().clone() else { return };
        if !self.table().contains(&of) {
            self.forget(id);
            return;
        }
        let Some(backfills) = self.registered_backfills(&of) else { return };
        if let Some(file) = self.table_mut().get_mut(&of) {
            file.rules_mut().note_registered();
        }
        for backfill in backfills {
            self.close_if_over(&backfill);
        }
        self.enqueue(&of);
    }

    /// The backfills of a file, if their registration is under way and each of them has its state now.
    fn registered_backfills(&self, of: &SourceId) -> Option<Vec<SourceId>> {
        let rules = self.table().get(of)?.rules();
        if !rules.is_registering() {
            return None;
        }
        let mut ids = Vec::new();
        for (name, _) in &rules.input().backfills {
            let id = of.backfill(name).ok()?;
            if !self.table().get(&id)?.conversation().is_ready() {
                return None;
            }
            ids.push(id);
        }
        Some(ids)
    }

    /// Forgets a backfill that is counted to its end; its state stays in the store.
    pub(super) fn close_if_over(&mut self, id: &SourceId) {
        let Some(source) = self.table().get(id) else { return };
        let SourceRole::Backfill { of } = source.role() else { return };
        let file = self.table().get(of);
        // Until all backfills of the file are registered, this one counts among them.
        let is_awaited = file.is_some_and(|file| file.rules().is_registering());
        if !source.is_over() || is_awaited {
            return;
        }
        // What was counted long ago ends here, too, after every start: that is not worth a line.
        if source.extent().has_reached_end() {
            tracing::info!(source = %id, path = %source.path().display(), "counted what was there before the rule");
        }
        self.forget(id);
    }

    /// The bytes that a backfill wanted to count are gone.
    pub(super) fn give_up_backfill(&mut self, id: &SourceId) {
        let Some(source) = self.forget(id) else { return };
        tracing::warn!(source = %id, path = %source.path().display(),
            "the file was truncated or replaced; what was there before the rule cannot be counted");
        self.metrics().reads.backfills_lost.inc();
    }
}
