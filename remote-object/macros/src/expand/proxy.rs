//! The trait for the runtime's proxy: every method is a call.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

use crate::model::{Argument, Interface, Method, Passing};

/// The trait, for the proxy of this interface and of every interface that has this one as a supertrait.
pub(super) fn trait_impl(interface: &Interface) -> TokenStream {
    let runtime = &interface.runtime;
    let name = &interface.item.ident;
    let methods = interface.methods.iter().map(|method| call(interface, method));
    // A supertrait that it does not have is no interface.
    let place = interface.supertraits().next().map_or_else(Span::call_site, Spanned::span);
    let runtime_at_supertrait = interface.runtime_at(place);
    let proxy = quote_spanned!(place=> #runtime_at_supertrait::__private::TypedProxy<__I>);
    quote! {
        #[automatically_derived]
        impl<__I: #runtime::__private::Interface + #name + ?#runtime::__private::std::marker::Sized> #name for #proxy {
            #(#methods)*
        }
    }
}

fn call(interface: &Interface, method: &Method) -> TokenStream {
    let runtime = &interface.runtime;
    let Method { cfg, allowed, .. } = method;
    let name = &method.signature.ident;
    let output = &method.signature.output;
    let variables = method.arguments.iter().map(|argument| &argument.variable);
    let types = method.arguments.iter().map(|argument| &argument.r#type);
    let values = method.arguments.iter().map(|argument| encoded(interface, argument));
    let constant = method.constant();
    let returns = returns(interface, output);
    let holds = holds(interface, method);
    // What cannot be encoded is complained of at its type.
    let arguments = quote_spanned!(method.signature.paren_token.span.join()=> &(#(#values,)*));
    quote! {
        #(#cfg)*
        #(#allowed)*
        fn #name(&self #(, #variables: #types)*) #output {
            #runtime::__private::call(self, &__Methods::#constant, #returns, #holds, #arguments)
        }
    }
}

/// What the runtime needs to know of the return type, in its place, where the compiler complains of what does not fit.
pub(super) fn returns(interface: &Interface, output: &ReturnType) -> TokenStream {
    let returns = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, returns) => returns.to_token_stream(),
    };
    let place = returns.span();
    let runtime = interface.runtime_at(place);
    quote_spanned!(place=> #runtime::__private::returns::<#returns>())
}

/// What the arguments may hold, as far as their types tell.
fn holds(interface: &Interface, method: &Method) -> TokenStream {
    let runtime = &interface.runtime;
    let name = quote!(#runtime::__private::Holds);
    method.arguments.iter().fold(quote!(#name::Nothing), |all, argument| {
        let r#type = match &argument.passing {
            Passing::Str | Passing::Bytes | Passing::ByteVec => return all,
            Passing::Slice(element) => quote!(#element),
            Passing::Reference(behind) => quote!(#behind),
            Passing::Owned => argument.r#type.to_token_stream(),
        };
        quote!(#name::and(#all, #name::of::<#r#type>()))
    })
}

fn encoded(interface: &Interface, argument: &Argument) -> TokenStream {
    let runtime = &interface.runtime;
    let variable = &argument.variable;
    match argument.passing {
        Passing::Bytes => quote!(#runtime::__private::Bytes(#variable)),
        Passing::ByteVec => quote!(#runtime::__private::Bytes(&#variable)),
        Passing::Str | Passing::Slice(_) | Passing::Reference(_) | Passing::Owned => quote!(#variable),
    }
}
