//! A whole program on this kit, seen from outside: exit codes, signals, what is on stderr.
//!
//! The test starts itself as the program, which it is when a variable in its environment says so.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Parser, ValueEnum};
use logtally_service::{
    Context, ExitError, LogArgs, cancel_on_signal, init_telemetry, main_with, version,
};
use rustix::process::{Pid, Signal, kill_process};
use tracing::{info, info_span};

/// A program on the kit.
#[derive(Parser)]
struct Args {
    /// What to do
    #[arg(value_enum, default_value = "wait")]
    task: Task,

    #[command(flatten)]
    log: LogArgs,
}

#[derive(ValueEnum, Clone, Copy)]
enum Task {
    /// Wait for a signal
    Wait,
    /// Wait for a signal and do not heed it
    WaitForEver,
    /// Do something that is traced
    Work,
    /// Fail
    Fail,
    /// Find the configuration wrong
    Misconfigured,
}

async fn run(args: Args) -> anyhow::Result<()> {
    let context = Context::new("test-program", version());
    let _telemetry = init_telemetry("test-program", &args.log)?;
    cancel_on_signal(context.shutdown.clone());
    match args.task {
        Task::Wait => wait(&context).await,
        Task::WaitForEver => {
            wait(&context).await;
            std::future::pending::<()>().await;
        }
        Task::Work => info_span!(target: "logtally_test", "work").in_scope(|| ()),
        Task::Fail => return Err(anyhow!("disk\nfull").context("cannot write")),
        Task::Misconfigured => return Err(ExitError::usage(anyhow!("no such key")).into()),
    }
    Ok(())
}

async fn wait(context: &Context) {
    info!(version = version(), "waiting");
    context.shutdown.cancelled().await;
}

fn main() -> ExitCode {
    // What a test runner would pass (`--nocapture`, a filter) is for tests with names.
    if std::env::var_os(IS_PROGRAM).is_some() {
        return main_with(run);
    }
    failures_have_exit_codes_and_one_line();
    the_environment_is_checked();
    traces_that_nobody_takes_hold_nothing_up();
    a_signal_stops_the_program();
    a_second_signal_ends_it();
    ExitCode::SUCCESS
}

/// Set in the environment of the program.
const IS_PROGRAM: &str = "LOGTALLY_TEST_IS_PROGRAM";

struct Program {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Program {
    fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("known"));
        // Whatever the environment of the test says about logs and traces.
        command.env_clear().env(IS_PROGRAM, "1").envs(env.iter().copied());
        command.args(args).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, stderr }
    }

    /// The next line on stderr after its time.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).expect("readable");
        let (time, rest) = line.split_once(' ').expect("a log line");
        assert!(time.starts_with("ts=") && time.ends_with('Z'), "{line}");
        rest.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("running");
    }

    /// The exit code, and what is left on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).expect("readable");
        let status = self.child.wait().expect("waited for");
        (status.code(), rest)
    }
}

impl Drop for Program {
    /// A failed test leaves nothing running. After the end of the program this does nothing.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn check_end(args: &[&str], env: &[(&str, &str)], expect_code: i32, expect_stderr: &str) {
    let (code, stderr) = Program::start(args, env).end();
    assert_eq!((code, stderr.as_str()), (Some(expect_code), expect_stderr), "{args:?} {env:?}");
}

fn failures_have_exit_codes_and_one_line() {
    check_end(&["fail"], &[], 1, FAIL_LINE);
    check_end(&["misconfigured"], &[], 2, "error: no such key\n");
    let (code, stderr) = Program::start(&["--log.level=warning"], &[]).end();
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`warning` is not a level"), "{stderr}");
}

fn the_environment_is_checked() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "not an address");
    let (code, stderr) = Program::start(&[], &[endpoint]).end();
    assert_eq!(code, Some(2));
    let expect = "error: cannot export traces (to an http:// endpoint, over gRPC, without TLS): ";
    assert!(stderr.starts_with(expect) && stderr.lines().count() == 1, "{stderr}");
    check_end(&["fail"], &[endpoint, ("OTEL_SDK_DISABLED", "true")], 1, FAIL_LINE);
}

fn traces_that_nobody_takes_hold_nothing_up() {
    // Accepts connections, by its backlog, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("bound");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let begin = Instant::now();
    let mut program = Program::start(&["work"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let lost = "level=warn target=logtally_service::telemetry msg=\"the last spans may be lost\"";
    assert!(program.line().starts_with(lost));
    assert_eq!(program.end(), (Some(0), String::new()));
    // Five seconds are allowed; the export itself would give up after ten.
    assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());

    let (_, stderr) = Program::start(&["work"], &[]).end();
    assert_eq!(stderr, "", "no endpoint, no traces, no warning");
}

const FAIL_LINE: &str = "error: cannot write: disk full\n";

/// Starts the program and waits until it waits.
fn waiting(args: &[&str]) -> Program {
    let mut program = Program::start(args, &[]);
    let expect = format!("level=info target=process msg=waiting version={}", version());
    assert_eq!(program.line(), expect);
    program
}

fn a_signal_stops_the_program() {
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let mut program = waiting(&[]);
        program.signal(signal);
        let expect = format!(
            "level=info target=logtally_service::signal \
             msg=\"stopping, a second signal ends the process at once\" signal={name}"
        );
        assert_eq!(program.line(), expect);
        assert_eq!(program.end(), (Some(0), String::new()));
    }
}

fn a_second_signal_ends_it() {
    for (signal, name, code) in [(Signal::INT, "SIGINT", 130), (Signal::TERM, "SIGTERM", 143)] {
        let mut program = waiting(&["wait-for-ever"]);
        program.signal(Signal::TERM);
        assert!(program.line().contains("msg=\"stopping, "));
        program.signal(signal);
        let expect = format!(
            "level=warn target=logtally_service::signal msg=\"stopped at once\" signal={name}"
        );
        assert_eq!(program.line(), expect);
        assert_eq!(program.end(), (Some(code), String::new()));
    }
}
