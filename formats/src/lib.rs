//! Formats: from bytes to records, and from a record to its cells. Pure functions over byte slices;
//! never reads a file and knows no rules.

pub mod spec;
