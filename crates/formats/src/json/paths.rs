//! The wanted names as a tree of keys, so that each key of a record is looked up once.

use crate::cells::LINE;

/// All wanted names. Node 0 is the record itself.
#[derive(Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
}

/// What is wanted from one object or array.
#[derive(Debug, Default)]
pub(super) struct Node {
    keys: Vec<Key>,
}

/// One key that leads to something wanted.
#[derive(Debug, Default)]
pub(super) struct Key {
    name: Vec<u8>,
    /// The same as the index of an array, if it is one.
    index: Option<usize>,
    /// Slots whose (remaining) name is this key.
    pub(super) here: Vec<usize>,
    /// Slots that are looked for below.
    pub(super) below: Vec<usize>,
    /// Where `below` goes on.
    pub(super) child: usize,
}

impl Paths {
    pub(crate) fn new(wanted: &[String]) -> Self {
        let mut paths = Self { nodes: vec![Node::default()] };
        for (slot, name) in wanted.iter().enumerate().filter(|(_, name)| *name != LINE) {
            paths.add(slot, name);
        }
        paths
    }

    fn add(&mut self, slot: usize, name: &str) {
        let (mut node, mut rest) = (0, name);
        loop {
            self.key(node, rest).here.push(slot);
            let Some((head, after)) = rest.split_once('.') else { return };
            let fresh = self.nodes.len();
            let key = self.key(node, head);
            key.below.push(slot);
            if key.child == 0 {
                key.child = fresh;
                self.nodes.push(Node::default());
                node = fresh;
            } else {
                node = key.child;
            }
            rest = after;
        }
    }

    fn key(&mut self, node: usize, name: &str) -> &mut Key {
        let keys = &mut self.nodes[node].keys;
        let at = keys.iter().position(|key| key.name == name.as_bytes()).unwrap_or_else(|| {
            let index = name.parse().ok().filter(|n: &usize| n.to_string() == name);
            keys.push(Key { name: name.into(), index, ..Key::default() });
            keys.len() - 1
        });
        &mut keys[at]
    }

    pub(super) fn find(&self, node: usize, name: &[u8]) -> Option<&Key> {
        self.nodes[node].keys.iter().find(|key| key.name == name)
    }

    pub(super) fn find_index(&self, node: usize, index: usize) -> Option<&Key> {
        self.nodes[node].keys.iter().find(|key| key.index == Some(index))
    }
}
