//! What the follower reacts to.

use logtally_core::source::SourceId;
use logtally_session::uplink::LinkEvent;

use crate::discover::Discovery;
use crate::worker::ReadDone;

/// What the follower reacts to, beside changes of files, timers and new plans.
pub(super) enum FollowEvent {
    /// Something has happened on a link to an aggregator.
    Link(LinkEvent),
    /// A worker has done a reading step.
    Done(Box<ReadDone>),
    /// A discovery has ended.
    Discovered(Box<Discovery>),
    /// There is something new on standard input, or it was closed.
    StandardInput(SourceId),
}

impl From<LinkEvent> for FollowEvent {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}
