//! Signals that end the process: the first asks it to stop, the second ends it at once.
//!
//! Must never do the ending itself on the first signal: what a program holds is flushed by whoever
//! listens to the token.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// A process that a signal ends has 128 plus the number of the signal as its exit code, as in a
/// shell.
const SIGNAL_EXIT_BASE: i32 = 128;

/// Cancels `token` at the first SIGINT or SIGTERM; the second ends the process at once with exit
/// code 130 or 143.
///
/// The signals are caught from the return of this function on.
///
/// # Panics
///
/// When called outside of a tokio runtime.
pub fn cancel_on_signal(token: CancellationToken) {
    match Signals::catch() {
        Ok(signals) => drop(tokio::spawn(stop_then_force(signals, token))),
        Err(error) => error!(%error, "cannot catch signals, they will end the process at once"),
    }
}

async fn stop_then_force(mut signals: Signals, token: CancellationToken) {
    let (name, _) = signals.next().await;
    info!(signal = name, "stopping, a second signal ends the process at once");
    token.cancel();
    let (name, kind) = signals.next().await;
    warn!(signal = name, "stopped at once");
    std::process::exit(SIGNAL_EXIT_BASE + kind.as_raw_value());
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> (&'static str, SignalKind) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
        }
    }
}
