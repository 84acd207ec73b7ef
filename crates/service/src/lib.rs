//! The process kit under every program: arguments that all share, logs, traces, the admin listener,
//! readiness, liveness, shutdown, build information.
//!
//! This crate knows nothing about counting and must never learn: it may not depend on any other
//! crate of the workspace.
//!
//! A program's `main.rs` calls [`main_with`] with its `run` function. `run` makes a [`Context`],
//! sets up [`init_telemetry`], binds its listeners with [`bind`], serves the probes with
//! [`spawn_admin`] and stops when [`Context::shutdown`] is cancelled, which [`cancel_on_signal`]
//! does.

pub mod program;

pub mod context;

pub mod readiness;

pub mod health;

pub mod connections;

pub mod listen;

pub mod admin;

pub mod page;

pub mod signal;

pub mod log;

pub mod logfmt;

pub mod telemetry;

pub mod propagation;

pub mod register;

mod process;

mod text;

#[cfg(test)]
mod testing;

pub use admin::{AdminHandle, Extra, spawn_admin, spawn_admin_with};
pub use context::{Context, version};
pub use health::{Health, Watchdog};
pub use listen::{BindError, ListenAddress, ParseListenAddressError, bind, bind_std};
pub use log::{LogArgs, LogFilter, LogFormat};
pub use page::landing_page;
pub use program::{EXIT_CONFIG, EXIT_FAILURE, EXIT_PANIC, EXIT_USAGE, ExitError, main_with};
pub use propagation::{add_link, current_traceparent, set_parent};
pub use readiness::{Readiness, ReadinessGate};
pub use register::register;
pub use signal::cancel_on_signal;
pub use telemetry::{Telemetry, init_telemetry};
