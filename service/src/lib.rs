//! The process kit under every program: arguments that all share, logs, traces, the admin listener,
//! readiness, shutdown, build information.
//!
//! This crate knows nothing about counting.

use prometheus::Registry;
use tokio_util::sync::CancellationToken;

/// What every `run` function shares with its process.
#[derive(Clone)]
pub struct Context {
    /// Own metrics of the process; shown on the admin listener only.
    pub registry: Registry,
    /// Whether the process is ready, and if not, why.
    pub readiness: Readiness,
    /// Cancelled when the process must stop.
    pub shutdown: CancellationToken,
}

/// placeholder, replaced by the real one
#[derive(Clone)]
pub struct Readiness;
