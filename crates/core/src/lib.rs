//! The vocabulary of logtally and the decisions that make its counts exact.
//!
//! Everything here is a pure function over values: no I/O, no clock, no randomness, no tokio.
//! What needs time or a random id takes it as an argument, so every decision can be replayed in a
//! test.
//!
//! Read in this order: a [`source`] has a state, a [`delta`] moves that state, [`admission`]
//! decides whether it may, a [`batch`] is what one commit applies, the [`journal`] remembers it,
//! and a [`series`] is what a person finally reads.

pub mod limits;

pub mod source;

pub mod delta;

pub mod admission;

pub mod batch;

pub mod journal;

pub mod decimal;

pub mod duration;

pub mod series;

pub mod names;

pub mod rule;

pub mod cardinality;

pub mod exchange;

pub mod recovery;

pub mod partition;

pub mod push;

pub mod ring;

pub mod hash;

pub mod secret_url;
