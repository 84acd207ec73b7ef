//! The benchmarks, one subcommand each. They start the real programs, which must have been built in
//! the same profile, and measure them from outside; a figure that is not exact to the line is an error.
//!
//! Must never share code with what is measured, except for the messages on the wire.

mod files;

mod growth;

mod push;

mod child;

mod cpu;

mod machine;

mod docs;

mod output;

mod stats;

mod svg;

mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Benchmarks of logtally.
#[derive(Parser, Debug)]
#[command(name = "logtally-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// What counting files costs, against others that do the same.
    Files(files::Args),
    /// What becomes of the cost when there are more files, series, partitions or exporters.
    Growth(growth::Args),
    /// What pushed lines cost: an ingest against one message per line on the same gRPC library.
    Push(push::Args),
    /// The other side of `push`, as a process of its own.
    #[command(hide = true)]
    PushBaseline(push::baseline::Args),
    /// Runs a command to its end and writes down what it has cost.
    #[command(hide = true)]
    Launch(child::Launch),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Files(args) => files::run(&args),
        Command::Growth(args) => growth::run(&args),
        Command::Push(args) => push::run(&args),
        Command::PushBaseline(args) => push::baseline::run(&args).map(|()| true),
        Command::Launch(args) => child::launch(&args).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
