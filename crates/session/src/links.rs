//! The links of one task to all aggregators, and who works for which source. Only aggregators that are
//! reachable are on the ring.

use logtally_core::ring::Ring;
use logtally_core::source::SourceId;
use logtally_proto::Request;
use tokio::sync::mpsc;

use crate::uplink::Peer;

/// All links.
pub struct Links {
    links: Vec<Link>,
    ring: Ring,
}

struct Link {
    name: String,
    requests: Option<mpsc::UnboundedSender<Request>>,
}

impl Links {
    /// Links that are all down.
    pub fn new(peers: &[Peer]) -> Self {
        let link = |peer: &Peer| Link { name: peer.name().to_owned(), requests: None };
        Self { links: peers.iter().map(link).collect(), ring: Ring::new([]) }
    }

    /// A link is up.
    pub fn up(&mut self, link: usize, requests: mpsc::UnboundedSender<Request>) {
        tracing::info!(aggregator = self.links[link].name, "linked to the aggregator");
        self.links[link].requests = Some(requests);
        self.build_ring();
    }

    /// A link is down.
    pub fn down(&mut self, link: usize) {
        tracing::warn!(aggregator = self.links[link].name, "lost the link to the aggregator");
        self.links[link].requests = None;
        self.build_ring();
    }

    fn build_ring(&mut self) {
        let up = self.links.iter().filter(|link| link.requests.is_some());
        self.ring = Ring::new(up.map(|link| link.name.as_str()));
    }

    /// How many links are up.
    pub fn count(&self) -> usize {
        self.links.iter().filter(|link| link.requests.is_some()).count()
    }

    /// The link to whoever works for a source; `None` if no link is up.
    pub fn owner_of(&self, source: &SourceId) -> Option<usize> {
        let name = self.ring.owner(source)?;
        self.links.iter().position(|link| link.name == name && link.requests.is_some())
    }

    /// Hands a request to a link. If the link is just breaking, its event follows.
    pub fn send(&self, owner: Option<usize>, request: Request) {
        if let Some(requests) = owner.and_then(|link| self.links[link].requests.as_ref()) {
            let _ = requests.send(request);
        }
    }
}
