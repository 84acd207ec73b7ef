//! The tree of the modules of one target, read from its `mod` declarations.
//!
//! Must never read the disk: the files are given.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::{Attribute, Expr, Item, Lit, Meta, Visibility};

use crate::content::{Content, Generator};
use crate::syntax::{is_test, plain};

/// Rust files by their paths, and what stands in them.
pub(crate) type Files = BTreeMap<PathBuf, String>;

/// The index of a module; the root is 0.
pub(crate) type ModuleId = usize;

/// A module.
pub(crate) struct Module {
    /// The file that it stands in.
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<ModuleId>,
    /// Its child modules, by name.
    pub(crate) children: BTreeMap<String, ModuleId>,
    /// Whether it is `pub` without restriction.
    pub(crate) public: bool,
    pub(crate) content: Content,
}

/// The modules of a target.
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
}

impl Tree {
    /// Reads the tree whose root is a file.
    pub(crate) fn read(files: &Files, root: &Path) -> Result<Self> {
        let mut tree = Self { modules: Vec::new() };
        let folder = parent(root);
        let place = Place { file: root.to_owned(), folder, parent: None, public: true };
        tree.add_file(files, &place)?;
        Ok(tree)
    }

    /// Whether code is included that stands in no module.
    pub(crate) fn includes_files(&self) -> bool {
        let generators = self.modules.iter().map(|module| module.content.generator);
        generators.into_iter().any(|generator| generator == Some(Generator::AnotherFile))
    }

    fn add_file(&mut self, files: &Files, place: &Place) -> Result<ModuleId> {
        let text =
            files.get(&place.file).with_context(|| format!("no {}", place.file.display()))?;
        let parsed =
            syn::parse_file(text).with_context(|| format!("reading {}", place.file.display()))?;
        self.add(files, place, &parsed.items)
    }

    fn add(&mut self, files: &Files, place: &Place, items: &[Item]) -> Result<ModuleId> {
        let id = self.modules.len();
        self.modules.push(Module {
            file: place.file.clone(),
            parent: place.parent,
            children: BTreeMap::new(),
            public: place.public,
            content: Content::read(items),
        });
        for item in items {
            let Item::Mod(module) = item else { continue };
            if is_test(&module.attrs) {
                continue;
            }
            let name = plain(&module.ident);
            let child = self.add_child(files, place, id, module)?;
            self.modules[id].children.insert(name, child);
        }
        Ok(id)
    }

    fn add_child(
        &mut self,
        files: &Files,
        around: &Place,
        parent: ModuleId,
        module: &syn::ItemMod,
    ) -> Result<ModuleId> {
        let name = plain(&module.ident);
        let public = matches!(module.vis, Visibility::Public(_));
        if let Some((_, items)) = &module.content {
            let folder = around.folder.join(&name);
            let place = Place { file: around.file.clone(), folder, parent: Some(parent), public };
            return self.add(files, &place, items);
        }
        let file = file_of(files, around, &name, explicit_path(&module.attrs));
        let folder = folder_of_children(&file, &name);
        self.add_file(files, &Place { file, folder, parent: Some(parent), public })
    }
}

/// Where a module stands.
struct Place {
    file: PathBuf,
    /// Where the files of its child modules are looked for.
    folder: PathBuf,
    parent: Option<ModuleId>,
    public: bool,
}

fn file_of(files: &Files, around: &Place, name: &str, explicit: Option<String>) -> PathBuf {
    if let Some(explicit) = explicit {
        return normal(&parent(&around.file).join(explicit));
    }
    let flat = around.folder.join(format!("{name}.rs"));
    if files.contains_key(&flat) { flat } else { around.folder.join(name).join("mod.rs") }
}

fn folder_of_children(file: &Path, name: &str) -> PathBuf {
    let folder = parent(file);
    if file.ends_with("mod.rs") { folder } else { folder.join(name) }
}

fn parent(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

fn explicit_path(attributes: &[Attribute]) -> Option<String> {
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(literal) = &pair.value else { continue };
        if let (true, Lit::Str(text)) = (pair.path.is_ident("path"), &literal.lit) {
            return Some(text.value());
        }
    }
    None
}
