//! What a path means, seen from a module: through imports and re-exports to the definition.
//!
//! Must never guess: what is not found is said to be unknown, or to be of another crate.

use std::collections::BTreeSet;

use crate::content::Kind;
use crate::modules::{ModuleId, Tree};
use crate::paths::Named;
use crate::syntax::Import;

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Target {
    Module(ModuleId),
    /// A definition, by its index in the module.
    Item(ModuleId, usize),
    /// Something that a macro generates in the module.
    Generated(ModuleId),
}

/// The result of a resolution.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Resolved {
    Here(Vec<Target>),
    /// The path begins with something that this crate does not have.
    Elsewhere,
    /// The path begins in this crate, and leads nowhere.
    Unknown,
}

/// The names that are being looked up, against going round in circles.
type Seen = BTreeSet<(ModuleId, String)>;

impl Tree {
    /// What some code in a module names.
    pub(crate) fn resolve(&self, from: ModuleId, named: &Named) -> Resolved {
        if named.is_global {
            return Resolved::Elsewhere;
        }
        let found = self.walk(from, &named.segments, &mut Seen::new());
        if found == Resolved::Elsewhere && named.is_macro && named.segments.len() == 1 {
            return self.textual_macro(from, &named.segments[0]);
        }
        found
    }

    /// What an import in a module leads to.
    pub(crate) fn resolve_import(&self, from: ModuleId, import: &Import) -> Resolved {
        self.follow(from, import, &mut Seen::new())
    }

    fn follow(&self, from: ModuleId, import: &Import, seen: &mut Seen) -> Resolved {
        if import.is_global {
            return Resolved::Elsewhere;
        }
        self.walk(from, &import.path, seen)
    }

    fn walk(&self, from: ModuleId, path: &[String], seen: &mut Seen) -> Resolved {
        let mut module = from;
        let mut at = 0;
        while let Some(up) = path.get(at).and_then(|name| self.keyword(module, name)) {
            module = up;
            at += 1;
        }
        let anchored = at > 0;
        let mut targets = vec![Target::Module(module)];
        for (step, name) in path[at..].iter().enumerate() {
            let inside = targets.iter().find_map(|target| match target {
                Target::Module(id) => Some(*id),
                _ => None,
            });
            // A variant, an associated item, or what a macro generates: the definition is before it.
            let Some(inside) = inside else { break };
            let is_first = !anchored && step == 0;
            let found = self.lookup(inside, name, is_first, seen);
            if found.is_empty() {
                return if is_first { Resolved::Elsewhere } else { Resolved::Unknown };
            }
            targets = found;
        }
        Resolved::Here(targets)
    }

    fn keyword(&self, module: ModuleId, name: &str) -> Option<ModuleId> {
        match name {
            "crate" => Some(0),
            "self" => Some(module),
            "super" => self.modules[module].parent,
            _ => None,
        }
    }

    /// What a name means in a module.
    fn lookup(&self, module: ModuleId, name: &str, first: bool, seen: &mut Seen) -> Vec<Target> {
        if !seen.insert((module, name.to_owned())) {
            return Vec::new();
        }
        let mut found = self.direct(module, name, seen);
        if found.is_empty() {
            found = self.through_globs(module, name, seen);
        }
        if found.is_empty() && module == 0 && !first {
            found.extend(self.exported_macro(name));
        }
        if found.is_empty() && !first && self.modules[module].content.generator.is_some() {
            found.push(Target::Generated(module));
        }
        seen.remove(&(module, name.to_owned()));
        found
    }

    fn direct(&self, module: ModuleId, name: &str, seen: &mut Seen) -> Vec<Target> {
        let of = &self.modules[module];
        let mut found = BTreeSet::new();
        found.extend(of.children.get(name).map(|id| Target::Module(*id)));
        for (at, definition) in of.content.definitions.iter().enumerate() {
            if definition.name == name {
                found.insert(Target::Item(module, at));
            }
        }
        for import in &of.content.imports {
            if import.name.as_deref() == Some(name)
                && let Resolved::Here(targets) = self.follow(module, import, seen)
            {
                found.extend(targets);
            }
        }
        found.into_iter().collect()
    }

    fn through_globs(&self, module: ModuleId, name: &str, seen: &mut Seen) -> Vec<Target> {
        let mut found = BTreeSet::new();
        for import in &self.modules[module].content.imports {
            if import.name.is_some() {
                continue;
            }
            let Resolved::Here(targets) = self.follow(module, import, seen) else { continue };
            for target in targets {
                if let Target::Module(inside) = target {
                    found.extend(self.lookup(inside, name, true, seen));
                }
            }
        }
        found.into_iter().collect()
    }

    fn exported_macro(&self, name: &str) -> Option<Target> {
        for (id, module) in self.modules.iter().enumerate() {
            for (at, definition) in module.content.definitions.iter().enumerate() {
                if definition.name == name && definition.kind == (Kind::Macro { exported: true }) {
                    return Some(Target::Item(id, at));
                }
            }
        }
        None
    }

    /// A macro that is known because it stands above, in the module or one of its ancestors.
    fn textual_macro(&self, from: ModuleId, name: &str) -> Resolved {
        let mut around = Some(from);
        while let Some(id) = around {
            for (at, definition) in self.modules[id].content.definitions.iter().enumerate() {
                if definition.name == name && matches!(definition.kind, Kind::Macro { .. }) {
                    return Resolved::Here(vec![Target::Item(id, at)]);
                }
            }
            around = self.modules[id].parent;
        }
        Resolved::Elsewhere
    }
}
