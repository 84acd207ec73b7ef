//! Types: which ones other crates can name, how many public fields they have, and in how many files
//! their methods stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::content::{Definition, Kind};
use crate::modules::{ModuleId, Tree};
use crate::resolve::{Resolved, Target};

/// A definition of a type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TypeAt {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

fn definition(tree: &Tree, module: ModuleId, at: usize) -> &Definition {
    &tree.modules[module].content.definitions[at]
}

fn type_at(tree: &Tree, module: ModuleId, at: usize) -> TypeAt {
    let definition = definition(tree, module, at);
    TypeAt {
        name: definition.name.clone(),
        file: tree.modules[module].file.clone(),
        line: definition.line,
    }
}

/// Every type that is defined.
pub(crate) fn all_types(tree: &Tree) -> Vec<TypeAt> {
    let mut found = Vec::new();
    for (id, module) in tree.modules.iter().enumerate() {
        for (at, definition) in module.content.definitions.iter().enumerate() {
            if definition.kind.is_type() {
                found.push(type_at(tree, id, at));
            }
        }
    }
    found
}

/// The types that other crates can name.
pub(crate) fn public_types(tree: &Tree) -> BTreeSet<TypeAt> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::from([0]));
    let mut waiting: Vec<ModuleId> = vec![0];
    while let Some(id) = waiting.pop() {
        for target in offered(tree, id) {
            match target {
                Target::Module(module) if seen.insert(module) => waiting.push(module),
                Target::Item(module, at) if definition(tree, module, at).kind.is_type() => {
                    found.insert(type_at(tree, module, at));
                }
                _ => {}
            }
        }
    }
    found
}

/// What is public in a module, by itself or by a re-export.
fn offered(tree: &Tree, id: ModuleId) -> Vec<Target> {
    let module = &tree.modules[id];
    let public = |child: &&ModuleId| tree.modules[**child].public;
    let mut found: Vec<Target> =
        module.children.values().filter(public).map(|child| Target::Module(*child)).collect();
    for (at, definition) in module.content.definitions.iter().enumerate() {
        if definition.public {
            found.push(Target::Item(id, at));
        }
    }
    for import in module.content.imports.iter().filter(|import| import.public) {
        if let Resolved::Here(targets) = tree.resolve_import(id, import) {
            found.extend(targets);
        }
    }
    found
}

/// The structs with more fields than so many that are not private.
pub(crate) fn open_structs(tree: &Tree, limit: usize) -> Vec<(TypeAt, usize)> {
    let mut found = Vec::new();
    for (id, module) in tree.modules.iter().enumerate() {
        for (at, definition) in module.content.definitions.iter().enumerate() {
            if let Kind::Struct { public_fields } = definition.kind
                && public_fields > limit
            {
                found.push((type_at(tree, id, at), public_fields));
            }
        }
    }
    found
}

/// The types whose inherent methods stand in more files than so many, and these files.
pub(crate) fn scattered(tree: &Tree, limit: usize) -> Vec<(TypeAt, BTreeSet<PathBuf>)> {
    let mut files: BTreeMap<TypeAt, BTreeSet<PathBuf>> = BTreeMap::new();
    for (id, module) in tree.modules.iter().enumerate() {
        for block in &module.content.impls {
            let Resolved::Here(targets) = tree.resolve(id, block) else { continue };
            for target in targets {
                if let Target::Item(of, at) = target {
                    files.entry(type_at(tree, of, at)).or_default().insert(module.file.clone());
                }
            }
        }
    }
    files.into_iter().filter(|(_, files)| files.len() > limit).collect()
}
