//! The processor time of another process, as the system accounts for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Length of the unit of `/proc/PID/stat`: what Linux shows to programs is a hundredth of a second on
/// every machine.
const TICK: Duration = Duration::from_millis(10);

/// Places of the user and the system time behind the name of the program, which ends with the last
/// parenthesis and may contain anything.
const TIMES: [usize; 2] = [11, 12];

/// User and system time of all threads of a process, those that have ended included.
pub fn used(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    ticks(&text)
        .map(|ticks| TICK * ticks)
        .with_context(|| format!("{path} is not readable: {text}"))
}

fn ticks(stat: &str) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    TIMES.iter().map(|at| fields.get(*at)?.parse::<u32>().ok()).sum()
}

/// The name of the processor.
pub fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':'])).to_owned()
}

/// How many processors there are.
pub fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_are_taken_whatever_the_program_is_called() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 31 11 5 6 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn the_time_of_this_process_grows() {
        let before = used(std::process::id()).expect("readable");
        let mut n = 0_u64;
        while used(std::process::id()).expect("readable") == before {
            n = std::hint::black_box(n + 1);
        }
    }
}
