//! Why there is no page now. Each text is one line for a person at a terminal.

use std::time::Duration;

use logtally_store::StoreError;

use crate::state::Shortfall;

/// Why the exporter cannot know the current value. It then says nothing rather than something old.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unavailable {
    /// Nothing has been read yet.
    #[error("the store has not been read yet")]
    Starting,
    /// The store does not answer, or what it answers cannot be used.
    #[error("{0}")]
    Store(String),
    /// The server behind the store is another one than before.
    #[error(
        "the store's server was replaced and may have lost what was shown; waiting {} s more",
        .0.as_secs_f64().ceil()
    )]
    Settling(Duration),
    /// Readers found the store behind what had been acknowledged to them.
    #[error("{0} sources are behind what was acknowledged to their readers and are read again")]
    Recovering(u64),
    /// The totals are below what this replica has served.
    #[error(
        "{} series are below what was served before; the first is {}, which was {} and is {}",
        .0.count, .0.series, .0.served, .0.total
    )]
    BelowHighWater(Shortfall),
    /// The exporter itself has failed.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}
