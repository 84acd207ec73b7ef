//! The clock of a store inside the process. Time is passed in, so that a test can move it.
//!
//! Only stored times come from here; nothing waits by this clock.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time, milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of the machine. 0 if it stands before 1970.
pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| d.as_millis() as u64)
    })
}
