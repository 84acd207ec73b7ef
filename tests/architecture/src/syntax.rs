//! Small questions to parsed code: what a `use` brings, what is compiled for tests only.
//!
//! Must never know anything of modules.

use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// One name of a `use`.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name that it gets here; `None` is a glob.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
    /// Whether it is a re-export, to whomever.
    pub(crate) reexport: bool,
    /// Whether it is `pub` without restriction.
    pub(crate) public: bool,
    /// Whether the path begins with `::`.
    pub(crate) is_global: bool,
}

/// An identifier without `r#`.
pub(crate) fn plain(ident: &syn::Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// The names that a `use` brings.
pub(crate) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    flatten(&item.tree, &mut Vec::new(), &mut found);
    for import in &mut found {
        import.reexport = !matches!(item.vis, Visibility::Inherited);
        import.is_global = item.leading_colon.is_some();
        import.public = matches!(item.vis, Visibility::Public(_));
    }
    found
}

fn flatten(tree: &UseTree, prefix: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(plain(&path.ident));
            flatten(&path.tree, prefix, found);
            prefix.pop();
        }
        UseTree::Name(one) => found.push(import(prefix, &one.ident, None)),
        UseTree::Rename(one) => found.push(import(prefix, &one.ident, Some(&one.rename))),
        UseTree::Glob(glob) => found.push(Import {
            path: prefix.clone(),
            name: None,
            line: glob.star_token.spans[0].start().line,
            reexport: false,
            public: false,
            is_global: false,
        }),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix, found);
            }
        }
    }
}

fn import(prefix: &[String], ident: &syn::Ident, rename: Option<&syn::Ident>) -> Import {
    let mut path = prefix.to_vec();
    if ident != "self" || path.is_empty() {
        path.push(plain(ident));
    }
    let name = rename.map(plain).or_else(|| path.last().cloned());
    let line = ident.span().start().line;
    Import { path, name, line, reexport: false, public: false, is_global: false }
}

/// Whether an item is compiled for tests only, or for tests among others.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.segments.last().is_some_and(|last| last.ident == "test"),
        Meta::List(list) if list.path.is_ident("cfg") => names_test(list.tokens.clone()),
        _ => false,
    })
}

fn names_test(condition: proc_macro2::TokenStream) -> bool {
    let mut negated = false;
    for token in condition {
        match token {
            proc_macro2::TokenTree::Ident(ident) => {
                if ident == "test" {
                    return true;
                }
                negated = ident == "not";
            }
            proc_macro2::TokenTree::Group(group) if !negated && names_test(group.stream()) => {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}
