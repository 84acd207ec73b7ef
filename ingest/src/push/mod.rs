//! Pushed records: from a message to an acknowledgement.

pub mod inputs;
