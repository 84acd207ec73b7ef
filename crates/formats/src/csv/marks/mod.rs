//! Where records and fields end, for a whole piece of text at once: 64 bytes at a time, as bit masks.
//!
//! The same decisions as `scan_in` and [`Fields`](super::Fields) take byte by byte, for text whose
//! quotes close; those two stay the reference, and tests hold this against them on every set of
//! instructions that the machine has. It never decides about what is not complete: a record whose end
//! is not in the text, or that is above the limit, is left to them.
//!
//! The method is that of simdjson (Langdale and Lemire, 2019): a mask per special byte, and the
//! exclusive-or of all quotes so far says what is inside. Quotes in the middle of a field, which are
//! data, would turn that around; they are found by what stands before them, and left out.

#![expect(
    clippy::inline_always,
    reason = "a part of the loop over blocks, for the same instructions"
)]

mod block;
mod classify;
mod find;
mod quotes;

pub use find::{Delimiters, Marks};

#[cfg(test)]
mod tests;
