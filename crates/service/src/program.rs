//! What surrounds a program's `run` function: arguments, runtime, the last error line, exit code.
//!
//! Must never know which program it starts, nor install anything global: logs and signals belong to
//! `run`, which a test calls without this module.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

use crate::text::one_line;

/// The program was started correctly and then failed: an address in use, a store out of reach.
///
/// Starting it again may help.
pub const EXIT_FAILURE: u8 = 1;

/// The command line is wrong: starting again without a change cannot help.
///
/// The same code that clap uses for arguments that it rejects.
pub const EXIT_USAGE: u8 = 2;

/// The configuration file is wrong; the error shows where.
pub const EXIT_CONFIG: u8 = 3;

/// An assertion of the program failed, and it ended at once.
///
/// The code with which Rust programs end on a panic in their main thread.
pub const EXIT_PANIC: u8 = 101;

/// An error that chooses the exit code of its program.
///
/// Any other error ends a program with [`EXIT_FAILURE`].
#[derive(Debug)]
pub struct ExitError {
    code: u8,
    source: anyhow::Error,
    is_report: bool,
}

impl ExitError {
    /// `source`, ending the program with `code`.
    pub fn new(code: u8, source: impl Into<anyhow::Error>) -> Self {
        Self { code, source: source.into(), is_report: false }
    }

    /// A text of several lines that is printed as it is, ending the program with `code`.
    pub fn report(code: u8, text: impl fmt::Display) -> Self {
        Self { code, source: anyhow::Error::msg(text.to_string()), is_report: true }
    }

    /// A mistake in the command line or the configuration: [`EXIT_USAGE`].
    pub fn usage(source: impl Into<anyhow::Error>) -> Self {
        Self::new(EXIT_USAGE, source)
    }

    /// The exit code of the program.
    pub fn code(&self) -> u8 {
        self.code
    }
}

// Shows as its source and has its source's sources, so that it adds no line to a chain.
impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for ExitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// The whole of a `main` function: parses the arguments, runs `run` on a multi-threaded runtime,
/// and turns its result into an exit code, an error also into one line on stderr.
///
/// ```no_run
/// # use std::process::ExitCode;
/// #[derive(clap::Parser)]
/// struct Args {}
///
/// async fn run(_args: Args) -> anyhow::Result<()> {
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     logtally_service::main_with(run)
/// }
/// ```
pub fn main_with<A, F>(run: F) -> ExitCode
where
    A: Parser,
    F: AsyncFnOnce(A) -> anyhow::Result<()>,
{
    let args = A::parse();
    end_on_panic();
    match block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Unlike `eprintln!` this does not panic, and so change the exit code, without a stderr.
            let _ = writeln!(io::stderr(), "{}", final_message(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// Ends the process on any panic, after the panic was reported.
///
/// An assertion that fails in one task would otherwise leave a process that looks alive and does
/// only a part of its work. Ending at any moment is safe: the next process goes on from the store.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::exit(i32::from(EXIT_PANIC));
    }));
}

fn block_on(future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow::Error::new(error).context("cannot start the runtime"))?;
    let result = runtime.block_on(future);
    // A blocking call that hangs (a read from a dead network disk) must not keep the process.
    runtime.shutdown_background();
    result
}

fn final_message(error: &anyhow::Error) -> String {
    match error.downcast_ref::<ExitError>() {
        Some(report) if report.is_report => report.to_string().trim_end().to_owned(),
        _ => error_line(error),
    }
}

/// The error and its causes on one line, whatever their texts contain.
fn error_line(error: &anyhow::Error) -> String {
    format!("error: {}", one_line(&format!("{error:#}")))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<ExitError>().map_or(EXIT_FAILURE, ExitError::code)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn the_error_line_has_every_cause_and_no_line_break() {
        let error = anyhow!("broken pipe\r\nerror: forged\n").context("cannot write /x");
        assert_eq!(error_line(&error), "error: cannot write /x: broken pipe error: forged");
    }

    #[test]
    fn an_exit_error_adds_no_text_of_its_own() {
        let error = ExitError::usage(anyhow!("no such key").context("cannot read rules.yml"));
        assert_eq!(error_line(&error.into()), "error: cannot read rules.yml: no such key");
    }

    #[test]
    fn a_report_is_shown_as_it_is() {
        let report = ExitError::report(EXIT_CONFIG, "error: bad\n  | line\n").into();
        assert_eq!(final_message(&report), "error: bad\n  | line");
        assert_eq!(exit_code(&report), EXIT_CONFIG);
    }

    #[test]
    fn exit_codes() {
        let usage = || ExitError::usage(anyhow!("bad"));
        assert_eq!(exit_code(&anyhow!("plain")), EXIT_FAILURE);
        assert_eq!(exit_code(&usage().into()), EXIT_USAGE);
        assert_eq!(exit_code(&Err::<(), _>(usage()).context("outer").expect_err("is Err")), 2);
        assert_eq!(exit_code(&ExitError::new(7, anyhow!("bad")).into()), 7);
    }
}
