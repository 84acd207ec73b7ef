//! A source: an ordered stream of records with positions, and what the store remembers of it.
//!
//! This module never reads a file: it only says what identifies one and what its state is.

mod id;

mod name;

mod state;

pub use id::{InvalidSourceId, SourceId};
pub use name::{Digest, FileName, SourceName};
pub use state::{CorruptState, Generation, RecordCounts, SourceEnd, SourceState, Tail};
