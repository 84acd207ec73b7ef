//! Readiness as named gates: each part of a program says for itself whether it is ready.
//!
//! Readiness decides whether others send work here. It must never decide whether the process is
//! restarted; that is [`health`](crate::health).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether every part of the process is ready. Clones are handles to the same state.
///
/// Without any gate a process is ready, so create the gates before the admin listener starts.
#[derive(Clone, Default)]
pub struct Readiness {
    gates: Arc<Mutex<Gates>>,
}

/// One part's say in the readiness of its process.
///
/// Not ready from its creation. A dropped gate stops counting: a part that has ended for good, like
/// a one-off import, neither holds the process back nor needs a last report. A part whose end makes
/// the process useless must cancel the shutdown token instead.
pub struct ReadinessGate {
    id: u64,
    gates: Arc<Mutex<Gates>>,
}

#[derive(Default)]
struct Gates {
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
    /// A new gate, not ready because it is "starting". Names should differ but need not.
    pub fn gate(&self, name: &'static str) -> ReadinessGate {
        let mut gates = lock(&self.gates);
        let id = gates.next_id;
        gates.next_id += 1;
        gates.by_id.insert(id, State { name, waiting: Some("starting".to_owned()) });
        ReadinessGate { id, gates: Arc::clone(&self.gates) }
    }

    /// Whether no gate holds the process back.
    pub fn is_ready(&self) -> bool {
        lock(&self.gates).by_id.values().all(|state| state.waiting.is_none())
    }

    /// Name and reason of each gate that is not ready, in order of creation.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        let gates = lock(&self.gates);
        let reason = |state: &State| state.waiting.clone().map(|why| (state.name, why));
        gates.by_id.values().filter_map(reason).collect()
    }
}

impl ReadinessGate {
    /// This part is ready.
    pub fn ready(&self) {
        self.set(None);
    }

    /// This part is not ready (any more), for a reason that a person at a terminal understands.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    fn set(&self, waiting: Option<String>) {
        if let Some(state) = lock(&self.gates).by_id.get_mut(&self.id) {
            state.waiting = waiting;
        }
    }
}

impl Drop for ReadinessGate {
    fn drop(&mut self) {
        lock(&self.gates).by_id.remove(&self.id);
    }
}

/// Every change under this lock is one assignment, so a panic elsewhere leaves nothing half done.
fn lock(gates: &Mutex<Gates>) -> MutexGuard<'_, Gates> {
    gates.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn ready_when_every_gate_is() {
        let readiness = Readiness::default();
        check(&readiness, &[]);
        let store = readiness.gate("store");
        let ring = readiness.gate("ring");
        check(&readiness, &[("store", "starting"), ("ring", "starting")]);
        store.ready();
        check(&readiness, &[("ring", "starting")]);
        ring.ready();
        check(&readiness, &[]);
        store.not_ready("connection refused");
        check(&readiness.clone(), &[("store", "connection refused")]);
    }

    #[test]
    fn a_dropped_gate_stops_counting_and_leaves_its_namesake_alone() {
        let readiness = Readiness::default();
        let first = readiness.gate("import");
        let second = readiness.gate("import");
        drop(first);
        check(&readiness, &[("import", "starting")]);
        second.ready();
        check(&readiness, &[]);
    }
}
