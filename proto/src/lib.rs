//! The wire: generated messages and services, and their conversion to and from the core's types.
//!
//! "Parse, don't validate": a message becomes a core value once, at the edge, or is refused with the
//! field that is wrong. Nothing behind the edge checks again.

pub mod v1;

mod convert;

pub use convert::{Action, InvalidMessage, Request, answer};

/// The descriptor set of all services, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
