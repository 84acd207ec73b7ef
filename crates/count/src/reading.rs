//! How one source is read: the input that it belongs to, and what its path says.

use std::sync::Arc;

use crate::input::Input;

/// How the records of a source are read: the input that it belongs to, and what its path says.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Format and rules.
    pub input: Arc<Input>,
    /// Values of the path's placeholders.
    pub path: Arc<[Option<String>]>,
}

impl Reading {
    /// Whether both count the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.input, &other.input) && self.path == other.path
    }
}
