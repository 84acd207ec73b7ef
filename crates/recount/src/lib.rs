//! A second reading of every format: simple, slow, and without the code that counts.
//!
//! What is wrong in one of the two shows when they are compared: `logtally verify` does so on real
//! files, [`agree`] on generated ones. So nothing here may ever use a parser of the `formats` crate;
//! the two share what a format *is* (specifications, reasons, limits), not how it is read.
//!
//! The semantics, in one place:
//!
//! - A record ends with LF outside quotes; a CR before it belongs to the end. An empty line and a
//!   comment are no records. A byte-order mark at the beginning belongs to nothing.
//! - If a record has no end within the limit and one byte, it is rejected: inside quotes as
//!   `unclosed_quote`, and the next line is looked at again; otherwise as `oversized`, up to the first
//!   LF at or behind the limit. The end of the input ends a record, too, unless inside quotes.
//! - Headers are not yielded.

pub mod agree;
mod ahead;
mod csv;
mod error;
mod expression;
mod json;
mod logfmt;
mod reading;
mod record;

pub use error::RecountError;
pub use reading::{Records, Recount};
pub use record::{Record, Values};
