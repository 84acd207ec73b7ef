//! Which file uses which: the edges between files, each with what is used and where.
//!
//! A re-export is not a use: it only passes a name on, and whoever takes the name uses the file that
//! defines it. Must never count what stands in tests.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::content::Generator;
use crate::modules::{ModuleId, Tree};
use crate::paths::Named;
use crate::resolve::{Resolved, Target};

/// A use of what another file defines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Edge {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) item: String,
    pub(crate) line: usize,
    /// Whether the item is defined in the file of an ancestor.
    pub(crate) upward: bool,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, item, line, .. } = self;
        write!(f, "{} → {} ({item}, line {line})", from.display(), to.display())
    }
}

/// What a target uses, inside of itself and elsewhere.
pub(crate) struct Uses {
    /// The first use of each item in each file.
    pub(crate) edges: BTreeSet<Edge>,
    /// Paths that begin in this crate and lead nowhere, as `file:line: path`.
    pub(crate) unknown: Vec<String>,
    /// Paths into other crates of the workspace, with the file and the line.
    pub(crate) elsewhere: Vec<(PathBuf, Named)>,
    /// What paths begin with that do not begin in this crate: other crates, among others.
    pub(crate) beginnings: BTreeSet<String>,
}

impl Uses {
    /// Reads them from a tree.
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut uses = Self {
            edges: BTreeSet::new(),
            unknown: Vec::new(),
            elsewhere: Vec::new(),
            beginnings: BTreeSet::new(),
        };
        for (id, module) in tree.modules.iter().enumerate() {
            for import in &module.content.imports {
                uses.add(tree, id, &Named::from_import(import), import.reexport);
            }
            for named in &module.content.named {
                uses.add(tree, id, named, false);
            }
        }
        uses.keep_first_lines();
        uses
    }

    fn add(&mut self, tree: &Tree, from: ModuleId, named: &Named, reexport: bool) {
        let file = &tree.modules[from].file;
        match tree.resolve(from, named) {
            Resolved::Here(targets) if !reexport => {
                for target in targets {
                    self.edges.extend(edge(tree, from, target, named));
                }
            }
            Resolved::Unknown => {
                let path = named.segments.join("::");
                self.unknown.push(format!("{}:{}: {path}", file.display(), named.line));
            }
            Resolved::Elsewhere => {
                self.beginnings.insert(named.segments[0].clone());
                if named.segments[0].starts_with("logtally_") {
                    self.elsewhere.push((file.clone(), named.clone()));
                }
            }
            Resolved::Here(_) => {}
        }
    }

    fn keep_first_lines(&mut self) {
        let mut seen = BTreeSet::new();
        // Equal edges follow each other by their lines.
        self.edges
            .retain(|edge| seen.insert((edge.from.clone(), edge.to.clone(), edge.item.clone())));
    }
}

fn edge(tree: &Tree, from: ModuleId, target: Target, named: &Named) -> Option<Edge> {
    let (defining, item) = match target {
        Target::Module(_) => return None,
        Target::Item(module, at) => {
            (module, tree.modules[module].content.definitions[at].name.clone())
        }
        Target::Generated(module) => {
            // What is included is not in the file that includes it.
            let generator = tree.modules[module].content.generator;
            (generator == Some(Generator::ThisFile)).then_some(())?;
            (module, named.segments.last()?.clone())
        }
    };
    let to = &tree.modules[defining].file;
    let file = &tree.modules[from].file;
    let upward = is_file_of_ancestor(tree, from, to);
    (file != to).then(|| Edge {
        from: file.clone(),
        to: to.clone(),
        item,
        line: named.line,
        upward,
    })
}

fn is_file_of_ancestor(tree: &Tree, of: ModuleId, file: &Path) -> bool {
    let mut around = tree.modules[of].parent;
    while let Some(id) = around {
        if tree.modules[id].file == file {
            return true;
        }
        around = tree.modules[id].parent;
    }
    false
}
