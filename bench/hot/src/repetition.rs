//! What is done again and again.

use anyhow::Result;

/// One repetition of a loop, on data that are prepared.
pub type Repetition = Box<dyn FnMut() -> Result<()>>;
