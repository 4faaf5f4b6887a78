//! Writes what stands beside the trait: one function for each item.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Item, ItemTrait};

use crate::errors::Errors;
use crate::model::{Interface, Kind};
use crate::validate;

mod proxy;
mod remote;

/// What `#[remote_object::interface]` leaves in place of `item`.
pub(crate) fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !arguments.is_empty() {
        errors.refuse(&arguments, "write `#[remote_object::interface]`, without arguments");
    }
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
    let interface = Interface::parse(item, &mut errors);
    validate::interface(&interface, &mut errors);
    if let Some(errors) = errors.into_compile_errors() {
        // The trait is still there, so that what uses it does not fail as well.
        let item = &interface.item;
        return quote!(#item #errors);
    }

    let written = trait_as_written(&interface);
    let proxy = proxy::structure(&interface);
    let descriptions = proxy::descriptions(&interface);
    let proxy_impl = proxy::trait_impl(&interface);
    let interface_impl = remote::interface_impl(&interface);
    quote! {
        #written
        #proxy
        #descriptions
        #proxy_impl
        #interface_impl
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
