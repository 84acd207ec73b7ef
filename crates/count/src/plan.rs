//! The plan: what is read, how it is parsed, and what is counted, compiled from a configuration.
//!
//! A plan never changes. A reload makes another one, and each reading step works with one plan from
//! its first record to its last, so that every record is under exactly one set of rules.

use std::sync::Arc;

use logtally_config::{Config, ConfigError};

use crate::input::Input;
use crate::push_inputs::PushInputs;

/// Everything that is read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The inputs; a file belongs to the first one whose patterns match it.
    pub inputs: Vec<Arc<Input>>,
    /// What pushed records may name.
    pub push: PushInputs,
    /// Rejected records kept per reason.
    pub samples_per_reason: usize,
}

impl Plan {
    /// Compiles a configuration. Inputs without files get those of the command line.
    pub fn compile(config: &Config, files: &[String]) -> Result<Self, ConfigError> {
        let mut errors: Option<ConfigError> = None;
        let mut inputs = Vec::new();
        for (index, spec) in config.inputs.iter().enumerate() {
            match Input::compile(config, index, spec, files) {
                Ok(input) => inputs.push(Arc::new(input)),
                Err(error) => {
                    errors = Some(match errors {
                        Some(before) => before.and(error),
                        None => error,
                    });
                }
            }
        }
        if let Some(errors) = errors {
            return Err(errors);
        }
        let push = PushInputs::compile(config, &inputs);
        Ok(Self { inputs, push, samples_per_reason: config.samples_per_reason })
    }

    /// The default rule over these files.
    ///
    /// # Panics
    /// Never: the default rule is valid, and files without placeholders are.
    pub fn of_files(files: &[String]) -> Result<Self, ConfigError> {
        Self::compile(&Config::default(), files)
    }
}
