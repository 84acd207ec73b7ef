//! Inputs for tests, of this crate and of those above it.

use std::sync::Arc;

use logtally_config::Config;

use crate::input::Input;
use crate::plan::Plan;
use crate::reading::Reading;

/// The first input of a configuration.
///
/// # Panics
/// If the configuration is not valid.
pub fn reading(yaml: &str) -> Reading {
    let files = |name: &str| Err(std::io::Error::other(name.to_owned()));
    let config = Config::parse("test.yaml", yaml, &files).expect("a valid configuration");
    let plan = Plan::compile(&config, &[]).expect("valid rules");
    Reading { input: Arc::clone(&plan.inputs[0]), path: Vec::new().into() }
}

/// The default rule.
pub fn default_reading() -> Reading {
    reading("")
}

/// Files under the default rule.
///
/// # Panics
/// If a pattern is not valid.
pub fn inputs(files: &[String]) -> Vec<Arc<Input>> {
    Plan::of_files(files).expect("valid files").inputs
}

/// The same reading, but its records take the slow path.
///
/// # Panics
/// If somebody else has the input.
pub fn on_slow_path(mut reading: Reading) -> Reading {
    let input = Arc::get_mut(&mut reading.input).expect("nobody else has the input");
    input.count_path = input.count_path.slow();
    reading
}
