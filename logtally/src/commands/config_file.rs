//! The configuration that a command looks at: a file, or the default rule.

use std::path::PathBuf;

use logtally_config::Config;
use logtally_count::plan::Plan;
use logtally_service::{EXIT_CONFIG, ExitError};

/// Where the configuration is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// The configuration (YAML): inputs, formats and rules. Without it, records are counted by `host` and
    /// `job_name`.
    #[arg(long = "config.file", env = "LOGTALLY_CONFIG_FILE", value_name = "FILE")]
    pub(crate) config_file: Option<PathBuf>,
}

impl ConfigFile {
    /// Loads the configuration and compiles it; exit code 3 and all errors if it is not valid.
    pub(crate) fn load(&self, files: &[String]) -> anyhow::Result<(Config, Plan)> {
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
