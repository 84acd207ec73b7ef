//! What one module holds: its definitions, its imports, the paths it names, its `impl` blocks and
//! functions. Test code is left out.
//!
//! Must never look at another module: what a name means is decided in `resolve`.

use std::ops::RangeInclusive;

use syn::spanned::Spanned as _;
use syn::visit::Visit as _;
use syn::{Item, Visibility};

use crate::paths::{Collector, Named};
use crate::syntax::{Import, attributes, imports, is_test, plain};

/// The content of a module, without that of its child modules.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) definitions: Vec<Definition>,
    pub(crate) imports: Vec<Import>,
    pub(crate) named: Vec<Named>,
    pub(crate) impls: Vec<Named>,
    /// The number of lines of each function.
    pub(crate) functions: Vec<usize>,
    /// The lines of test code.
    pub(crate) tests: Vec<RangeInclusive<usize>>,
    /// The macro that generates items here, so that not all names are known.
    pub(crate) generator: Option<Generator>,
}

/// Where the items come from that a macro generates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Generator {
    /// From another file, as `include!` does it.
    AnotherFile,
    /// From its definition.
    ThisFile,
}

/// An item that has a name, other than a module.
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    /// Whether it is `pub` without restriction.
    pub(crate) public: bool,
}

/// What an item is, as far as the rules care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Struct { public_fields: usize },
    OtherType,
    Macro { exported: bool },
    Other,
}

impl Kind {
    pub(crate) fn is_type(self) -> bool {
        matches!(self, Self::Struct { .. } | Self::OtherType)
    }
}

impl Content {
    /// Reads the items of a module.
    pub(crate) fn read(items: &[Item]) -> Self {
        let mut content = Self::default();
        for item in items {
            content.add(item);
        }
        content
    }

    fn add(&mut self, item: &Item) {
        if is_test(attributes(item)) {
            self.tests.push(item.span().start().line..=item.span().end().line);
            return;
        }
        match item {
            Item::Mod(_) => return,
            Item::Use(import) => {
                self.imports.extend(imports(import));
                return;
            }
            Item::Macro(call) if call.ident.is_none() => self.generator = Some(generator(call)),
            Item::Impl(block) if block.trait_.is_none() => {
                self.impls.extend(self_type(&block.self_ty));
            }
            _ => {}
        }
        self.definitions.extend(definition(item));
        let mut collector = Collector::default();
        collector.visit_item(item);
        self.named.extend(collector.found);
        self.functions.extend(collector.functions);
        self.tests.extend(collector.tests);
    }
}

fn generator(call: &syn::ItemMacro) -> Generator {
    match call.mac.path.segments.last() {
        Some(last) if last.ident.to_string().starts_with("include") => Generator::AnotherFile,
        _ => Generator::ThisFile,
    }
}

fn self_type(of: &syn::Type) -> Option<Named> {
    match of {
        syn::Type::Path(path) if path.qself.is_none() => Some(Named::from_path(&path.path)),
        _ => None,
    }
}

fn definition(item: &Item) -> Option<Definition> {
    let (ident, vis, kind) = match item {
        Item::Struct(it) => {
            let public_fields =
                it.fields.iter().filter(|f| !matches!(f.vis, Visibility::Inherited)).count();
            (&it.ident, &it.vis, Kind::Struct { public_fields })
        }
        Item::Enum(it) => (&it.ident, &it.vis, Kind::OtherType),
        Item::Union(it) => (&it.ident, &it.vis, Kind::OtherType),
        Item::Type(it) => (&it.ident, &it.vis, Kind::OtherType),
        Item::Trait(it) => (&it.ident, &it.vis, Kind::OtherType),
        Item::TraitAlias(it) => (&it.ident, &it.vis, Kind::OtherType),
        Item::Fn(it) => (&it.sig.ident, &it.vis, Kind::Other),
        Item::Const(it) => (&it.ident, &it.vis, Kind::Other),
        Item::Static(it) => (&it.ident, &it.vis, Kind::Other),
        Item::Macro(it) => {
            let exported = it.attrs.iter().any(|a| a.path().is_ident("macro_export"));
            (it.ident.as_ref()?, &Visibility::Inherited, Kind::Macro { exported })
        }
        _ => return None,
    };
    Some(Definition {
        name: plain(ident),
        line: ident.span().start().line,
        kind,
        public: matches!(vis, Visibility::Public(_)),
    })
}
