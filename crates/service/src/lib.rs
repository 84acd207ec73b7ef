//! The process kit under every program: arguments that all share, logs, traces, the admin listener,
//! readiness, liveness, shutdown, build information.
//!
//! This crate knows nothing about counting, and must not: it may not depend on any other crate of the
//! workspace.
//!
//! A program's `main.rs` calls [`main_with`] with its `run` function. `run` makes a [`Context`],
//! sets up [`init_telemetry`], binds its listeners with [`bind`], serves the probes with
//! [`spawn_admin`] and stops when [`Context::shutdown`] is cancelled, which [`cancel_on_signal`]
//! does.

mod admin;

pub mod connections;

mod context;

mod health;

mod listen;

mod log;

mod logfmt;

mod page;

mod process;

mod program;

mod propagation;

mod readiness;

mod register;

mod signal;

mod telemetry;

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
