//! Gzip whose values can be replaced where they stand.
//!
//! A page of metrics is compressed once. After that only a few numbers on it change, and most of them
//! keep their width. This crate compresses a text so that such a number can be overwritten in the
//! compressed bytes, at a cost that does not depend on the length of the text:
//!
//! * A [`PatchableBlock`] is one compressed part of the text. It knows at which bit each value begins.
//! * A [`Member`] puts blocks together to one gzip member (RFC 1952), which every client can read.
//!
//! The three parts of it are deflate with fixed codes and with matches that never reach into a value
//! (`deflate`), checksums that follow a change without reading the text again (`crc`), and the blocks
//! that use both.
//!
//! The crate is pure: no I/O, no clock, no randomness. It must never write anything that does not
//! follow from the text and the places of its values: equal texts are equal after compression, too,
//! and a patched block is equal to one that was compressed anew.

mod block;

mod crc;

mod deflate;

mod member;

mod shared;

#[cfg(any(test, feature = "check"))]
pub mod check;

pub use block::PatchableBlock;
pub use member::Member;
pub use shared::put_in_place;
