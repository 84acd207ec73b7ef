//! Aggregator: from deltas to commits.
//!
//! Data flows one way: [`exchange`] takes requests from the wire, [`committer`] gathers them,
//! holds them to their [`limits`], makes batches and commits those to the store, [`folder`] merges the journal into the counts behind
//! their back, [`ticker`] lets the journal's time go on. Beside that, [`groups`] answers for groups of
//! pushed metrics, and [`janitor`] forgets old keys and anonymous sources of pushes. An aggregator remembers nothing that it could not read again: any number of them may
//! work for one partition, and any of them may die at any moment.

pub mod args;

pub mod exchange;

pub mod committer;

pub mod limits;

pub mod folder;

pub mod shortest_ttl;

pub mod ticker;

pub mod groups;

pub mod janitor;

pub mod metrics;

mod server;

pub use args::Args;
pub use server::{Aggregator, AggregatorOptions, run, serve};
