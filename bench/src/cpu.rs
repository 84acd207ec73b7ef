//! The processor time of another process, as the system accounts for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Length of the unit of `/proc/PID/stat`: what Linux shows to programs is a hundredth of a second on
/// every machine.
const TICK: Duration = Duration::from_millis(10);

/// Places of the user and the system time behind the name of the program, which ends with the last
/// parenthesis and may contain anything; and those of children that have ended.
const TIMES: [usize; 2] = [11, 12];
const TIMES_OF_CHILDREN: [usize; 2] = [13, 14];

/// User and system time of all threads of a process, those that have ended included.
pub fn used(pid: u32) -> Result<Duration> {
    used_at(pid, &TIMES)
}

/// The same with all processes that it has started and that have ended, as Redis starts one to rewrite
/// its log.
pub fn used_with_children(pid: u32) -> Result<Duration> {
    used_at(pid, &[TIMES, TIMES_OF_CHILDREN].concat())
}

fn used_at(pid: u32, times: &[usize]) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    ticks(&text, times)
        .map(|ticks| TICK * ticks)
        .with_context(|| format!("{path} is not readable: {text}"))
}

/// User and system time of the threads that a process has now (seconds), as exactly as the system
/// knows it: for differences that are shorter than what [`used`] can show.
pub fn exactly_used(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(&path).with_context(|| path.clone())? {
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let first = text.split(' ').next().and_then(|first| first.parse::<u64>().ok());
        nanoseconds += first.unwrap_or_default();
    }
    Ok(nanoseconds as f64 / 1e9)
}

fn ticks(stat: &str, times: &[usize]) -> Option<u32> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    times.iter().map(|at| fields.get(*at)?.parse::<u32>().ok()).sum()
}

/// The largest memory (resident, bytes) that a process has had so far.
pub fn peak_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib << 10).with_context(|| format!("{path} says nothing of VmHWM"))
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
        assert_eq!(ticks(stat, &TIMES), Some(42));
        assert_eq!(ticks(stat, &TIMES_OF_CHILDREN), Some(11));
        assert_eq!(ticks("7 (a) S 1", &TIMES), None);
    }

    #[test]
    fn the_time_of_this_process_grows() {
        let before = used(std::process::id()).expect("readable");
        let mut n = 0_u64;
        while used(std::process::id()).expect("readable") == before {
            n = std::hint::black_box(n + 1);
        }
        assert!(exactly_used(std::process::id()).expect("readable") > 0.0);
    }
}
