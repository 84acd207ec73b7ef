//! The program `logtally-exporter`.

use std::process::ExitCode;

fn main() -> ExitCode {
    logtally_service::main_with(logtally_exporter::run)
}
