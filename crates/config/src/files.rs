//! Reading the files that a configuration names. Must never open one itself: whoever loads a
//! configuration says where its files are.

use std::io;

/// Reads a file that the configuration names.
pub(crate) type Files<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Why a file cannot be read, without the system's error number, which says nothing to most people.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}
