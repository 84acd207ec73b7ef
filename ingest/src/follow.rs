//! Flags that say how files are followed. Must never follow any: what the flags mean is decided in
//! `logtally-tail`.

use std::time::Duration;

use logtally_core::duration;
use logtally_tail::FollowOptions;
use logtally_tail::shard::Shard;

/// Shorter pauses between looks than this would only burn time.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// How files are followed. Flatten it into the arguments of a program.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Following files")]
pub struct FollowArgs {
    /// Time between two checks for new files and for changes without a file system event.
    #[arg(
        long = "follow.poll-interval",
        env = "LOGTALLY_FOLLOW_POLL_INTERVAL",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = duration::parse
    )]
    poll_interval: Duration,

    /// Do not use events of the file system, only the checks. Network file systems send no events.
    #[arg(long = "follow.poll-only", env = "LOGTALLY_FOLLOW_POLL_ONLY")]
    poll_only: bool,

    /// Time without a change after which the last line of a rotated file counts even if it has no line
    /// feed.
    #[arg(
        long = "follow.rotate-wait",
        env = "LOGTALLY_FOLLOW_ROTATE_WAIT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = duration::parse
    )]
    rotate_wait: Duration,

    /// Time after which an idle source checks its stored state again.
    #[arg(
        long = "follow.idle-check",
        env = "LOGTALLY_FOLLOW_IDLE_CHECK",
        value_name = "DURATION",
        default_value = "3s",
        value_parser = duration::parse
    )]
    idle_check: Duration,

    /// Number of reading threads; 0 is one per processor. They read different files, and share large ones.
    #[arg(
        long = "follow.workers",
        env = "LOGTALLY_FOLLOW_WORKERS",
        value_name = "N",
        default_value_t = 0
    )]
    workers: usize,

    #[command(flatten)]
    old: OldFollowArgs,
}

/// Spellings of before durations had units. They still work, and say what to write now.
#[derive(clap::Args, Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the flags")]
struct OldFollowArgs {
    #[arg(long = "follow.poll-interval-ms", env = "LOGTALLY_FOLLOW_POLL_INTERVAL_MS", hide = true)]
    poll_interval_ms: Option<u64>,

    #[arg(long = "follow.rotate-wait-ms", env = "LOGTALLY_FOLLOW_ROTATE_WAIT_MS", hide = true)]
    rotate_wait_ms: Option<u64>,

    #[arg(long = "follow.idle-check-ms", env = "LOGTALLY_FOLLOW_IDLE_CHECK_MS", hide = true)]
    idle_check_ms: Option<u64>,
}

impl FollowArgs {
    /// The follower's options for a search. Logs what to write in place of old spellings.
    pub fn options(
        &self,
        volume: String,
        shard: Shard,
        once: bool,
        progress: bool,
    ) -> FollowOptions {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let poll_interval =
            in_force(self.poll_interval, "follow.poll-interval", self.old.poll_interval_ms);
        let rotate_wait = in_force(self.rotate_wait, "follow.rotate-wait", self.old.rotate_wait_ms);
        let idle_check = in_force(self.idle_check, "follow.idle-check", self.old.idle_check_ms);
        FollowOptions {
            volume,
            shard,
            once,
            progress,
            poll_only: self.poll_only,
            poll_interval: poll_interval.max(INTERVAL_MIN),
            rotate_wait,
            idle_check: idle_check.max(INTERVAL_MIN),
            workers: if self.workers == 0 { processors } else { self.workers },
            limits: logtally_tail::reader::SpanLimits::default(),
        }
    }
}

/// The duration of a flag, unless the old spelling of the flag is given.
fn in_force(duration: Duration, flag: &str, old_ms: Option<u64>) -> Duration {
    let Some(old_ms) = old_ms else { return duration };
    let old = Duration::from_millis(old_ms);
    tracing::warn!(
        old = %format_args!("--{flag}-ms {old_ms}"),
        new = %format_args!("--{flag} {}", duration::format(old)),
        "a flag or variable in milliseconds will go away; write it as a duration"
    );
    old
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        follow: FollowArgs,
    }

    fn options(args: &[&str]) -> FollowOptions {
        let args = ["program"].iter().chain(args);
        let program = Program::try_parse_from(args).unwrap_or_else(|error| panic!("{error}"));
        program.follow.options("v".into(), Shard { index: 0, total: 1 }, false, false)
    }

    fn durations(args: &[&str]) -> [u64; 3] {
        let options = options(args);
        [options.poll_interval, options.rotate_wait, options.idle_check]
            .map(|duration| duration.as_millis() as u64)
    }

    #[test]
    fn flags_are_durations() {
        assert_eq!(durations(&[]), [1_000, 10_000, 3_000]);
        let args = ["--follow.poll-interval=50ms", "--follow.rotate-wait=0"];
        assert_eq!(durations(&args), [50, 0, 3_000]);
        assert_eq!(durations(&["--follow.idle-check=1m30s"]), [1_000, 10_000, 90_000]);
        assert_eq!(durations(&["--follow.poll-interval=0s"]), [10, 10_000, 3_000]);
        assert!(Program::try_parse_from(["program", "--follow.rotate-wait=1000"]).is_err());
    }

    #[test]
    fn old_spellings_still_work() {
        let args = ["--follow.poll-interval-ms=50", "--follow.rotate-wait-ms=0"];
        assert_eq!(durations(&args), [50, 0, 3_000]);
        assert_eq!(durations(&["--follow.idle-check-ms=90000"]), [1_000, 10_000, 90_000]);
    }
}
