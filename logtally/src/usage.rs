//! Mistakes in the command line.

use logtally_service::ExitError;

/// An error of the command line.
pub(crate) fn usage(text: impl Into<String>) -> anyhow::Error {
    ExitError::usage(anyhow::Error::msg(text.into())).into()
}
