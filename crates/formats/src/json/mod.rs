//! JSON: one object per line, read in one pass without building it.
//!
//! - The whole line must be one JSON object (RFC 8259) and UTF-8, with every surrogate in a pair, and
//!   nest at most `JSON_DEPTH_MAX` deep; otherwise it is malformed.
//! - A name is looked up in the object: first as a key, just as it is; if there is none, its part
//!   before the first dot is the key of an object or array in which the rest is looked up the same
//!   way. In an array a key is a decimal index.
//! - Of a key that occurs twice, the last one counts, and nothing of the first.
//! - Strings are unescaped, numbers and `true` and `false` are their text, objects and arrays their
//!   text as it stands in the line; `null` is no value.
//!
//! Never allocates per record in steady state, except in the caller's scratch buffer.

mod paths;
mod scanner;
mod strings;

pub(crate) use paths::Paths;
pub(crate) use scanner::cells;
