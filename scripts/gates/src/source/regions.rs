//! Which parts of a file are for tests only, which are constants, and where its modules lie.

use proc_macro2::LineColumn;
use std::path::{Path, PathBuf};
use syn::{
    Attribute, Expr, File, ImplItem, Item, ItemMod, Lit, Meta, Stmt, Token, TraitItem, punctuated::Punctuated,
    spanned::Spanned, visit::Visit,
};

/// From a place up to another, that one excluded.
type Region = (LineColumn, LineColumn);

#[derive(Debug, Default)]
pub(super) struct Regions {
    /// What is compiled for tests only.
    pub(super) test: Vec<Region>,
    /// Constants: their values are worked out while compiling.
    pub(super) consts: Vec<Region>,
    /// The modules that lie in files of their own.
    pub(super) modules: Vec<Module>,
    /// The inline modules around the place that is looked at.
    inline: Vec<String>,
}

/// A module in a file of its own.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) is_test: bool,
    /// The inline modules around it, then its name.
    names: Vec<String>,
    /// What `#[path]` says.
    path: Option<String>,
}

/// The attributes of a syntax node of many shapes.
macro_rules! attributes {
    ($node:expr; $($shape:path),+ $(,)?) => {
        match $node {
            $($shape(node) => &node.attrs,)+
            _ => &[][..],
        }
    };
}

// === impl Regions ===

impl Regions {
    pub(super) fn of(file: &File) -> Self {
        let mut regions = Regions::default();
        regions.visit_file(file);
        regions
    }

    /// Looks into a node unless it is for tests only.
    fn enter(&mut self, attributes: &[Attribute], node: &impl Spanned, into: impl FnOnce(&mut Self)) {
        if attributes.iter().any(is_for_tests) {
            self.test.push(region(node));
        } else {
            into(self);
        }
    }

    fn enter_module(&mut self, item: &ItemMod, is_test: bool) {
        let name = item.ident.to_string();
        if item.content.is_none() {
            self.modules.push(Module {
                is_test,
                names: self.inline.iter().cloned().chain([name]).collect(),
                path: item.attrs.iter().find_map(path_of),
            });
            return;
        }
        self.inline.push(name);
        for item in item.content.iter().flat_map(|(_, items)| items) {
            match item {
                Item::Mod(inner) => self.enter_module(inner, is_test || inner.attrs.iter().any(is_for_tests)),
                other if !is_test => self.visit_item(other),
                _ => {}
            }
        }
        self.inline.pop();
    }
}

impl<'ast> Visit<'ast> for Regions {
    fn visit_item(&mut self, item: &'ast Item) {
        use Item::*;
        let attributes = attributes!(item; Const, Enum, ExternCrate, Fn, ForeignMod, Impl, Macro, Mod, Static, Struct,
            Trait, TraitAlias, Type, Union, Use);
        if let Mod(module) = item {
            let is_test = attributes.iter().any(is_for_tests);
            if is_test {
                self.test.push(region(item));
            }
            return self.enter_module(module, is_test);
        }
        if let Const(_) = item {
            self.consts.push(region(item));
        }
        self.enter(attributes, item, |this| syn::visit::visit_item(this, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if let ImplItem::Const(_) = item {
            self.consts.push(region(item));
        }
        let attributes = attributes!(item; ImplItem::Const, ImplItem::Fn, ImplItem::Type, ImplItem::Macro);
        self.enter(attributes, item, |this| syn::visit::visit_impl_item(this, item));
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = attributes!(item; TraitItem::Const, TraitItem::Fn, TraitItem::Type, TraitItem::Macro);
        self.enter(attributes, item, |this| syn::visit::visit_trait_item(this, item));
    }

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        let attributes = match stmt {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(call) => &call.attrs,
            Stmt::Expr(Expr::Block(block), _) => &block.attrs,
            _ => &Vec::new(),
        };
        self.enter(attributes, stmt, |this| syn::visit::visit_stmt(this, stmt));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.enter(&field.attrs, field, |this| syn::visit::visit_field(this, field));
    }

    fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
        self.enter(&value.attrs, value, |this| syn::visit::visit_field_value(this, value));
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.enter(&variant.attrs, variant, |this| syn::visit::visit_variant(this, variant));
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.enter(&arm.attrs, arm, |this| syn::visit::visit_arm(this, arm));
    }
}

// === impl Module ===

impl Module {
    /// The files that may hold the module, when `parent` declares it.
    pub(super) fn files(&self, parent: &Path) -> Vec<PathBuf> {
        let folder = parent.parent().unwrap_or(Path::new(""));
        if let Some(path) = &self.path {
            return vec![folder.join(path)];
        }
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_root = matches!(&*name(parent), "lib.rs" | "main.rs" | "mod.rs") || name(folder) == "bin";
        let below = if is_root {
            folder.to_owned()
        } else {
            parent.with_extension("")
        };
        let below = self.names.iter().fold(below, |path, name| path.join(name));
        vec![below.with_extension("rs"), below.join("mod.rs")]
    }
}

/// Whether an attribute keeps its node out of every build but that of the tests: `#[cfg(test)]`, also as one of `all` or as
/// each of `any`, and `#[test]` of any maker.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let is_test = path.segments.last().is_some_and(|segment| segment.ident == "test");
    let is_cfg = || path.is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| means_test(&meta));
    is_test || is_cfg()
}

fn means_test(predicate: &Meta) -> bool {
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let inner = inner.unwrap_or_default();
            match list.path.get_ident().map(ToString::to_string).as_deref() {
                Some("all") => inner.iter().any(means_test),
                Some("any") => !inner.is_empty() && inner.iter().all(means_test),
                _ => false,
            }
        }
        Meta::NameValue(_) => false,
    }
}

fn path_of(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(named) = &attribute.meta else {
        return None;
    };
    match &named.value {
        Expr::Lit(value) if named.path.is_ident("path") => match &value.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn region(node: &impl Spanned) -> Region {
    let span = node.span();
    (span.start(), span.end())
}
