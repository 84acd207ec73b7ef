//! Formats: from bytes to records, and from a record to its cells. Pure functions over byte slices;
//! never reads a file and knows no rules.
//!
//! [`Format`] is a compiled [`spec::FormatSpec`]. What it decides depends on the bytes alone, never
//! on how they were cut into reads. The `recount` crate reads the same formats a second time, simply
//! and without this code; the two are held against each other in tests and by `logtally verify`.

mod cells;
pub mod csv;
mod error;
mod expression;
mod format;
mod grok;
mod json;
mod layout;
mod logfmt;
pub mod spec;

pub use cells::{Cells, LINE};
pub use csv::Scan;
pub use error::FormatError;
pub use format::Format;
pub use grok::standard_patterns;
pub use layout::Layout;
