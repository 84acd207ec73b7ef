//! Grok: regular expressions put together from named patterns.
//!
//! An expression is expanded into one plain regular expression when it is compiled; nothing of grok
//! is left when records are read. `%{NAME}` is a pattern, `%{NAME:value}` one whose text is a value,
//! `%{NAME:value:type}` the same (values are text; the type is not looked at). `(?<value>…)` works,
//! too. If a value has several groups, the first that took part in the match counts. `(?>…)` becomes
//! a plain group: a match is then found where a backtracking engine would have given up.

mod expand;
mod standard;
mod suggest;

pub(crate) use expand::{expand, group_number};
pub use standard::standard_patterns;
