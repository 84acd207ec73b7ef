//! Readiness as named latches: each part of a program says for itself whether it is ready.
//!
//! Readiness decides whether others send work here. It must never decide whether the process is
//! restarted; that is [`health`](crate::health).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether every part of the process is ready. Clones are handles to the same state.
///
/// Without any latch a process is ready, so create the latches before the admin listener starts.
#[derive(Clone, Default)]
pub struct Readiness {
    latches: Arc<Mutex<Latches>>,
}

/// One part's say in the readiness of its process.
///
/// Not ready from its creation. A dropped latch stops counting: a part that has ended for good, like
/// a one-off import, neither holds the process back nor needs a last call. A part whose end makes
/// the process useless must cancel the shutdown token instead.
pub struct Latch {
    id: u64,
    latches: Arc<Mutex<Latches>>,
}

#[derive(Default)]
struct Latches {
    next_id: u64,
    /// In order of creation, so that reasons are listed as the program starts up.
    by_id: BTreeMap<u64, State>,
}

struct State {
    name: &'static str,
    /// Why it is not ready; `None` when it is.
    waiting: Option<String>,
}

impl Readiness {
    /// A new latch, not ready because it is "starting". Names should differ but need not.
    pub fn latch(&self, name: &'static str) -> Latch {
        let mut latches = lock(&self.latches);
        let id = latches.next_id;
        latches.next_id += 1;
        latches.by_id.insert(id, State { name, waiting: Some("starting".to_owned()) });
        Latch { id, latches: Arc::clone(&self.latches) }
    }

    /// Whether no latch holds the process back.
    pub fn is_ready(&self) -> bool {
        lock(&self.latches).by_id.values().all(|state| state.waiting.is_none())
    }

    /// Name and reason of each latch that is not ready, in order of creation.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        let latches = lock(&self.latches);
        let reason = |state: &State| state.waiting.clone().map(|why| (state.name, why));
        latches.by_id.values().filter_map(reason).collect()
    }
}

impl Latch {
    /// This part is ready.
    pub fn ready(&self) {
        self.set(None);
    }

    /// This part is not ready (any more), for a reason that a person at a terminal understands.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    fn set(&self, waiting: Option<String>) {
        if let Some(state) = lock(&self.latches).by_id.get_mut(&self.id) {
            state.waiting = waiting;
        }
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        lock(&self.latches).by_id.remove(&self.id);
    }
}

/// Every change under this lock is one assignment, so a panic elsewhere leaves nothing half done.
fn lock(latches: &Mutex<Latches>) -> MutexGuard<'_, Latches> {
    latches.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(readiness: &Readiness, expect: &[(&str, &str)]) {
        let reasons = readiness.reasons();
        let reasons: Vec<_> = reasons.iter().map(|(name, why)| (*name, why.as_str())).collect();
        assert_eq!(reasons, expect);
        assert_eq!(readiness.is_ready(), expect.is_empty());
    }

    #[test]
    fn ready_when_every_latch_is() {
        let readiness = Readiness::default();
        check(&readiness, &[]);
        let store = readiness.latch("store");
        let ring = readiness.latch("ring");
        check(&readiness, &[("store", "starting"), ("ring", "starting")]);
        store.ready();
        check(&readiness, &[("ring", "starting")]);
        ring.ready();
        check(&readiness, &[]);
        store.not_ready("connection refused");
        check(&readiness.clone(), &[("store", "connection refused")]);
    }

    #[test]
    fn a_dropped_latch_stops_counting_and_leaves_its_namesake_alone() {
        let readiness = Readiness::default();
        let first = readiness.latch("import");
        let second = readiness.latch("import");
        drop(first);
        check(&readiness, &[("import", "starting")]);
        second.ready();
        check(&readiness, &[]);
    }
}
