//! How the code of this workspace is built, read from the code itself: which file uses which, where
//! a type is defined, how large things are. The tests hold the rules of CONTRIBUTING with it.
//!
//! Must never run or compile what it reads, and never judge test code: `#[cfg(test)]` is left out.

pub mod findings;
pub mod summary;
pub mod workspace;

mod circles;
mod content;
mod edges;
mod modules;
mod paths;
mod resolve;
mod sizes;
mod syntax;
mod types;
