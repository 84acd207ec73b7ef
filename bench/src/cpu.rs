//! The processor time of another process, as the system accounts for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// User and system time of all threads of a process, those that have ended included, to the
/// nanosecond: `/proc/PID/stat` has hundredths of a second, which is what a whole scrape may take.
pub fn used(pid: u32) -> Result<Duration> {
    let time = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).and_then(clock_gettime);
    let time = time.with_context(|| format!("the processor time of process {pid}"))?;
    Ok(Duration::new(time.tv_sec().cast_unsigned(), time.tv_nsec().cast_unsigned() as u32))
}

/// [`used`] in seconds.
pub fn seconds(pid: u32) -> Result<f64> {
    used(pid).map(|used| used.as_secs_f64())
}

/// Memory of a process that is resident now (bytes).
pub fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no resident memory in {path}"))? << 10)
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
    fn the_time_of_this_process_grows_with_what_it_does() {
        let me = std::process::id();
        let before = used(me).expect("readable");
        let mut n = 0_u64;
        while used(me).expect("readable") < before + Duration::from_millis(5) {
            n = std::hint::black_box(n + 1);
        }
        assert!(n > 0);
    }

    #[test]
    fn the_memory_of_this_process_is_more_than_its_code() {
        assert!(resident(std::process::id()).expect("readable") > 1 << 20);
    }
}
