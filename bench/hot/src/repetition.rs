//! What is done again and again.

use anyhow::Result;

/// One repetition of a loop, on data that are prepared.
pub(crate) type Repetition = Box<dyn FnMut() -> Result<()>>;
