//! The layout: which lines stand where on the page, from what is known of the counts.
//!
//! It gives metrics their order, their series an order by label values, and cuts them into pieces. It
//! knows nothing of how a line is written. It must depend on the state only, never on the way to it:
//! replicas that know the same counts have the same layout.

mod arrangement;

mod bounds;

mod lines;

mod metric;

mod pieces;

mod rank;

mod view;

pub(crate) use self::arrangement::LeftOut;
pub(crate) use self::bounds::Bound;
pub use self::lines::Arranged;
pub(crate) use self::lines::{HistogramLine, Line, MetricLines};
pub(crate) use self::pieces::PieceId;
pub use self::view::View;
