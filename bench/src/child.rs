//! A command that runs to its end, and what it has cost: processor time of all its processes, wall
//! time, and the largest memory.
//!
//! Between this process and the command there is a small launcher, which is this program again. Linux
//! gives a new process the peak memory of the one that it was made from; that of the launcher is small
//! enough not to be seen in anything.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use wait4::Wait4 as _;

/// What a command has cost.
#[derive(Clone, Copy, Default, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Processor time in programs (seconds).
    pub user: f64,
    /// Processor time in the system for them (seconds).
    pub system: f64,
    /// From the start to the end (seconds).
    pub seconds: f64,
    /// The largest memory (resident, bytes).
    pub peak_bytes: u64,
}

impl Spent {
    /// All processor time (seconds).
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// A command that is not started yet.
#[derive(Clone, Debug)]
pub struct Task {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdout: Option<PathBuf>,
}

impl Task {
    /// A program without arguments. What it writes to its standard output is thrown away.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Self { program, args: Vec::new(), env: Vec::new(), stdout: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// Adds a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Keeps what it writes to its standard output.
    #[must_use]
    pub fn stdout(mut self, file: impl Into<PathBuf>) -> Self {
        self.stdout = Some(file.into());
        self
    }

    /// On one processor only, if there is a program for that.
    #[must_use]
    pub fn on_one_processor(mut self) -> Self {
        if crate::machine::has("taskset") {
            let program = std::mem::replace(&mut self.program, "taskset".into());
            self.args.splice(0..0, ["-c".into(), "0".into(), program]);
        }
        self
    }

    /// Runs it to its end. That it fails is an error, with what it said.
    pub fn run(&self) -> Result<Spent> {
        let folder = tempfile::tempdir()?;
        let (report, said) = (folder.path().join("report"), folder.path().join("stderr"));
        let stdout = match &self.stdout {
            Some(path) => File::create(path).with_context(|| path.display().to_string())?.into(),
            None => Stdio::null(),
        };
        let status = Command::new(std::env::current_exe()?)
            .args([OsStr::new("launch"), report.as_os_str(), OsStr::new("--")])
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(File::create(&said)?)
            .status()?;
        if !status.success() {
            bail!("{} failed: {}", self.name(), last_words(&said));
        }
        Ok(serde_json::from_slice(&fs::read(&report)?)?)
    }

    fn name(&self) -> String {
        Path::new(&self.program).file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The last line of the command that names an error, or else its last one, or else what the launcher
/// says, whose line comes behind it.
fn last_words(path: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let launcher = lines.next().unwrap_or_default();
    let own: Vec<&str> = lines.collect();
    let names_it = |line: &&&str| line.contains("Error:") || line.contains("error:");
    own.iter().find(names_it).or(own.first()).unwrap_or(&launcher).trim().to_owned()
}

/// Arguments of the launcher.
#[derive(clap::Args, Debug)]
pub struct Launch {
    /// Where the cost is written.
    report: PathBuf,
    /// What to run.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs a command to its end, and writes down what it has cost.
pub fn launch(args: &Launch) -> Result<()> {
    let Some((program, rest)) = args.command.split_first() else { bail!("no command") };
    let begun = Instant::now();
    let child = Command::new(program).args(rest).spawn();
    let ended = child.with_context(|| program.to_string_lossy().into_owned())?.wait4()?;
    ensure!(ended.status.success(), "{}: {}", program.to_string_lossy(), ended.status);
    let spent = Spent {
        user: ended.rusage.utime.as_secs_f64(),
        system: ended.rusage.stime.as_secs_f64(),
        seconds: begun.elapsed().as_secs_f64(),
        peak_bytes: ended.rusage.maxrss,
    };
    fs::write(&args.report, serde_json::to_vec(&spent)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_command_are_told_before_those_of_the_launcher() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("stderr");
        for (text, last) in [
            ("a\nb\n\nerror: x\n", "b"),
            ("Error: a\nb\nerror: x\n", "Error: a"),
            ("error: x\n", "error: x"),
            ("", ""),
        ] {
            fs::write(&path, text).expect("writing");
            assert_eq!(last_words(&path), last);
        }
    }

    #[test]
    fn a_launched_command_is_measured_and_its_failure_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let report = folder.path().join("report");
        let run = |script: &str| {
            let command = ["sh", "-c", script].map(OsString::from).to_vec();
            launch(&Launch { report: report.clone(), command })
        };
        assert!(run("exit 3").is_err());
        run("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").expect("it ends well");
        let spent: Spent =
            serde_json::from_slice(&fs::read(&report).expect("a report")).expect("JSON");
        assert!(spent.cpu() > 0.0 && spent.cpu() <= 2.0 * spent.seconds, "{spent:?}");
        assert!(spent.peak_bytes > 100_000, "{spent:?}");
    }
}
