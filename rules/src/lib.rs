//! Rules: from a record's cells to increments of series. Pure: knows no files, no formats, no store.

pub mod spec;
