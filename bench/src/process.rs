//! What another process has used of a processor, to the nanosecond, and what it holds of the memory.
//! `cpu` counts in hundredths of a second, which is what a whole scrape may take.

use std::fs;

use anyhow::{Context as _, Result};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// User and system time of all threads of a process, those that have ended included (seconds).
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let time = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).and_then(clock_gettime);
    let time = time.with_context(|| format!("the processor time of process {pid}"))?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

/// Memory of a process that is resident now (bytes).
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no resident memory in {path}"))? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_this_process_grows_in_steps_that_are_short() {
        let now = || cpu_seconds(std::process::id()).expect("readable");
        let (begun, mut before, mut shortest) = (now(), now(), f64::MAX);
        // Other tests run in this process, too.
        while now() < begun + 0.05 {
            let after = now();
            if after > before {
                shortest = shortest.min(after - before);
            }
            before = after;
        }
        assert!(shortest < 0.001, "{shortest} s");
    }

    #[test]
    fn the_memory_of_this_process_grows_with_what_it_holds() {
        let me = std::process::id();
        let before = resident_bytes(me).expect("readable");
        let held = vec![1_u8; 64 << 20];
        let grown = resident_bytes(me).expect("readable") - before;
        assert!(std::hint::black_box(&held).len() as u64 / 2 < grown, "{grown} bytes");
    }
}
