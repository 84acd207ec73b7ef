//! From bytes to what a delta counts.
//!
//! Data flows one way: a [`plan`] has [`input`]s, a [`reading`] is one of them for one source, [`records`]
//! walks over the records of a piece of text, and [`tally`] counts them.
//!
//! Never opens, reads or waits for anything: bytes come in, increments go out.

pub mod input;
pub mod pattern;
pub mod plan;
pub mod push_inputs;
pub mod reading;
pub mod records;
pub mod tally;

mod count_path;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
