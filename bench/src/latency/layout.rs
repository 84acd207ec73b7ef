//! What is started to be measured.

use logtally_e2e::cluster::Layout;

/// One of each.
pub fn layout() -> Layout {
    Layout { aggregators: 1, ingests: 1, sharded: false, exporters: 1, ..Layout::default() }
}
