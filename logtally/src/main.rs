//! The `logtally` command.

use std::process::ExitCode;

use logtally::{Cli, dispatch};

fn main() -> ExitCode {
    logtally_service::main_with(|cli: Cli| dispatch(cli))
}
