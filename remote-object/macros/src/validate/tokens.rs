//! What no type may be made of, wherever in it it stands.
//!
//! It is looked for in the tokens, since a type may hide it in any of its arguments.

use proc_macro2::{TokenStream, TokenTree};

use super::span;
use crate::errors::Errors;
use crate::model::{Interface, Method};

/// Refuses `Self`, `impl`, and, with `borrowed` for the message, references and lifetimes.
pub(super) fn unsendable(
    interface: &Interface,
    method: &Method,
    tokens: TokenStream,
    borrowed: &str,
    errors: &mut Errors,
) {
    // The reference that was reported last is reported once, not for its lifetime as well.
    let mut in_reference = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let after_reference = std::mem::take(&mut in_reference);
        match &token {
            TokenTree::Group(group) => {
                unsendable(interface, method, group.stream(), borrowed, errors);
            }
            TokenTree::Ident(ident) if ident == "Self" => errors.refuse(
                ident,
                format!(
                    "an object and its proxy are not of one type: write `Remote<dyn {}>` for an object of this interface",
                    interface.item.ident
                ),
            ),
            TokenTree::Ident(ident) if ident == "impl" => errors.refuse(
                ident,
                "both processes need to know the type: write it out, or a `Callback<A>` for a closure",
            ),
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                errors.refuse(punct, borrowed);
                in_reference = true;
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = tokens.next();
                let is_static = matches!(&name, Some(TokenTree::Ident(name)) if name == "static");
                // A lifetime with a name is refused where it is declared.
                let declared = !method.signature.generics.params.is_empty();
                if !(is_static || declared || after_reference) {
                    errors.refuse(span(&token, name), borrowed);
                }
            }
            _ => {}
        }
    }
}
