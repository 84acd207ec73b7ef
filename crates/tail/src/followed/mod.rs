//! What is known of one followed source, in parts that each have one purpose.
//!
//! Nothing in here does I/O or looks at a clock: facts and the current time come in as values,
//! decisions go out as values, and the follower carries them out.

mod extent;
mod location;
mod read_state;
mod role;
mod rules;
mod source;

pub(crate) use read_state::{ReadTicket, Returned};
pub(crate) use role::SourceRole;
pub(crate) use source::{EndPolicy, FollowedSource, SentDelta};
