//! Shows how far the reading is: a bar on a terminal, log lines otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the progress is logged.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// The progress of catching up.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    logged: Instant,
    started: Instant,
    caught_up: bool,
}

impl Progress {
    /// Shows a bar if asked for and standard error is a terminal.
    pub(crate) fn new(bar: bool) -> Self {
        let bar = (bar && std::io::stderr().is_terminal()).then(new_bar);
        let now = Instant::now();
        Self { bar, logged: now, started: now, caught_up: false }
    }

    /// Shows that `done` of `total` bytes of `files` files are counted.
    pub(crate) fn show(&mut self, files: usize, done: u64, total: u64, records: u64) {
        if self.caught_up {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(format!("{records} records of {files} files"));
        }
        if done >= total && files > 0 {
            self.caught_up = true;
            self.finish();
            let seconds = self.started.elapsed().as_secs_f64();
            tracing::info!(files, bytes = done, records, seconds, "caught up");
        } else if files > 0 && self.bar.is_none() && self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            tracing::info!(files, bytes = done, of = total, records, "catching up");
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let template = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
