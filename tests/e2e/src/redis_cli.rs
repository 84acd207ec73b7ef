//! Looking into Redis, and meddling with it, the way an operator does.

use std::process::Command;

/// Runs a command on a Redis of this machine and returns the lines of the answer. An error of Redis
/// fails the test.
pub fn redis_cli(port: u16, command: &[&str]) -> Vec<String> {
    let output = Command::new("redis-cli")
        .args(["-e", "-p", &port.to_string()])
        .args(command)
        .output()
        .expect("redis-cli, which comes with redis-server");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{command:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
