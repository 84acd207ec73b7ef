//! How large code is, without its tests.

use std::collections::BTreeMap;
use std::path::Path;

use crate::modules::{Files, Tree};

/// Lines of each file, without those of tests.
pub(crate) fn lines<'a>(tree: &'a Tree, files: &Files) -> BTreeMap<&'a Path, usize> {
    let mut lines: BTreeMap<&Path, usize> = BTreeMap::new();
    for module in &tree.modules {
        let all = files.get(&module.file).map_or(0, |text| text.lines().count());
        let rest = lines.entry(&module.file).or_insert(all);
        for test in &module.content.tests {
            *rest -= test.clone().count();
        }
    }
    lines
}

/// Lines of each function.
pub(crate) fn functions(tree: &Tree) -> Vec<usize> {
    tree.modules.iter().flat_map(|module| module.content.functions.iter().copied()).collect()
}
