//! The benchmarks, one subcommand each. They start the real programs, which must have been built in
//! the same profile, and measure them from outside; a figure that is not exact to the line is an error.
//!
//! Must never share code with what is measured, except for the messages on the wire, and for the
//! public traits of the crates that the programs use, where these are what is measured.

#![allow(unreachable_pub, reason = "a program: nobody outside can use anything of it")]

mod files;

mod growth;

mod push;

mod store;

mod scrape;

mod latency;

mod child;

mod client;

mod cpu;

mod process;

mod series;

mod writer;

mod machine;

mod docs;

mod outcome;

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
    /// What commits cost Redis, and what stored counts take: against one HINCRBY per increment.
    Store(store::Args),
    /// What scrapes of very many series cost: an exporter against the encoders of client libraries.
    Scrape(scrape::Args),
    /// How soon what is counted is on the page, and what reading large files takes of the memory.
    Latency(latency::Args),
    /// The other side of `push`, as a process of its own.
    #[command(hide = true)]
    PushBaseline(push::baseline::Args),
    /// The other side of `scrape`, as a process of its own.
    #[command(hide = true)]
    ScrapePeer(scrape::peer::Args),
    /// Runs a command to its end and writes down what it has cost.
    #[command(hide = true)]
    Launch(child::Launch),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Files(args) => files::run(&args),
        Command::Growth(args) => growth::run(&args),
        Command::Push(args) => push::run(&args),
        Command::Store(args) => store::run(&args),
        Command::Scrape(args) => scrape::run(&args),
        Command::Latency(args) => latency::run(&args),
        Command::PushBaseline(args) => push::baseline::run(&args).map(|()| true),
        Command::ScrapePeer(args) => scrape::peer::run(&args).map(|()| true),
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
