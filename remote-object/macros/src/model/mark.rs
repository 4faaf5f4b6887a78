//! `#[remote(..)]`, the attribute on methods.

use syn::{Attribute, Path};

use crate::errors::Errors;

/// One word of a `#[remote(..)]`.
pub(crate) struct Mark {
    /// The word as written, for errors to point at.
    pub(crate) path: Path,
    pub(crate) word: Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Property,
    Constructor,
}

impl Mark {
    /// Removes every `#[remote(..)]` from `attributes` and gives what they say.
    pub(crate) fn take(attributes: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<Self> {
        let mut marks = Vec::new();
        attributes.retain(|attribute| {
            if !attribute.path().is_ident(ATTRIBUTE) {
                return true;
            }
            match Self::parse(attribute) {
                Ok(parsed) => marks.extend(parsed),
                Err(error) => errors.push(error),
            }
            false
        });
        marks
    }

    fn parse(attribute: &Attribute) -> syn::Result<Vec<Self>> {
        if attribute.meta.require_list().is_err() {
            return Err(syn::Error::new_spanned(attribute, WORDS));
        }
        let mut marks = Vec::new();
        attribute.parse_nested_meta(|meta| {
            let word = if meta.path.is_ident("property") {
                Word::Property
            } else if meta.path.is_ident("constructor") {
                Word::Constructor
            } else {
                return Err(meta.error(WORDS));
            };
            marks.push(Self { path: meta.path, word });
            Ok(())
        })?;
        if marks.is_empty() {
            return Err(syn::Error::new_spanned(attribute, WORDS));
        }
        Ok(marks)
    }
}

/// The name of the attribute.
const ATTRIBUTE: &str = "remote";

const WORDS: &str = "write `#[remote(property)]` or `#[remote(constructor)]`";
