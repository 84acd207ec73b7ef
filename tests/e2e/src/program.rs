//! A program under test: a real process with captured output, real signals, and a certain end.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::binaries::binary;
use crate::wait::{holds, until};

/// How long a program may take to stop after a polite signal: its drain time and a busy machine.
pub const STOP: Duration = Duration::from_secs(20);

/// A process that can be started again with the same arguments.
pub struct Program {
    name: String,
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    output: PathBuf,
    stdin: Option<PathBuf>,
    child: Option<Child>,
}

impl Program {
    /// A program of this workspace that is not started yet. Its output goes to `<name>.log` in
    /// `folder`, which is shown if the test fails.
    pub fn new(folder: &Path, name: &str, program: &str) -> Self {
        Self::at(folder, name, binary(program))
    }

    /// Any installed program.
    pub fn at(folder: &Path, name: &str, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            output: folder.join(format!("{name}.log")),
            stdin: None,
            child: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// Adds an environment variable. Nothing else but the search path is passed on.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives the program a file as its standard input.
    #[must_use]
    pub fn stdin(mut self, file: impl Into<PathBuf>) -> Self {
        self.stdin = Some(file.into());
        self
    }

    /// Starts the process, for the first time or again.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} is running already", self.name);
        let output = OpenOptions::new().create(true).append(true).open(&self.output);
        let output = output.expect("a file for the output");
        let child = self
            .command()
            .stdin(self.input())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn();
        self.child = Some(child.unwrap_or_else(|e| panic!("{}: {e}", self.path.display())));
    }

    /// Lets the program run to its end and returns what it said. It is killed, and the test fails,
    /// if it is not done in time.
    pub fn run(mut self, within: Duration) -> Finished {
        let (stdout, stderr) = (scratch_file(), scratch_file());
        let child = self
            .command()
            .stdin(self.input())
            .stdout(stdout.try_clone().expect("a second handle"))
            .stderr(stderr.try_clone().expect("a second handle"))
            .spawn();
        self.child = Some(child.unwrap_or_else(|e| panic!("{}: {e}", self.path.display())));
        let status = self.wait(within);
        Finished { status, stdout: read_all(stdout), stderr: read_all(stderr) }
    }

    fn input(&self) -> Stdio {
        let open = |path| File::open(path).expect("the file for standard input");
        self.stdin.as_ref().map_or_else(Stdio::null, |path| open(path).into())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // Variables of the caller (log levels, telemetry, settings) would change what is tested.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(&self.args).envs(self.env.iter().cloned());
        command
    }

    /// The process id while it runs.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap_or_else(|| panic!("{} is down", self.name)).id()
    }

    /// Ends the process without notice (SIGKILL).
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap_or_else(|| panic!("{} is down", self.name));
        child.kill().expect("sending SIGKILL");
        child.wait().expect("the end of a killed process");
    }

    /// Kills the process and starts it again at once.
    pub fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Freezes the process (SIGSTOP).
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    pub fn interrupt(&mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.wait(STOP)
    }

    /// Sends SIGTERM, as a supervisor does, and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(STOP)
    }

    /// Sends SIGHUP, which asks for a reload.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a process id");
        kill_process(pid, signal).unwrap_or_else(|e| panic!("signalling {}: {e}", self.name));
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        until(&format!("the end of {}", self.name), within, || {
            self.ended().ok_or_else(|| "still running".to_owned())
        })
    }

    /// Whether it was started, and neither killed nor seen to have ended.
    pub fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// How the process has ended by itself, if it has. It can be started again then.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut().unwrap_or_else(|| panic!("{} is down", self.name));
        let status = child.try_wait().expect("a child's state")?;
        self.child = None;
        Some(status)
    }

    /// Panics if the process has ended by itself.
    pub fn assert_running(&mut self) {
        let ended = self.ended();
        assert!(ended.is_none(), "{} has ended by itself: {ended:?}", self.name);
    }

    /// Everything that the process wrote since its first start.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until the process has written `text`.
    pub fn wait_for_output(&self, text: &str, within: Duration) {
        until(&format!("{} says {text:?}", self.name), within, || {
            holds(self.output().contains(text), || "not written".to_owned())
        });
    }

    /// The largest memory (resident, KiB) that the process has had so far; `None` once it has ended.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    fn show_output(&self) {
        const LINES: usize = 40;
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let shown = lines.len().saturating_sub(LINES);
        eprintln!("--- last lines of {} ---", self.name);
        for line in &lines[shown..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            self.show_output();
        }
    }
}

/// What a program that has ended said.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code; a death by signal fails the test.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }
}

fn scratch_file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

fn read_all(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("the beginning of a file");
    file.read_to_end(&mut bytes).expect("a readable file");
    String::from_utf8_lossy(&bytes).into_owned()
}
