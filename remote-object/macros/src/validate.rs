//! Says what cannot be remote, and what to write instead.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemTrait, TraitItem};

use crate::errors::Errors;
use crate::model::{Interface, Method, Supertrait};
use crate::text::text;

mod argument;
mod mark;
mod method;
mod tokens;

/// Adds everything that is wrong with `interface` to `errors`.
pub(crate) fn interface(interface: &Interface, errors: &mut Errors) {
    header(&interface.item, errors);
    supertraits(&interface.item, errors);
    items(&interface.item, errors);
    for each in &interface.methods {
        method::method(interface, each, errors);
    }
    twins(&interface.methods, errors);
}

fn header(item: &ItemTrait, errors: &mut Errors) {
    if let Some(token) = &item.unsafety {
        errors.refuse(token, "a proxy promises nothing: remove `unsafe`");
    }
    if let Some(token) = &item.modifiers.auto_token {
        errors.refuse(token, "an interface has methods: remove `auto`");
    }
    if !item.generics.params.is_empty() {
        errors.refuse(&item.generics, "an interface is one `dyn` type: write the types out, in one trait for each");
    }
    if let Some(clause) = &item.generics.where_clause {
        errors.refuse(clause, "an interface has no generics: remove this clause");
    }
}

fn supertraits(item: &ItemTrait, errors: &mut Errors) {
    let mut send = false;
    let mut sync = false;
    for bound in &item.supertraits {
        match Supertrait::of(bound) {
            Supertrait::Send => send = true,
            Supertrait::Sync => sync = true,
            Supertrait::OfEveryProxy | Supertrait::Interface(_) => {}
            Supertrait::Refused => errors.refuse(
                bound,
                "the proxy cannot implement this supertrait: move its methods into the interface, or write a trait of its own \
                 for it, and implement both",
            ),
        }
    }
    // Through an interface they are inherited.
    let inherited = item.supertraits.iter().any(|bound| matches!(Supertrait::of(bound), Supertrait::Interface(_)));
    if !(send && sync || inherited) {
        let visibility = match text(&item.vis) {
            written if written.is_empty() => written,
            written => format!("{written} "),
        };
        errors.refuse(
            &item.ident,
            format!("calls come from any thread: write `{visibility}trait {}: Send + Sync`", item.ident),
        );
    }
}

fn items(item: &ItemTrait, errors: &mut Errors) {
    for item in &item.items {
        match item {
            TraitItem::Fn(_) => {}
            TraitItem::Const(constant) => errors
                .refuse(constant, "a constant cannot be asked for: write a method `fn name(&self) -> Result<T, E>`"),
            TraitItem::Type(associated) => {
                errors.refuse(associated, "an interface is one `dyn` type: write the type where it is used")
            }
            TraitItem::Macro(invocation) => {
                errors.refuse(invocation, "what a macro makes here cannot be seen: write the methods out")
            }
            other => errors.refuse(other, "write a method `fn name(&self) -> Result<T, E>`"),
        }
    }
}

/// No two methods may be known by the same name or the same number.
fn twins(methods: &[Method], errors: &mut Errors) {
    let mut by_name = HashMap::new();
    let mut by_fingerprint = HashMap::new();
    for method in methods {
        let ident = &method.signature.ident;
        let name = method.name();
        let first: &Method = by_name.entry(name.clone()).or_insert(method);
        // Of methods under `#[cfg(..)]` the compiler sees whether both are there.
        if !std::ptr::eq(first, method) && first.cfg.is_empty() && method.cfg.is_empty() {
            errors.refuse(ident, format!("there is a method `{name}` already: write another name"));
        }
        let first: &Method = by_fingerprint.entry(method.fingerprint).or_insert(method);
        if first.name() != name {
            errors.refuse(
                ident,
                format!("the fingerprints of `{}` and `{name}` are the same: write another name", first.name()),
            );
        }
    }
}

/// Tokens to point at all of `first` to `last`.
fn span(first: impl ToTokens, last: impl ToTokens) -> TokenStream {
    quote!(#first #last)
}

#[cfg(test)]
mod tests;
