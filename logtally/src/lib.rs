//! The `logtally` command line, and the one-process form: ingest, aggregator and exporter over one
//! store, with nothing to install and nothing to configure.

pub mod cli;

pub mod run;

pub mod store;

pub mod healthcheck;

pub use cli::Cli;

/// Carries out a command.
pub async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        cli::Command::Run(args) => run::run(*args).await,
        cli::Command::Healthcheck(args) => healthcheck::healthcheck(&args).await,
    }
}
