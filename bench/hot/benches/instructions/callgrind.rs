//! Runs a case under callgrind, and reads what it says.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use logtally_hot::CASES;

/// What was counted.
pub(crate) struct Count {
    /// Instructions per unit.
    pub instructions: f64,
    /// What the processor can do that callgrind shows to the program.
    pub features: String,
}

/// Counts a case, the preparation not included.
pub(crate) fn count(index: usize) -> Result<Count> {
    let case = &CASES[index];
    // At the same time: whatever else runs does not change the counts.
    let (once, twice) = (start(index, case.repetitions)?, start(index, 2 * case.repetitions)?);
    let (features, once) = finish(once)?;
    let (_, twice) = finish(twice)?;
    let units = case.units * u64::from(case.repetitions);
    let loops = twice.checked_sub(once).context("twice as much takes less")?;
    Ok(Count { instructions: loops as f64 / units as f64, features })
}

fn start(case: usize, repetitions: u32) -> Result<Child> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", &case.to_string(), &repetitions.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("valgrind does not start: apt-get install valgrind")
}

/// The first line of the output, and the instructions.
fn finish(child: Child) -> Result<(String, u64)> {
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind has failed:\n{said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, collected) = line.with_context(|| format!("no count:\n{said}"))?;
    let features = String::from_utf8_lossy(&output.stdout);
    Ok((features.lines().next().unwrap_or_default().to_owned(), collected.trim().parse()?))
}
