//! logtally as one process: `run --once` with a fresh embedded store.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use logtally_e2e::binaries::binary;

use super::data::Data;
use crate::child::{Spent, Task};

/// Threads that read, and whether all of the process is held on one processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    /// One thread, one processor.
    One,
    /// Two threads, all processors.
    Two,
}

/// Counts a file. With `result`, the page is kept there.
pub fn count(data: &Data, threads: Threads, quiet: bool, result: Option<&Path>) -> Result<Spent> {
    count_files(&data.path, threads, quiet, result)
}

/// Counts the files of a glob.
pub fn count_files(
    files: &Path,
    threads: Threads,
    quiet: bool,
    result: Option<&Path>,
) -> Result<Spent> {
    let store = tempfile::tempdir()?;
    let task = Task::new(binary("logtally"))
        .args(["run", "--once", "--log.level", "error", "--store"])
        .arg(format!("embedded:{}", store.path().join("store").display()));
    let task = match threads {
        Threads::One => task.args(["--follow.workers", "1"]).on_one_processor(),
        Threads::Two => task.args(["--follow.workers", "2"]),
    };
    let task = match result {
        Some(result) => task.stdout(result),
        None if quiet => task.arg("--quiet"),
        None => task,
    };
    task.arg(files).run()
}

/// Whether the page at the end can be left out.
pub fn can_be_quiet() -> bool {
    let help = Command::new(binary("logtally")).args(["run", "--help"]).output();
    help.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("--quiet"))
}
