//! Requests to aggregators, and what is under way to them.

use std::time::Instant;

use logtally_core::delta::Delta;
use logtally_core::limits::IN_FLIGHT_BYTES_MAX;
use logtally_proto::{Action, Request};
use logtally_session::conversation::{NextStep, Tags};
use logtally_session::links::Links;
use logtally_session::uplink::Peer;
use tokio::sync::mpsc;

use crate::followed::{FollowedSource, SentDelta};

/// Requests to aggregators, and what is under way to them.
pub(super) struct Traffic {
    links: Links,
    tags: Tags,
    /// Encoded increments of all sources that wait for their commit.
    bytes_in_flight: usize,
}

impl Traffic {
    /// Nothing is under way, and no link is up.
    pub(super) fn new(peers: &[Peer]) -> Self {
        Self { links: Links::new(peers), tags: Tags::default(), bytes_in_flight: 0 }
    }

    /// A link is up.
    pub(super) fn link_up(&mut self, link: usize, requests: mpsc::UnboundedSender<Request>) {
        self.links.up(link, requests);
    }

    /// A link is down.
    pub(super) fn link_down(&mut self, link: usize) {
        self.links.down(link);
    }

    /// How many links are up.
    pub(super) fn links_up(&self) -> usize {
        self.links.count()
    }

    /// Encoded increments (bytes) that wait for their commit.
    pub(super) fn bytes_in_flight(&self) -> usize {
        self.bytes_in_flight
    }

    /// Whether another reading step may begin.
    pub(super) fn has_room(&self) -> bool {
        self.bytes_in_flight < IN_FLIGHT_BYTES_MAX
    }

    /// Whether a source must begin anew because its aggregator is another one now, or its link was
    /// `lost`.
    pub(super) fn is_misplaced(&self, source: &FollowedSource, lost: Option<usize>) -> bool {
        let has_lost_link = lost.is_some() && source.owner() == lost;
        has_lost_link || source.owner() != self.links.owner_of(source.id())
    }

    /// Gives a source to its aggregator on the ring. Whether there is one.
    pub(super) fn assign(&mut self, source: &mut FollowedSource) -> bool {
        let owner = self.links.owner_of(source.id());
        self.bytes_in_flight -= source.bytes_in_flight();
        source.set_owner(owner);
        owner.is_some()
    }

    /// Lets a source do something that may drop what is under way.
    pub(super) fn converse(
        &mut self,
        source: &mut FollowedSource,
        act: impl FnOnce(&mut FollowedSource, &mut Tags) -> NextStep<SentDelta>,
    ) -> NextStep<SentDelta> {
        self.bytes_in_flight -= source.bytes_in_flight();
        let step = act(source, &mut self.tags);
        self.bytes_in_flight += source.bytes_in_flight();
        step
    }

    /// Sends a delta; `trace` began when it was read.
    pub(super) fn commit(
        &mut self,
        source: &mut FollowedSource,
        delta: Delta,
        trace: tracing::Span,
        now: Instant,
    ) {
        let bytes = delta.increments.len();
        let traceparent = trace.in_scope(logtally_service::current_traceparent);
        let tag = source.send(&delta, SentDelta { bytes, at: now, _trace: trace }, &mut self.tags);
        self.bytes_in_flight += bytes;
        self.request(source, tag, Action::Commit(Box::new(delta)), traceparent);
    }

    /// Lets a source check its stored state, if it is idle.
    pub(super) fn check(&mut self, source: &mut FollowedSource) {
        if let Some(tag) = source.check(&mut self.tags) {
            self.ask(source, tag, Action::Lookup(source.acknowledged()));
        }
    }

    /// Sends a request that carries no records.
    pub(super) fn ask(&self, source: &FollowedSource, tag: u64, action: Action) {
        self.request(source, tag, action, String::new());
    }

    fn request(&self, source: &FollowedSource, tag: u64, action: Action, traceparent: String) {
        let request = Request { tag, source: source.id().clone(), action, traceparent };
        self.links.send(source.owner(), request);
    }

    /// A source is not followed any more.
    pub(super) fn forget(&mut self, source: &FollowedSource) {
        self.bytes_in_flight -= source.bytes_in_flight();
    }
}
