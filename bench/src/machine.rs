//! What the figures depend on besides the programs: the machine, how busy it is, and which sources
//! were built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{cpu, docs};

/// What stands above every table.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// How many processes wanted to run in the last minute, before anything was measured.
    pub load: f64,
    /// The profile that the programs were built with.
    pub profile: String,
    /// The commit, with a plus sign behind it if files differ from it.
    pub commit: String,
}

impl Machine {
    /// This one, now.
    pub fn now() -> Self {
        Self {
            processor: cpu::model(),
            processors: cpu::count(),
            load: load(),
            profile: profile(),
            commit: commit(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, processors, load, profile, commit } = self;
        write!(f, "{processors} processors, {processor}; load average at the start {load:.1}; ")?;
        write!(f, "logtally {}, commit {commit}, profile `{profile}`", env!("CARGO_PKG_VERSION"))
    }
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

fn profile() -> String {
    let folder = programs().ok();
    let name = folder.as_deref().and_then(Path::file_name).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(docs::repository()).args(args).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".into() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|files| files.is_empty()) { commit } else { commit + "+" }
}

/// The folder of the programs that were built with this one.
pub fn programs() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let mut above = program.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
    Ok(above.next().context("this program lies in no folder")?.to_owned())
}

/// A folder for what is made once and used by many runs.
pub fn kept(name: &str) -> Result<PathBuf> {
    let programs = programs()?;
    let folder = programs.parent().context("the programs lie in no folder")?.join(name);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Where a program of the search path lies.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether a program is on the search path.
pub fn has(program: &str) -> bool {
    find(program).is_some()
}

/// Whether a command ends without an error; what it says is not shown.
pub fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
