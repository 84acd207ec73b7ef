//! The exporter: the store's counts as one page for Prometheus, the same from every replica.
//!
//! It only reads. A page is the exact sum over all partitions of everything that was committed
//! before it was asked for; if that cannot be known, there is no page. This crate never sees how
//! counts come into the store, and nothing that differs between replicas may reach the page.
//!
//! Read in this order: the [`view`] is the picture of all counts, the sync reads the store into it,
//! patience decides whether it may be shown, [`render`] writes it down, [`page`] keeps what is
//! written and changes it where the counts change.

pub mod view;

mod sync;

mod patience;

mod unavailable;

pub mod render;

mod template;

pub mod page;

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

pub use args::{Args, ViewArgs};
pub use exporter::Exporter;
pub use http::TelemetryPath;
pub use patience::ViewOptions;
pub use render::Format;
pub use server::{run, serve, serve_at};
pub use unavailable::Unavailable;
