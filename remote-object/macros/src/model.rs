//! The trait as the rest of the macro sees it. It is taken as it is; `validate` says what is wrong with it.

use proc_macro2::Span;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, Ident, ItemTrait, Pat, ReturnType, Signature, TraitItem, Type};

use crate::errors::Errors;
use crate::fingerprint::fingerprint;
use crate::text::text;

mod mark;
mod passing;

pub(crate) use self::mark::{Mark, Word};
pub(crate) use self::passing::{Passing, ungroup};

/// A trait under `#[remote_object::interface]`.
pub(crate) struct Interface {
    /// The trait as written, without the marks on its methods.
    pub(crate) item: ItemTrait,
    pub(crate) methods: Vec<Method>,
}

impl Interface {
    /// Takes the marks off the trait, and reads its methods. Marks that are misspelt or misplaced go to `errors`.
    pub(crate) fn parse(mut item: ItemTrait, errors: &mut Errors) -> Self {
        for mark in Mark::take(&mut item.attrs, errors) {
            errors.refuse(mark.path, "this is for methods: write it on one");
        }
        let methods = item
            .items
            .iter_mut()
            .filter_map(|item| match item {
                TraitItem::Fn(method) => Some(method),
                _ => None,
            })
            .enumerate()
            .map(|(index, method)| {
                let marks = Mark::take(&mut method.attrs, errors);
                Method::new(index, &method.attrs, marks, method.sig.clone())
            })
            .collect();
        Self { item, methods }
    }

    /// The name of the struct that stands for an object of another process.
    pub(crate) fn proxy(&self) -> Ident {
        format_ident!("{}Proxy", self.item.ident)
    }

    /// The name of the trait without `r#`.
    pub(crate) fn name(&self) -> String {
        self.item.ident.unraw().to_string()
    }
}

/// A method of the trait.
pub(crate) struct Method {
    /// Where it stands among all the methods written, also those that a `#[cfg]` takes away.
    index: usize,
    /// Its `#[cfg(..)]` attributes, which everything generated for it repeats.
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) signature: Signature,
    /// All but the receiver.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) fingerprint: u64,
}

impl Method {
    fn new(index: usize, attributes: &[Attribute], marks: Vec<Mark>, signature: Signature) -> Self {
        let cfg = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        let arguments: Vec<_> = signature.inputs.iter().filter_map(Argument::new).collect();
        let mut method = Self { index, cfg, marks, signature, arguments, fingerprint: 0 };
        method.fingerprint = fingerprint(&format!(
            "{}({}) -> {}",
            method.name(),
            method.argument_texts().join(", "),
            method.returns_text(),
        ));
        method
    }

    /// Its name without `r#`.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// The name of the constant that describes it.
    ///
    /// It is numbered, for upper case would make one name of `size_of` and `SIZE_OF`.
    pub(crate) fn constant(&self) -> Ident {
        Ident::new(&format!("METHOD_{}", self.index), Span::call_site())
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.marks.first().map(|mark| mark.word) {
            None => Kind::Method,
            Some(Word::Constructor) => Kind::Constructor,
            Some(Word::Property) if self.name().starts_with(SETTER_PREFIX) => Kind::PropertySet,
            Some(Word::Property) => Kind::PropertyGet,
        }
    }

    /// The arguments as written: `url: &str`.
    pub(crate) fn argument_texts(&self) -> Vec<String> {
        self.arguments.iter().map(Argument::text).collect()
    }

    /// The return type as written, or nothing if there is none.
    pub(crate) fn returns_text(&self) -> String {
        match &self.signature.output {
            ReturnType::Default => String::new(),
            ReturnType::Type(_, returns) => text(returns),
        }
    }
}

/// What a method is marked as with `#[remote(..)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Method,
    PropertyGet,
    PropertySet,
    Constructor,
}

/// An argument of a method.
pub(crate) struct Argument {
    /// The name, once validated.
    pub(crate) pattern: Pat,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) r#type: Type,
    pub(crate) passing: Passing,
}

impl Argument {
    /// `None` for the receiver.
    fn new(input: &FnArg) -> Option<Self> {
        let FnArg::Typed(input) = input else {
            return None;
        };
        Some(Self {
            pattern: (*input.pat).clone(),
            attributes: input.attrs.clone(),
            r#type: (*input.ty).clone(),
            passing: Passing::of(&input.ty),
        })
    }

    fn text(&self) -> String {
        format!("{}: {}", text(&self.pattern), text(&self.r#type))
    }
}

/// What the name of a property's setter begins with.
pub(crate) const SETTER_PREFIX: &str = "set_";

#[cfg(test)]
mod tests;
