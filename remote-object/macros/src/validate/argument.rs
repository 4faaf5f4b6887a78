//! What cannot be an argument.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Pat, Type, TypeReference};

use super::tokens::Place;
use super::{span, tokens};
use crate::errors::Errors;
use crate::model::{Argument, Interface, Method, ungroup};
use crate::text::text;

pub(super) fn arguments(interface: &Interface, method: &Method, errors: &mut Errors) {
    for argument in &method.arguments {
        attributes(argument, errors);
        pattern(argument, errors);
        let rest = match ungroup(&argument.r#type) {
            Type::Reference(lent) => reference(lent, errors),
            owned => owned.to_token_stream(),
        };
        tokens::unsendable(interface, method, rest, Place::Argument, errors);
    }
    if let Some(argument) = method.arguments.get(ARGUMENTS) {
        errors.refuse(
            &argument.pattern,
            format!("a method takes at most {ARGUMENTS} arguments: write a struct that holds them"),
        );
    }
}

fn attributes(argument: &Argument, errors: &mut Errors) {
    for attribute in &argument.attributes {
        let path = attribute.path();
        if path.is_ident("cfg") || path.is_ident("cfg_attr") {
            errors.refuse(
                attribute,
                "the arguments are the method's on the wire: write `#[cfg(..)]` on the whole method",
            );
        }
    }
}

fn pattern(argument: &Argument, errors: &mut Errors) {
    match &argument.pattern {
        Pat::Ident(name) if name.subpat.is_none() => {
            if let Some(token) = &name.mutability {
                errors.refuse(token, "remove `mut`, and write a `let mut` in the body");
            }
            if let Some(token) = &name.by_ref {
                errors.refuse(token, "remove `ref`, and borrow in the body");
            }
        }
        other => errors.refuse(other, "write a plain name for this argument"),
    }
}

/// Gives what is left to look through: what is behind the reference.
fn reference(lent: &TypeReference, errors: &mut Errors) -> TokenStream {
    let behind = text(&lent.elem);
    if let Some(token) = &lent.mutability {
        errors.refuse(
            span(lent.and_token, token),
            format!("another process cannot change it: write `&{behind}`, and return what changed"),
        );
    }
    match &lent.lifetime {
        Some(lifetime) if lifetime.ident == "static" => {
            errors.refuse(lifetime, format!("what is lent is lent for the call: write `&{behind}`"))
        }
        _ => {}
    }
    if let Type::TraitObject(object) = ungroup(&lent.elem) {
        let object = text(object);
        errors
            .refuse(lent, format!("an object is sent as a reference to it that is counted: write `Remote<{object}>`"));
    }
    lent.elem.to_token_stream()
}

/// The most arguments of a method. The traits of the standard library stop at tuples of twelve, and so does a reader's patience.
const ARGUMENTS: usize = 12;
