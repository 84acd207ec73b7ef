//! Which paths some code names: in types, expressions, patterns, attributes, and inside of macro
//! calls, where they are found by their tokens.
//!
//! Must never look at another item than the one it is given.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItem, Item, Macro, Meta, Path, Stmt, Visibility};

use crate::syntax::{Import, attributes, imports, is_test, plain};

/// A path that code names.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Whether it is the name of a macro that is called.
    pub(crate) is_macro: bool,
    /// Whether it begins with `::`, so that it begins in another crate.
    pub(crate) is_global: bool,
}

impl Named {
    pub(crate) fn from_import(import: &Import) -> Self {
        let Import { path, line, is_global, .. } = import;
        Self { segments: path.clone(), line: *line, is_macro: false, is_global: *is_global }
    }

    pub(crate) fn from_path(path: &Path) -> Self {
        Self {
            segments: path.segments.iter().map(|segment| plain(&segment.ident)).collect(),
            line: path.span().start().line,
            is_macro: false,
            is_global: path.leading_colon.is_some(),
        }
    }
}

/// Collects what an item names.
#[derive(Default)]
pub(crate) struct Collector {
    pub(crate) found: Vec<Named>,
    pub(crate) functions: Vec<usize>,
    pub(crate) tests: Vec<RangeInclusive<usize>>,
    /// What names stand for inside of the blocks around: a path of a `use`, or nothing for a local item.
    blocks: Vec<BTreeMap<String, Option<Vec<String>>>>,
}

impl Collector {
    fn add(&mut self, mut named: Named) {
        let Some(first) = named.segments.first() else { return };
        if named.is_global {
            self.found.push(named);
            return;
        }
        let local = self.blocks.iter().rev().find_map(|block| block.get(first));
        match local {
            Some(None) => return,
            Some(Some(path)) => {
                named.segments.splice(..1, path.iter().cloned());
            }
            None => {}
        }
        self.found.push(named);
    }

    fn function(&mut self, signature: &syn::Signature, block: &Block) {
        let first = signature.span().start().line;
        let last = block.brace_token.span.close().end().line;
        self.functions.push(last + 1 - first);
    }

    /// Finds paths among tokens: identifiers with `::` between them.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(ident) if begins_path(&tokens[..at], ident) => {
                    let (named, next) = read_path(&tokens, at);
                    self.add(named);
                    at = next;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Finds paths in the string literals of `#[serde(with = "…")]`.
    fn scan_literals(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let text = literal.to_string();
            let Ok(path) = syn::parse_str::<Path>(text.trim_matches('"')) else { continue };
            let line = literal.span().start().line;
            self.add(Named { line, ..Named::from_path(&path) });
        }
    }
}

/// Whether an identifier is the first one of a path, and not a field, a method, a lifetime, a
/// variable of a macro, or a name in another crate.
fn begins_path(before: &[TokenTree], ident: &proc_macro2::Ident) -> bool {
    match before.last() {
        Some(TokenTree::Punct(last)) => match last.as_char() {
            '$' => ident == "crate",
            // A range `a..b` names `b`; a field `a.b` does not.
            '.' => is_punct(before.len().checked_sub(2).map(|at| &before[at]), '.'),
            ':' => !is_punct(before.len().checked_sub(2).map(|at| &before[at]), ':'),
            '\'' => false,
            _ => true,
        },
        _ => true,
    }
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn read_path(tokens: &[TokenTree], from: usize) -> (Named, usize) {
    let mut segments = Vec::new();
    let mut at = from;
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        segments.push(plain(ident));
        at += 1;
        if !is_punct(tokens.get(at), ':') || !is_punct(tokens.get(at + 1), ':') {
            break;
        }
        at += 2;
    }
    let is_macro = is_punct(tokens.get(at), '!') && !is_punct(tokens.get(at + 1), '=');
    let line = tokens[from].span().start().line;
    (Named { segments, line, is_macro, is_global: false }, at)
}

/// What is named inside of a block only.
fn locals(block: &Block) -> BTreeMap<String, Option<Vec<String>>> {
    let mut found = BTreeMap::new();
    for statement in &block.stmts {
        let Stmt::Item(item) = statement else { continue };
        let name = match item {
            Item::Use(import) => {
                for import in imports(import) {
                    if let Some(name) = import.name {
                        found.insert(name, Some(import.path));
                    }
                }
                continue;
            }
            Item::Struct(it) => &it.ident,
            Item::Enum(it) => &it.ident,
            Item::Fn(it) => &it.sig.ident,
            Item::Const(it) => &it.ident,
            Item::Static(it) => &it.ident,
            Item::Type(it) => &it.ident,
            Item::Trait(it) => &it.ident,
            _ => continue,
        };
        found.insert(plain(name), None);
    }
    found
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if let ImplItem::Fn(function) = item {
            if is_test(&function.attrs) {
                self.tests.push(item.span().start().line..=item.span().end().line);
                return;
            }
            self.function(&function.sig, &function.block);
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.blocks.push(locals(block));
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.found.extend(imports(item).iter().map(Named::from_import));
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.add(Named::from_path(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add(Named { is_macro: true, ..Named::from_path(&call.path) });
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // `#[test]` and the like are of the language.
        if attribute.path().segments.len() > 1 {
            self.add(Named::from_path(attribute.path()));
        }
        let Meta::List(list) = &attribute.meta else { return };
        if ["cfg", "cfg_attr", "allow", "expect"].iter().any(|name| list.path.is_ident(name)) {
            return;
        }
        self.scan(list.tokens.clone());
        if list.path.is_ident("serde") {
            self.scan_literals(&list.tokens);
        }
    }

    /// `pub(in …)` is no use of a module.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
