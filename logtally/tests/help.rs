//! The command line as the program shows it: every command has a help with examples.

use std::process::Command;

#[test]
fn every_command_has_help_with_examples() {
    let commands = [
        "run",
        "push",
        "check",
        "explain",
        "test",
        "sources",
        "series",
        "forget",
        "doctor",
        "verify",
        "completions",
        "man",
    ];
    for command in commands {
        let output =
            Command::new(env!("CARGO_BIN_EXE_logtally")).args([command, "--help"]).output();
        let output = output.expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}");
        assert!(text.contains("Examples:\n"), "{command}: {text}");
    }
}
