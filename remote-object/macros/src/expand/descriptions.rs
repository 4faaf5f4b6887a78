//! What is told of the methods, and what they are known by on the wire.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{Interface, Kind, Method};

/// One constant for each method, so that a `#[cfg(..)]` on one does not move the others, and lists of them.
pub(super) fn structure(interface: &Interface) -> TokenStream {
    let runtime = &interface.runtime;
    let constants = interface.methods.iter().map(|method| description(interface, method));
    let own = interface.methods.iter().map(|method| {
        let cfg = &method.cfg;
        let constant = method.constant();
        quote!(#(#cfg)* Self::#constant)
    });
    let lists: Vec<_> = interface
        .supertraits()
        .map(|path| {
            let runtime = interface.runtime_at(path.span());
            quote_spanned!(path.span()=> <dyn #path as #runtime::__private::Interface>::METHODS)
        })
        .collect();
    let all = if lists.is_empty() {
        quote!(Self::OWN)
    } else {
        quote!(&#runtime::__private::join::<{ Self::OWN.len() #(+ #lists.len())* }>(&[Self::OWN, #(#lists),*]))
    };
    let name = &interface.item.ident;
    let clash = format!("`{name}` has the same method, with the same signature, by two interfaces: write another name");
    let distinct = (!lists.is_empty()).then(|| {
        let runtime = interface.runtime_at(name.span());
        quote_spanned! {name.span()=>
            const _: () = #runtime::__private::std::assert!(
                #runtime::__private::are_distinct(__Methods::ALL),
                #clash
            );
        }
    });
    quote! {
        struct __Methods;

        #[automatically_derived]
        impl __Methods {
            #(#constants)*
            const OWN: &'static [#runtime::__private::Method] = &[#(#own),*];
            const ALL: &'static [#runtime::__private::Method] = #all;
        }

        #distinct
    }
}

fn description(interface: &Interface, method: &Method) -> TokenStream {
    let runtime = &interface.runtime;
    let cfg = &method.cfg;
    let constant = method.constant();
    let interface = interface.name();
    let name = method.name();
    let fingerprint = method.fingerprint;
    let kind = match method.kind() {
        Kind::Method => quote!(Method),
        Kind::PropertyGet => quote!(PropertyGet),
        Kind::PropertySet => quote!(PropertySet),
        Kind::Constructor => quote!(Constructor),
    };
    let arguments = method.argument_texts();
    let returns = method.returns_text();
    quote! {
        #(#cfg)*
        const #constant: #runtime::__private::Method = #runtime::__private::Method {
            name: #name,
            interface: #interface,
            fingerprint: #fingerprint,
            kind: #runtime::__private::MethodKind::#kind,
            arguments: &[#(#arguments),*],
            returns: #returns,
        };
    }
}
