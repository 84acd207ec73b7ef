//! Rules: from a record's cells to increments of series.
//!
//! Pure: knows no files, no formats and no store, and keeps nothing from one record to the next. A
//! record counts in all rules that match it or, if one of them cannot count it, in none.

pub mod spec;

mod cel;
mod cel_condition;
mod columns;
mod compile;
mod compile_condition;
mod condition;
mod error;
mod evaluate;
mod hits;
mod label;
mod matched;
mod measure;
mod number;
mod relabel;
mod row;
mod rule;
mod rule_set;
mod select;
mod time;
mod time_pattern;

pub use error::RuleError;
pub use hits::{Hit, Hits, PlainHit};
pub use row::{Origin, Row};
pub use rule::Rule;
pub use rule_set::RuleSet;

#[cfg(test)]
mod tests;
