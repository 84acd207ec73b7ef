//! What is pushed, records or metrics: from a message to an acknowledgement.

pub mod inputs;

pub mod groups;
