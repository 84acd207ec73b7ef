//! The consistent-hash ring: which aggregator works for which source.
//!
//! The ring only gives efficiency; the store decides. Two processes that see different rings are
//! slow, never wrong.

use std::hash::{BuildHasher, Hash, Hasher};

use hashring::HashRing;

use crate::hash::hash64;
use crate::limits::RING_VIRTUAL_NODES;
use crate::source::SourceId;

/// A ring of named nodes. Names are stable (pod names), not addresses.
#[derive(Clone)]
pub struct Ring {
    ring: HashRing<VirtualNode, Pinned>,
}

#[derive(Clone)]
struct VirtualNode {
    owner: String,
    bytes: Vec<u8>,
}

impl Hash for VirtualNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes);
    }
}

/// What is looked up: bytes that reach the hasher as they are.
struct Lookup<'a>(&'a [u8]);

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

impl Ring {
    /// A ring of these nodes; their order does not matter, and doubles count once.
    pub fn new<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<&str> = nodes.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut ring = HashRing::with_hasher(Pinned);
        for name in names {
            for i in 0..RING_VIRTUAL_NODES {
                let bytes = format!("{name}#{i}").into_bytes();
                ring.add(VirtualNode { owner: name.to_owned(), bytes });
            }
        }
        Self { ring }
    }

    /// The node that works for `source`, or `None` if the ring is empty.
    pub fn owner(&self, source: &SourceId) -> Option<&str> {
        self.ring.get(&Lookup(source.as_str().as_bytes())).map(|node| node.owner.as_str())
    }
}

/// A hasher that feeds the written bytes to the pinned hash: a derived `Hash` would add lengths and
/// separators that may change with the compiler.
#[derive(Clone)]
struct Pinned;

struct PinnedHasher(Vec<u8>);

impl BuildHasher for Pinned {
    type Hasher = PinnedHasher;

    fn build_hasher(&self) -> PinnedHasher {
        PinnedHasher(Vec::new())
    }
}

impl Hasher for PinnedHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        hash64(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn source(i: u64) -> SourceId {
        SourceId::file("v", i, 0).expect("valid")
    }

    fn spread(ring: &Ring, sources: u64) -> HashMap<&str, u64> {
        let mut counts = HashMap::new();
        for i in 0..sources {
            *counts.entry(ring.owner(&source(i)).expect("not empty")).or_default() += 1;
        }
        counts
    }

    #[test]
    fn placement_is_pinned() {
        let ring = Ring::new(["aggregator-1", "aggregator-0", "aggregator-2"]);
        let owners: Vec<_> = (0..8).map(|i| ring.owner(&source(i)).expect("not empty")).collect();
        let short: Vec<_> = owners.iter().map(|o| o.trim_start_matches("aggregator-")).collect();
        assert_eq!(short.join(""), "01001001");
    }

    #[test]
    fn load_is_spread() {
        for nodes in [2_u64, 3, 10] {
            let names: Vec<_> = (0..nodes).map(|i| format!("aggregator-{i}")).collect();
            let ring = Ring::new(names.iter().map(String::as_str));
            let fair = 10_000 / nodes;
            for (node, n) in spread(&ring, 10_000) {
                assert!(n > fair * 7 / 10 && n < fair * 13 / 10, "{node} has {n} of {fair}");
            }
        }
    }

    #[test]
    fn a_new_node_moves_only_its_share() {
        let before = Ring::new(["a", "b", "c"]);
        let after = Ring::new(["a", "b", "c", "d"]);
        let moved = (0..10_000).filter(|i| before.owner(&source(*i)) != after.owner(&source(*i)));
        let (to_d, elsewhere): (Vec<_>, Vec<_>) =
            moved.partition(|i| after.owner(&source(*i)) == Some("d"));
        assert!(elsewhere.is_empty() && to_d.len() < 3_500, "{} moved", to_d.len());
    }

    #[test]
    fn an_empty_ring_has_no_owner() {
        assert_eq!(Ring::new([]).owner(&source(1)), None);
    }
}
