//! How the follower works, and what it returns.

use std::time::Duration;

use crate::followed::EndPolicy;
use crate::reader::SpanLimits;
use crate::shard::Shard;

/// How the follower works.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// The name of the volume that the files lie on.
    pub volume: String,
    /// The share of the sources that is ours.
    pub shard: Shard,
    /// Read to the end, an unterminated last record included, and return.
    pub once: bool,
    /// Only poll the files, without events of the file system.
    pub poll_only: bool,
    /// How often files are looked for when no event reports a change.
    pub poll_interval: Duration,
    /// How long a rotated file must be quiet before its unterminated last record counts.
    pub rotate_wait: Duration,
    /// How often an idle source asks for its stored state.
    pub idle_check: Duration,
    /// Reading steps at the same time.
    pub workers: usize,
    /// Show a progress bar if standard error is a terminal.
    pub progress: bool,
    /// When a span is closed.
    pub limits: SpanLimits,
}

impl FollowOptions {
    /// When a file is taken to have come to its end.
    pub(super) fn end_policy(&self) -> EndPolicy {
        EndPolicy { once: self.once, rotate_wait: self.rotate_wait }
    }
}

/// What reading with `once` came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FollowOutcome {
    /// Inputs that could not be read, one line each.
    pub problems: Vec<String>,
}
