//! CSV by RFC 4180 and its dialects, as pure functions over byte slices: where a record ends, and what its fields are.
//!
//! Never reads a file and never allocates per record. The rules where the RFC is silent:
//!
//! - LF ends a record, and a CR just before it belongs to the end. A lone CR is data.
//! - A quote opens a quoted field only at the field's first byte; elsewhere it is data. Text after a
//!   closing quote is data, too.
//! - An empty line is no record, nor is a comment, which is one physical line whatever is in it.
//! - An escape takes the next byte of a quoted field as it is; outside quotes it is data.
//! - A record above the limit is rejected once. A quote that is not closed within the limit or before
//!   the end of the file rejects that physical line alone; reading resumes at the next line.
//!
//! All of that depends on the bytes alone, never on how they were cut into reads, so a second reader
//! and a recount come to the same result.

mod dialect;
mod fields;
mod marks;
mod scan;
mod table;

pub use dialect::Dialect;
pub use fields::{Field, Fields};
pub use marks::{Delimiters, Marks};
pub use scan::Scan;
pub(crate) use scan::{scan_in, scan_line};
pub(crate) use table::Table;
