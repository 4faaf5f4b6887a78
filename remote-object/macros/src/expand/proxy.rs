//! The struct that stands for an object of another process.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

use crate::model::{Argument, Interface, Kind, Method, Passing};

pub(super) fn structure(interface: &Interface) -> TokenStream {
    let visibility = &interface.item.vis;
    let proxy = interface.proxy();
    let documentation = format!("A [`{}`] that lives in another process: every method is a call.", interface.name());
    quote! {
        #[doc = #documentation]
        #[derive(::std::fmt::Debug)]
        #visibility struct #proxy {
            proxy: ::remote_object::__private::Proxy,
        }
    }
}

/// One constant for each method, so that a `#[cfg(..)]` on one does not move the others.
pub(super) fn descriptions(interface: &Interface) -> TokenStream {
    let proxy = interface.proxy();
    let constants = interface.methods.iter().map(description);
    quote! {
        #[automatically_derived]
        impl #proxy {
            #(#constants)*
        }
    }
}

fn description(method: &Method) -> TokenStream {
    let cfg = &method.cfg;
    let constant = method.constant();
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
        const #constant: ::remote_object::__private::Method = ::remote_object::__private::Method {
            name: #name,
            fingerprint: #fingerprint,
            kind: ::remote_object::__private::MethodKind::#kind,
            arguments: &[#(#arguments),*],
            returns: #returns,
        };
    }
}

/// The trait, for the proxy.
pub(super) fn trait_impl(interface: &Interface) -> TokenStream {
    let name = &interface.item.ident;
    let proxy = interface.proxy();
    let methods = interface.methods.iter().map(call);
    quote! {
        #[automatically_derived]
        impl #name for #proxy {
            #(#methods)*
        }
    }
}

fn call(method: &Method) -> TokenStream {
    let cfg = &method.cfg;
    let name = &method.signature.ident;
    let output = &method.signature.output;
    let patterns = method.arguments.iter().map(|argument| &argument.pattern);
    let types = method.arguments.iter().map(|argument| &argument.r#type);
    let values = method.arguments.iter().map(encoded);
    let constant = method.constant();
    let function = runtime_call(output);
    quote! {
        #(#cfg)*
        fn #name(&self #(, #patterns: #types)*) #output {
            #function(&self.proxy, &Self::#constant, &(#(#values,)*))
        }
    }
}

/// The runtime's function, in the place of the return type, where the compiler complains of what it does not fit.
fn runtime_call(output: &ReturnType) -> TokenStream {
    match output {
        ReturnType::Default => quote!(::remote_object::__private::call),
        ReturnType::Type(_, returns) => {
            quote_spanned!(returns.span()=> ::remote_object::__private::call::<_, #returns>)
        }
    }
}

fn encoded(argument: &Argument) -> TokenStream {
    let name = &argument.pattern;
    match argument.passing {
        Passing::Bytes => quote!(::remote_object::__private::Bytes(#name)),
        Passing::ByteVec => quote!(::remote_object::__private::Bytes(&#name)),
        Passing::Str | Passing::Slice(_) | Passing::Reference(_) | Passing::Owned => quote!(#name),
    }
}
