//! Liveness by heartbeats: the process is alive while each of its loops still runs.
//!
//! Must never depend on a store or a network: a restart does not repair those, it only adds load to
//! what already struggles. A loop that waits for a store beats while it waits; that it waits is a
//! matter of [`readiness`](crate::readiness).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether every watchdog of the process beats. Clones are handles to the same state.
#[derive(Clone, Default)]
pub struct Health {
    watchdogs: Arc<Mutex<Watchdogs>>,
}

/// The heartbeat of one loop.
///
/// A watchdog that its loop drops on the way out is no longer watched. One that is dropped by a panic
/// is reported for ever, because nobody will run that loop again.
pub struct Watchdog {
    id: u64,
    watchdogs: Arc<Mutex<Watchdogs>>,
}

#[derive(Default)]
struct Watchdogs {
    next_id: u64,
    by_id: BTreeMap<u64, State>,
}

struct State {
    name: &'static str,
    max_silence: Duration,
    beat_at: Instant,
    panicked: bool,
}

impl Health {
    /// A new watchdog, which has just beaten and must beat again within `max_silence`.
    ///
    /// Choose several times what one round of the loop takes at worst: being wrong here means a
    /// restart.
    pub fn watchdog(&self, name: &'static str, max_silence: Duration) -> Watchdog {
        let mut watchdogs = lock(&self.watchdogs);
        let id = watchdogs.next_id;
        watchdogs.next_id += 1;
        let state = State { name, max_silence, beat_at: Instant::now(), panicked: false };
        watchdogs.by_id.insert(id, state);
        Watchdog { id, watchdogs: Arc::clone(&self.watchdogs) }
    }

    /// Name and reason of each watchdog that has not beaten in time, in order of creation; empty if the
    /// process is healthy.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.reasons_at(Instant::now())
    }

    fn reasons_at(&self, now: Instant) -> Vec<(&'static str, String)> {
        let watchdogs = lock(&self.watchdogs);
        let reason = |state: &State| state.reason(now).map(|why| (state.name, why));
        watchdogs.by_id.values().filter_map(reason).collect()
    }
}

impl Watchdog {
    /// The loop has gone round once more.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&self, now: Instant) {
        if let Some(state) = lock(&self.watchdogs).by_id.get_mut(&self.id) {
            state.beat_at = now;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let mut watchdogs = lock(&self.watchdogs);
        if !std::thread::panicking() {
            watchdogs.by_id.remove(&self.id);
        } else if let Some(state) = watchdogs.by_id.get_mut(&self.id) {
            state.panicked = true;
        }
    }
}

impl State {
    fn reason(&self, now: Instant) -> Option<String> {
        // A beat by another thread may be later than `now`: that is no silence at all.
        let silence = now.saturating_duration_since(self.beat_at);
        if self.panicked {
            return Some("panicked".to_owned());
        }
        (silence > self.max_silence).then(|| {
            format!("no heartbeat for {silence:.1?}, allowed are {:.1?}", self.max_silence)
        })
    }
}

/// Every change under this lock is one assignment, so a panic elsewhere leaves nothing half done.
fn lock(watchdogs: &Mutex<Watchdogs>) -> MutexGuard<'_, Watchdogs> {
    watchdogs.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(10);

    fn check(health: &Health, now: Instant, expect: &[(&str, &str)]) {
        let reasons = health.reasons_at(now);
        let reasons: Vec<_> = reasons.iter().map(|(name, why)| (*name, why.as_str())).collect();
        assert_eq!(reasons, expect);
    }

    #[test]
    fn a_silent_watchdog_is_named_until_it_beats_again() {
        let health = Health::default();
        let start = Instant::now();
        let uplink = health.watchdog("uplink", ALLOWED);
        let reader = health.watchdog("reader", ALLOWED * 9);
        uplink.beat_at(start);
        reader.beat_at(start);
        check(&health, start + ALLOWED, &[]);
        let late = start + Duration::from_secs(12);
        let expect = [("uplink", "no heartbeat for 12.0s, allowed are 10.0s")];
        check(&health.clone(), late, &expect);
        uplink.beat_at(late);
        check(&health, late, &[]);
    }

    #[test]
    fn a_beat_from_the_future_is_not_silence() {
        let health = Health::default();
        let start = Instant::now();
        let watchdog = health.watchdog("uplink", ALLOWED);
        watchdog.beat_at(start + ALLOWED * 3);
        check(&health, start, &[]);
    }

    #[test]
    fn a_watchdog_that_ends_in_order_is_forgotten_and_one_that_panics_is_not() {
        let health = Health::default();
        drop(health.watchdog("import", ALLOWED));
        let watchdog = health.watchdog("uplink", ALLOWED);
        let looping = std::thread::spawn(move || {
            watchdog.beat();
            // Not `panic!`: its message would look like a failure in the output of the test.
            std::panic::resume_unwind(Box::new("dead"));
        });
        assert!(looping.join().is_err());
        check(&health, Instant::now() + ALLOWED * 9, &[("uplink", "panicked")]);
        assert!(!health.reasons().is_empty());
    }
}
