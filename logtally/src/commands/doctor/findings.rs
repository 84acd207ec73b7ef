//! What was found, a line each.

use serde::Serialize;

use crate::output::one_line;

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Ok,
    Warning,
    Error,
    Skipped,
}

/// A check and what it found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    status: Status,
    message: String,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, status: Status, message: impl Into<String>) {
        self.0.push(Finding { check, status, message: one_line(&message.into()) });
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message);
    }

    pub(super) fn warning(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Warning, message);
    }

    pub(super) fn error(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Error, message);
    }

    pub(super) fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Skipped, message);
    }

    pub(super) fn render(&self) -> String {
        let line = |Finding { check, status, message }: &Finding| {
            let status = format!("{status:?}").to_lowercase();
            format!("{status:<8} {check:<14} {message}\n")
        };
        self.0.iter().map(line).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Finding] {
        &self.0
    }

    /// How many are errors.
    pub(super) fn errors(&self) -> u64 {
        self.0.iter().filter(|finding| finding.status == Status::Error).count() as u64
    }
}
