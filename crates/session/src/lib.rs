//! The connection of an ingest with its aggregators: which of them works for a source, and one stream to
//! each.
//!
//! Never sees files, pushes or rules.

pub mod conversation;

pub mod links;

pub mod uplink;
