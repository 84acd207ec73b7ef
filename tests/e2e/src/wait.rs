//! Waiting for a condition, never for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a condition is looked at: often enough not to prolong a test, rarely enough to leave
/// the processors to the programs.
const POLL: Duration = Duration::from_millis(20);

/// Asks `probe` until it succeeds, and panics with its last reason when `within` has passed.
pub fn until<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(reason) if begun.elapsed() > within => {
                panic!("{what}: not within {within:?}: {reason}")
            }
            Err(_) => sleep(POLL),
        }
    }
}

/// A condition as a probe: `reason` says what is missing while it does not hold.
pub fn holds(condition: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(reason()) }
}
