//! The aggregator's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    logtally_service::main_with(logtally_aggregator::run)
}
