//! The `logtally` command line, and the one-process form: ingest, aggregator and exporter over one
//! store, with nothing to install and nothing to configure.

mod cli;

mod run;

mod store;

mod usage;

mod commands;

mod pipeline;

mod http;

mod output;

mod page;

mod selector;

mod series;

use clap::CommandFactory;

pub use cli::Cli;

/// Carries out a command.
pub async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        cli::Command::Run(args) => run::run(*args).await,
        cli::Command::Push(args) => commands::push::push(&args).await,
        cli::Command::Check(args) => commands::check::check(&args),
        cli::Command::Explain(args) => commands::explain::explain(&args).await,
        cli::Command::Test(args) => commands::samples::test(&args).await,
        cli::Command::Sources(args) => commands::sources::sources(&args).await,
        cli::Command::Series(args) => commands::series::series(&args).await,
        cli::Command::Forget(args) => commands::forget::forget(&args).await,
        cli::Command::Doctor(args) => commands::doctor::doctor(&args).await,
        cli::Command::Verify(args) => commands::verify::verify(&args).await,
        cli::Command::Completions(args) => {
            commands::completions::completions(&args, Cli::command())
        }
        cli::Command::Man(args) => commands::completions::man(&args, Cli::command()),
        cli::Command::Healthcheck(args) => commands::healthcheck::healthcheck(&args).await,
    }
}
