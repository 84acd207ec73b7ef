//! The state: what is known of the store's counts, as the sum over partitions.
//!
//! It takes in snapshots and journal entries. It does no I/O, has no clock, and knows neither the order
//! of a page nor its format. It must never give a total that is not the exact sum of what the
//! partitions hold, and never hide that a total fell below what was served.

mod counts;

mod dirty_set;

mod families;

mod ids;

mod labels;

mod load;

mod partition;

mod rows;

mod series_table;

mod totals;

pub use self::counts::{CountState, Needs, NotLinked, Shortfall};
pub(crate) use self::counts::{LayoutChanges, earlier};
pub(crate) use self::dirty_set::DirtySet;
pub(crate) use self::families::{Families, Knowledge};
pub(crate) use self::ids::{FamilyIx, SeriesSlot};
pub(crate) use self::labels::{canonical, push_escaped, push_text, split};
pub(crate) use self::series_table::SeriesTable;
