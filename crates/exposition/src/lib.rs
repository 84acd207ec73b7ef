//! Pushed metrics: from the path and the body of a push to the increments that it makes.
//!
//! Read in this order: `path` says which group is pushed to, `text` cuts the body into lines, `metrics`
//! puts their samples together, `number` and `sample` read values, and `convert` makes families and
//! increments of them. `stamp` is what every push leaves in its group beside that.
//!
//! Everything here is a pure function over bytes: no I/O, no clock, no knowledge of what was pushed
//! before.

mod convert;

mod error;

mod histogram;

mod metrics;

mod number;

mod path;

mod pushed;

mod sample;

mod stamp;

mod table;

mod text;

pub use convert::convert;
pub use error::{ExpositionError, LineProblem};
pub use number::NumberError;
pub use path::{PathError, group};
pub use pushed::Pushed;
pub use stamp::{PushOutcome, stamp};
pub use text::SyntaxError;
