//! The page: the layout as text for Prometheus, written in pieces, and then changed where the counts
//! change.
//!
//! A scrape costs what changed since the last one, and the sending. What a page shows is marked as
//! served before anybody gets it. Nothing may be written that is not in the layout: no time of the
//! scrape, no name of the replica, nothing that two replicas with the same counts would write
//! differently.

mod body;

mod edits;

mod format;

mod numbers;

mod pages;

mod piece;

mod render;

mod rendered_page;

mod snapshot;

mod static_part;

mod template;

mod text;

mod whole_gzip;

mod writer;

pub(crate) use self::body::PageBody;
pub use self::format::{Form, PageFormat};
pub use self::pages::Pages;
pub use self::render::render;
pub use self::snapshot::PageSnapshot;
