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
    pub command: Command,
}

/// What the command can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Follow CSV logs and serve their counts, all in one process.
    Run(Box<RunArgs>),
    /// Push files, or standard input, to an ingest that counts them.
    Push(Box<PushArgs>),
    /// Check a configuration; exits 3 if it is not valid.
    Check(CheckArgs),
    /// Show what becomes of a line: columns, rules, series, or why it is rejected.
    Explain(Box<ExplainArgs>),
    /// Compare what sample lines give with what they must give.
    Test(TestArgs),
    /// Show what is read and how far; rewind or forget a source.
    Sources(Box<SourcesArgs>),
    /// Show the largest series, and labels with many values.
    Series(SeriesArgs),
    /// Remove series from a store for good.
    Forget(ForgetArgs),
    /// Look for what may be wrong: configuration, files, store, processes.
    Doctor(DoctorArgs),
    /// Count files again and compare with what a store or a page has.
    Verify(Box<VerifyArgs>),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual pages, or write them into a folder.
    Man(ManArgs),
    /// Ask a running program whether it is healthy; exits 0 if it is.
    Healthcheck(HealthcheckArgs),
}

const EXAMPLES: &str = "\
Examples:
  Follow all logs of a folder and serve http://localhost:8000/metrics:
    logtally run 'logs/*.csv'
  Count once, print the result, exit:
    logtally run --once 'logs/*.csv'";
