//! What cannot be in a method.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{FnArg, Receiver, ReceiverKind, ReturnType, Safety};

use super::tokens::Place;
use super::{argument, mark, tokens};
use crate::errors::Errors;
use crate::model::{Interface, Method};

pub(super) fn method(interface: &Interface, method: &Method, errors: &mut Errors) {
    attributes(method, errors);
    qualifiers(method, errors);
    generics(method, errors);
    receiver(method, errors);
    argument::arguments(interface, method, errors);
    returns(interface, method, errors);
    mark::marks(method, errors);
}

/// A `cfg_attr` is expanded after this macro has read the trait.
fn attributes(method: &Method, errors: &mut Errors) {
    for attribute in &method.conditional {
        let hides = |word| mentions(attribute.meta.to_token_stream(), word);
        if hides("cfg") {
            errors.refuse(attribute, "a condition is read before `cfg_attr` is: write `#[cfg(..)]` itself");
        } else if hides("remote") {
            errors.refuse(attribute, "a mark is read before `cfg_attr` is: write `#[remote(..)]` itself");
        }
    }
}

fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}

fn qualifiers(method: &Method, errors: &mut Errors) {
    let signature = &method.signature;
    if let Some(token) = &signature.asyncness {
        errors.refuse(
            token,
            "a method returns its answer or a promise of it: remove `async`, and return a `Promise<T, E>` for what comes later",
        );
    }
    if let Some(token) = &signature.constness {
        errors.refuse(token, "a call happens at run time: remove `const`");
    }
    match &signature.safety {
        Safety::Default => {}
        Safety::Safe(token) => errors.refuse(token, "every method is safe: remove `safe`"),
        Safety::Unsafe(token) => {
            errors.refuse(token, "another process cannot be trusted to keep a contract: remove `unsafe`")
        }
    }
    if let Some(abi) = &signature.abi {
        errors.refuse(abi, "a call is sent as a message: remove `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.refuse(variadic, "write the arguments out, or a `Vec<T>`");
    }
}

fn generics(method: &Method, errors: &mut Errors) {
    let generics = &method.signature.generics;
    if !generics.params.is_empty() {
        let message = if generics.type_params().next().is_some() {
            "what is sent has one type: write it out, or write one method for each type"
        } else if generics.const_params().next().is_some() {
            "what is sent has one type: write the number out, or write a `Vec<T>`"
        } else {
            "what is lent is lent for the call: remove the lifetimes"
        };
        errors.refuse(generics, message);
    }
    if let Some(clause) = &generics.where_clause {
        errors.refuse(clause, "every method can be called through `dyn`: remove this clause");
    }
}

fn receiver(method: &Method, errors: &mut Errors) {
    match method.signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => {}
        Some(FnArg::Receiver(receiver)) => {
            errors.refuse(receiver, "many processes may hold the object at once: write `&self`")
        }
        _ => {
            let ident = &method.signature.ident;
            errors.refuse(ident, format!("a method is called on an object: write `fn {ident}(&self, ..)`"));
        }
    }
}

/// Whether it is `&self`, and not as much as a lifetime more.
fn is_shared(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(_, None, None)) && receiver.mutability.is_none()
}

fn returns(interface: &Interface, method: &Method, errors: &mut Errors) {
    match &method.signature.output {
        ReturnType::Default => {
            let ident = &method.signature.ident;
            errors.refuse(ident, "a call can fail: write `-> Result<(), E>`, where `E` can be made from a `CallError`");
        }
        ReturnType::Type(_, returns) => {
            tokens::unsendable(interface, method, returns.to_token_stream(), Place::Result, errors);
        }
    }
}
