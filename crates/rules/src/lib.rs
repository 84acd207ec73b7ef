//! Rules: from a record's cells to increments of series.
//!
//! Pure: knows no files, no formats and no store, and keeps nothing from one record to the next. A
//! record counts in all rules that take it or, if one of them cannot count it, in none.

pub mod spec;

pub mod evaluate;

mod condition;

mod cel;

mod select;

mod label;

mod measure;

mod number;

mod time;

mod relabel;

mod compile;

mod error;

pub use compile::{Columns, Rule, RuleSet};
pub use error::RuleError;
pub use evaluate::{Hit, Hits, Origin, Row, check_key};

#[cfg(test)]
mod tests;
