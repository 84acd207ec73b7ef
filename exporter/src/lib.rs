//! The exporter: the store's counts as one page for Prometheus, the same from every replica.
//!
//! It only reads. A page is the exact sum over all partitions of everything that was committed
//! before it was asked for; if that cannot be known, there is no page. This crate never sees how
//! counts come into the store, and nothing that differs between replicas may reach the page.
//!
//! Read in this order: the `state` is what is known of the counts, the `layout` says which lines
//! stand where, the `page` is the text, kept in pieces and changed where the counts change. The page
//! imports from the layout and the layout from the state, never the other way round. The sync reads
//! the store into the state, the serve policy decides whether a page may be shown.

mod state;

mod layout;

mod page;

mod sync;

mod serve_policy;

mod unavailable;

mod replica;

mod flight;

mod exporter;

mod keep_up;

mod http;

mod metrics;

mod args;

mod server;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;

pub use args::{ExporterArgs, ViewArgs};
pub use exporter::Exporter;
pub use layout::{Arranged, View};
pub use page::{Form, PageFormat, PageSnapshot, Pages, render};
pub use serve_policy::ViewOptions;
pub use server::{run, serve};
pub use state::{CountState, Needs, NotLinked, Shortfall};
pub use unavailable::Unavailable;
