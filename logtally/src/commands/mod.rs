//! The commands beside `run` and `healthcheck`, a module each. They look, compare, try out, repair and
//! push; a store is only ever changed by its documented compare-and-set calls, and only after `--yes`,
//! or by an ingest that is pushed to.

pub mod check;

pub mod explain;

pub mod samples;

pub mod sources;

pub mod series;

pub mod forget;

pub mod doctor;

pub mod verify;

pub mod push;

pub mod completions;

pub mod healthcheck;

use std::path::PathBuf;

use logtally_config::Config;
use logtally_count::plan::Plan;
use logtally_service::{EXIT_CONFIG, ExitError};

/// Where the configuration is.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ConfigFile {
    /// Inputs, formats and rules (YAML). Without it, the default rule counts by `host` and `job_name`.
    #[arg(long = "config.file", env = "LOGTALLY_CONFIG_FILE", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
}

impl ConfigFile {
    /// Loads the configuration and compiles it; exit code 3 and all errors if it is not valid.
    pub fn load(&self, files: &[String]) -> anyhow::Result<(Config, Plan)> {
        let config = match &self.config_file {
            Some(path) => Config::load(path),
            None => Ok(Config::default()),
        };
        let compiled = config.and_then(|config| {
            let plan = Plan::compile(&config, files)?;
            Ok((config, plan))
        });
        compiled.map_err(|error| ExitError::report(EXIT_CONFIG, error).into())
    }
}

/// An error of the command line.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    ExitError::usage(anyhow::Error::msg(text.into())).into()
}
