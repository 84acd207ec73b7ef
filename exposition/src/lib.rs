//! Pushed metrics: from the path and the body of a push to the increments that it makes.
//!
//! Read in this order: [`path`] says which group is pushed to, [`text`] cuts the body into lines.
//!
//! Everything here is a pure function over bytes: no I/O, no clock, no knowledge of what was pushed
//! before.

pub mod path;

pub mod text;
