//! Writes what stands beside the trait: one function for each item.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Item, ItemTrait, Path, Token};

use crate::errors::Errors;
use crate::model::{Interface, Kind, allowed};
use crate::validate;

mod descriptions;
mod proxy;
mod remote;

/// What `#[remote_object::interface]` leaves in place of `item`.
pub(crate) fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let runtime = runtime(arguments, &mut errors);
    let item = match syn::parse2(item.clone()) {
        Ok(Item::Trait(item)) => item,
        Ok(other) => {
            errors.refuse(&other, "write a trait: `pub trait Name: Send + Sync { .. }`");
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
        Err(error) => {
            errors.push(error);
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    let mut interface = Interface::parse(item, &mut errors);
    interface.runtime = runtime.unwrap_or(interface.runtime);
    validate::interface(&interface, &mut errors);
    if let Some(errors) = errors.into_compile_errors() {
        // The trait is still there, so that what uses it does not fail as well.
        let item = &interface.item;
        return quote!(#item #errors);
    }

    let written = trait_as_written(&interface);
    let allowed = allowed(&interface.item.attrs);
    let descriptions = descriptions::structure(&interface);
    let proxy_impl = proxy::trait_impl(&interface);
    let interface_impl = remote::interface_impl(&interface);
    // What is deprecated is implemented and served like anything else. Its user was told of a qualified name at the trait.
    quote! {
        #written
        #[allow(deprecated, unused_qualifications, clippy::all, clippy::pedantic, clippy::nursery)]
        #(#allowed)*
        const _: () = {
            #descriptions
            #proxy_impl
            #interface_impl
        };
    }
}

/// What the attribute's arguments say: `crate = path`, or nothing.
fn runtime(arguments: TokenStream, errors: &mut Errors) -> Option<Path> {
    if arguments.is_empty() {
        return None;
    }
    let parse = |input: ParseStream<'_>| {
        input.parse::<Token![crate]>()?;
        input.parse::<Token![=]>()?;
        let path = input.call(Path::parse_mod_style)?;
        input.parse::<Option<Token![,]>>()?;
        Ok(path)
    };
    match parse.parse2(arguments.clone()) {
        Ok(path) => Some(path),
        Err(_) => {
            errors.refuse(
                arguments,
                "write `#[interface]`, or `#[interface(crate = path)]` where `remote_object` has another name",
            );
            None
        }
    }
}

fn trait_as_written(interface: &Interface) -> TokenStream {
    let item: &ItemTrait = &interface.item;
    let constructs = interface.methods.iter().any(|method| method.kind() == Kind::Constructor);
    // `fn new(&self) -> Result<Remote<dyn Trait>, E>` is what a constructor looks like here.
    let allow = constructs.then(|| quote!(#[allow(clippy::wrong_self_convention, clippy::new_ret_no_self)]));
    quote!(#allow #item)
}

#[cfg(test)]
mod tests;
