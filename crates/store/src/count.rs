//! What is stored of one series.

use logtally_core::series::Amount;

/// One stored count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// Records, and the value beside them.
    pub amount: Amount,
    /// The store's time of the first increment, milliseconds since 1970; 0 for kinds without
    /// ([`Kind::has_created`](logtally_core::series::Kind::has_created)).
    pub created_ms: u64,
    /// The store's time of the last increment, milliseconds since 1970; 0 for families without a
    /// time-to-live.
    pub touched_ms: u64,
}
