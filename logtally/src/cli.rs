//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::check::CheckArgs;
use crate::commands::completions::{CompletionsArgs, ManArgs};
use crate::commands::doctor::DoctorArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::forget::ForgetArgs;
use crate::commands::healthcheck::HealthcheckArgs;
use crate::commands::push::PushArgs;
use crate::commands::samples::TestArgs;
use crate::commands::series::SeriesArgs;
use crate::commands::sources::SourcesArgs;
use crate::commands::verify::VerifyArgs;
use crate::run::RunArgs;

/// Counts log lines exactly once, for Prometheus.
#[derive(Parser, Clone, Debug)]
#[command(name = "logtally", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the command can do.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Follow log files, take pushed records, and serve the counts, all in one process.
    Run(Box<RunArgs>),
    /// Push files, or standard input, to an ingest that counts them.
    Push(Box<PushArgs>),
    /// Check a configuration; exits with 3 if it is not valid.
    Check(CheckArgs),
    /// Show how a line is counted: its columns, rules and series, or why it is rejected.
    Explain(Box<ExplainArgs>),
    /// Count sample lines and compare the series with those that are expected.
    Test(TestArgs),
    /// Show what is read and up to where; rewind or forget a source.
    Sources(Box<SourcesArgs>),
    /// Show the largest series, and the labels with the most values.
    Series(SeriesArgs),
    /// Remove series from a store for good.
    Forget(ForgetArgs),
    /// Look for problems in the configuration, the files, the store and running processes.
    Doctor(DoctorArgs),
    /// Count files again and compare the result with a store or a page.
    Verify(Box<VerifyArgs>),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual pages, or write them into a folder.
    Man(ManArgs),
    /// Ask a running program whether it is healthy; exits with 0 if it is.
    Healthcheck(HealthcheckArgs),
}

const EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder and serve http://localhost:8000/metrics:
    logtally run 'logs/*.csv'
  Count once, print the result, exit:
    logtally run --once 'logs/*.csv'";
