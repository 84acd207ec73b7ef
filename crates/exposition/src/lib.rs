//! Pushed metrics: from the path and the body of a push to the increments that it makes.
//!
//! Read in this order: [`path`] says which group is pushed to, [`text`] cuts the body into lines,
//! [`number`] reads their values, and [`convert`](mod@convert) makes families and increments of them.
//! [`stamp`](mod@stamp) is what every push leaves in its group beside that.
//!
//! Everything here is a pure function over bytes: no I/O, no clock, no knowledge of what was pushed
//! before.

pub mod path;

pub mod text;

pub mod number;

pub mod convert;

pub mod stamp;

mod metrics;

mod table;

mod histogram;

mod error;

pub use convert::{Pushed, convert};
pub use error::{Problem, PushError};
pub use path::{PathError, group};
pub use stamp::{Outcome, stamp};
