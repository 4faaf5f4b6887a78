//! What no type may be made of, wherever in it it stands.
//!
//! It is looked for in the tokens, since a type may hide it in any of its arguments.

use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Ident, Punct, TokenStream, TokenTree};

use super::span;
use crate::errors::Errors;
use crate::model::{Interface, Method};

/// Where the type stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// What an argument is, behind its own reference: text and bytes in it may be borrowed from the message.
    Argument,
    /// Nothing in a result is borrowed.
    Result,
}

/// Refuses `Self`, `impl`, and what is borrowed that cannot be.
pub(super) fn unsendable(
    interface: &Interface,
    method: &Method,
    tokens: TokenStream,
    place: Place,
    errors: &mut Errors,
) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Group(group) => unsendable(interface, method, group.stream(), place, errors),
            TokenTree::Ident(ident) if ident == "Self" => errors.refuse(
                ident,
                format!(
                    "an object and its proxy are not of one type: write `Remote<dyn {}>` for an object of this interface",
                    interface.item.ident
                ),
            ),
            TokenTree::Ident(ident) if ident == "impl" => errors.refuse(
                ident,
                "both processes need to know the type: write it out, or take a `Callback<A>` or a `Function<A, R>`",
            ),
            TokenTree::Punct(punct) if punct.as_char() == '&' => reference(punct, &mut tokens, place, errors),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = name_of_lifetime(&mut tokens);
                // A lifetime with a name is refused where it is declared; what is `'static` shows whether it can be received.
                let declared = !method.signature.generics.params.is_empty();
                let elided = name.as_ref().is_some_and(|name| name == "_");
                let fits = match place {
                    Place::Argument => true,
                    Place::Result => !elided,
                };
                if !(fits || declared) {
                    errors.refuse(span(&token, name), place.advice());
                }
            }
            _ => {}
        }
    }
}

/// Reads on behind an `&`.
fn reference(and: &Punct, tokens: &mut Peekable<IntoIter>, place: Place, errors: &mut Errors) {
    let mut name = None;
    if matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '\'') {
        tokens.next();
        name = name_of_lifetime(tokens);
    }
    let of_message = match tokens.peek() {
        Some(TokenTree::Ident(ident)) => ident == "str",
        Some(TokenTree::Group(group)) => {
            group.delimiter() == Delimiter::Bracket && group.stream().to_string().trim() == "u8"
        }
        // Another reference, which is looked at next.
        Some(TokenTree::Punct(punct)) => punct.as_char() == '&',
        _ => false,
    };
    if place == Place::Result || !of_message || name.is_some_and(|name| name == "static") {
        errors.refuse(and, place.advice());
    }
}

fn name_of_lifetime(tokens: &mut Peekable<IntoIter>) -> Option<Ident> {
    match tokens.next() {
        Some(TokenTree::Ident(name)) => Some(name),
        _ => None,
    }
}

impl Place {
    const fn advice(self) -> &'static str {
        match self {
            Self::Argument => {
                "inside an argument `&str` and `&[u8]` are borrowed, for the call: write an owned type, such as `String` or \
                 `Vec<T>`"
            }
            Self::Result => {
                "a value from another process is not borrowed: write an owned type, such as `String` or `Vec<u8>`"
            }
        }
    }
}
