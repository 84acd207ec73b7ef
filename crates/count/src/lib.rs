//! From bytes to what a delta counts.
//!
//! Data flows one way: a [`plan`] says what is read and counted, a [`reading`] is a plan's input for one
//! source, [`records`] walks over the records of a piece of text, and [`tally`] counts them.
//!
//! Never opens, reads or waits for anything: bytes come in, increments go out.

pub mod inputs;

pub mod pattern;

pub mod plan;

pub mod reading;

pub mod tally;

pub mod records;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
