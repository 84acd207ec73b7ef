//! Circles: files that use each other, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::edges::Edge;

/// The edges of each circle.
pub(crate) fn circles(edges: &BTreeSet<Edge>) -> Vec<Vec<&Edge>> {
    let mut after: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for edge in edges {
        after.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        after.keys().map(|file| (*file, reachable(&after, file))).collect();
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    for (file, reached) in &reach {
        if !reached.contains(file) || done.contains(file) {
            continue;
        }
        let both = |other: &Path| {
            reached.contains(other) && reach.get(other).is_some_and(|back| back.contains(file))
        };
        let inside: Vec<&Edge> = edges.iter().filter(|e| both(&e.from) && both(&e.to)).collect();
        done.extend(inside.iter().map(|edge| edge.from.as_path()));
        found.push(inside);
    }
    found
}

/// How many files are in a circle.
pub(crate) fn size(circle: &[&Edge]) -> usize {
    circle.iter().map(|edge| &edge.from).collect::<BTreeSet<_>>().len()
}

fn reachable<'a>(
    after: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
    from: &Path,
) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for next in after.get(file).into_iter().flatten() {
            if found.insert(*next) {
                waiting.push(next);
            }
        }
    }
    found
}
