//! The trait as the rest of the macro sees it. It is taken as it is; `validate` says what is wrong with it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ItemTrait, Pat, Path, ReturnType, Signature, TraitItem, Type, parse_quote};

use crate::errors::Errors;
use crate::fingerprint::fingerprint;
use crate::text::text;

mod attributes;
mod mark;
mod passing;
mod supertrait;

pub(crate) use self::attributes::allowed;
pub(crate) use self::mark::{Mark, Word};
pub(crate) use self::passing::{Passing, ungroup};
pub(crate) use self::supertrait::Supertrait;

/// A trait under `#[remote_object::interface]`.
pub(crate) struct Interface {
    /// The crate `remote_object`, by the path to it from here.
    pub(crate) runtime: Path,
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
        Self { runtime: parse_quote!(::remote_object), item, methods }
    }

    /// The path to `remote_object` where the user is to look, if the compiler complains of what it begins.
    pub(crate) fn runtime_at(&self, place: Span) -> TokenStream {
        let at_place = |mut token: TokenTree| {
            // It still means what it means where it was written.
            token.set_span(place.resolved_at(token.span()));
            token
        };
        self.runtime.to_token_stream().into_iter().map(at_place).collect()
    }

    /// The supertraits that are taken for interfaces: all that have a name of their own.
    pub(crate) fn supertraits(&self) -> impl Iterator<Item = &Path> {
        self.item.supertraits.iter().filter_map(|bound| match Supertrait::of(bound) {
            Supertrait::Interface(path) => Some(path),
            _ => None,
        })
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
    /// Its `#[cfg_attr(..)]` attributes.
    pub(crate) conditional: Vec<Attribute>,
    /// The lints that are allowed in it, which generated code is then allowed as well.
    pub(crate) allowed: Vec<Attribute>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) signature: Signature,
    /// All but the receiver.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) fingerprint: u64,
}

impl Method {
    fn new(index: usize, attributes: &[Attribute], marks: Vec<Mark>, signature: Signature) -> Self {
        let named =
            |name| attributes.iter().filter(move |attribute| attribute.path().is_ident(name)).cloned().collect();
        let (cfg, conditional) = (named("cfg"), named("cfg_attr"));
        let allowed = allowed(attributes);
        let arguments: Vec<_> = signature.inputs.iter().enumerate().filter_map(Argument::new).collect();
        let mut method = Self { index, cfg, conditional, allowed, marks, signature, arguments, fingerprint: 0 };
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
    /// What it is called in generated code, so that no lint on names has to do with it. It stands where the type does, since that is what
    /// is wrong if anything is.
    pub(crate) variable: Ident,
}

impl Argument {
    /// `None` for the receiver.
    fn new((index, input): (usize, &FnArg)) -> Option<Self> {
        let FnArg::Typed(input) = input else {
            return None;
        };
        Some(Self {
            pattern: (*input.pat).clone(),
            attributes: input.attrs.clone(),
            r#type: (*input.ty).clone(),
            passing: Passing::of(&input.ty),
            variable: Ident::new(&format!("argument_{index}"), input.ty.span()),
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
