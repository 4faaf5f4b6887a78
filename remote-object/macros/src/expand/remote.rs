//! What makes `dyn Trait` an interface of the runtime.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ReturnType;

use crate::model::{Argument, Interface, Method, Passing};

pub(super) fn interface_impl(interface: &Interface) -> TokenStream {
    let name = &interface.item.ident;
    let text = interface.name();
    let proxy = interface.proxy();
    let methods = interface.methods.iter().map(|method| {
        let cfg = &method.cfg;
        let constant = method.constant();
        quote!(#(#cfg)* #proxy::#constant)
    });
    let arms = interface.methods.iter().map(|method| arm(interface, method));
    // A deprecated method is served like any other.
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::remote_object::Interface for dyn #name {
            const NAME: &'static str = #text;
            const METHODS: &'static [::remote_object::__private::Method] = &[#(#methods),*];

            fn proxy(proxy: ::remote_object::__private::Proxy) -> ::std::sync::Arc<Self> {
                ::std::sync::Arc::new(#proxy { proxy })
            }

            fn dispatch<'a>(&self, invocation: ::remote_object::__private::Invocation<'a>) {
                match ::remote_object::__private::Invocation::fingerprint(&invocation, <Self as ::remote_object::Interface>::METHODS) {
                    #(#arms)*
                    _ => ::remote_object::__private::Invocation::no_such_method(
                        invocation,
                        <Self as ::remote_object::Interface>::NAME,
                    ),
                }
            }
        }
    }
}

/// Serves one method.
fn arm(interface: &Interface, method: &Method) -> TokenStream {
    let cfg = &method.cfg;
    let fingerprint = method.fingerprint;
    let trait_name = &interface.item.ident;
    let proxy = interface.proxy();
    let constant = method.constant();
    let name = &method.signature.ident;
    let patterns = method.arguments.iter().map(|argument| &argument.pattern);
    let types = method.arguments.iter().map(decoded);
    let values = method.arguments.iter().map(passed);
    let returns = match &method.signature.output {
        ReturnType::Default => quote!(_),
        ReturnType::Type(_, returns) => quote!(#returns),
    };
    // What cannot be decoded is complained of at the list of arguments.
    let decoded = quote_spanned!(method.signature.paren_token.span.join()=> (#(#types,)*));
    quote! {
        #(#cfg)*
        ::std::option::Option::Some(#fingerprint) => {
            ::remote_object::__private::Invocation::serve::<#decoded, #returns>(
                invocation,
                &#proxy::#constant,
                |(#(#patterns,)*)| <Self as #trait_name>::#name(self #(, #values)*),
            )
        }
    }
}

/// The type that is decoded for an argument.
fn decoded(argument: &Argument) -> TokenStream {
    let r#type = &argument.r#type;
    match &argument.passing {
        Passing::Str => quote!(&'a str),
        Passing::Bytes | Passing::ByteVec => quote!(::remote_object::__private::Bytes<'a>),
        Passing::Slice(element) => quote!(::std::vec::Vec<#element>),
        Passing::Reference(behind) => quote!(#behind),
        Passing::Owned => quote!(#r#type),
    }
}

/// What the method gets of it.
fn passed(argument: &Argument) -> TokenStream {
    let name = &argument.pattern;
    match &argument.passing {
        Passing::Str | Passing::Owned => quote!(#name),
        Passing::Bytes => quote!(#name.0),
        Passing::ByteVec => quote!(#name.0.to_vec()),
        Passing::Slice(_) | Passing::Reference(_) => quote!(&#name),
    }
}
