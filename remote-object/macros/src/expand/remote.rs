//! What makes `dyn Trait` an interface of the runtime.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::proxy::returns;
use crate::model::{Argument, Interface, Method, Passing};

pub(super) fn interface_impl(interface: &Interface) -> TokenStream {
    let runtime = &interface.runtime;
    let name = &interface.item.ident;
    let text = interface.name();
    let arms = interface.methods.iter().map(|method| arm(interface, method));
    let inherited = interface.supertraits().map(|path| {
        let runtime = interface.runtime_at(path.span());
        quote_spanned! {path.span()=>
            let invocation = match <dyn #path as #runtime::__private::Interface>::dispatch(self, invocation) {
                #runtime::__private::std::option::Option::None => {
                    return #runtime::__private::std::option::Option::None;
                }
                #runtime::__private::std::option::Option::Some(invocation) => invocation,
            };
        }
    });
    let offers = interface.supertraits().map(|path| {
        let runtime = interface.runtime_at(path.span());
        quote_spanned! {path.span()=>
            <dyn #path as #runtime::__private::Interface>::offer(#runtime::__private::std::sync::Arc::<Self>::clone(object), upcast);
        }
    });
    quote! {
        #[automatically_derived]
        impl #runtime::__private::Interface for dyn #name {
            const NAME: &'static str = #text;
            const METHODS: &'static [#runtime::__private::Method] = __Methods::ALL;

            fn proxy(proxy: #runtime::__private::Proxy) -> #runtime::__private::std::sync::Arc<Self> {
                #runtime::__private::std::sync::Arc::new(#runtime::__private::TypedProxy::<Self>::new(proxy))
            }

            fn dispatch<'a>(
                &self,
                invocation: #runtime::__private::Invocation<'a>,
            ) -> #runtime::__private::std::option::Option<#runtime::__private::Invocation<'a>> {
                match #runtime::__private::Invocation::fingerprint(&invocation, __Methods::ALL) {
                    #(#arms)*
                    _ => {}
                }
                #(#inherited)*
                #runtime::__private::std::option::Option::Some(invocation)
            }

            fn upcast(
                object: &#runtime::__private::std::sync::Arc<Self>,
                upcast: &mut #runtime::__private::Upcast<'_>,
            ) {
                let _ = (object, &upcast);
                #(#offers)*
            }
        }
    }
}

/// Serves one method.
fn arm(interface: &Interface, method: &Method) -> TokenStream {
    let runtime = &interface.runtime;
    let Method { cfg, allowed, fingerprint, .. } = method;
    let trait_name = &interface.item.ident;
    let constant = method.constant();
    let name = &method.signature.ident;
    let variables = method.arguments.iter().map(|argument| &argument.variable);
    let types = method.arguments.iter().map(|argument| decoded(interface, argument));
    let values = method.arguments.iter().map(passed);
    let returns = returns(interface, &method.signature.output);
    // What cannot be decoded is complained of at the list of arguments.
    let decoded = quote_spanned!(method.signature.paren_token.span.join()=> (#(#types,)*));
    quote! {
        #(#cfg)*
        #(#allowed)*
        #runtime::__private::std::option::Option::Some(#fingerprint) => {
            #runtime::__private::Invocation::serve::<#decoded, _>(
                invocation,
                &__Methods::#constant,
                #returns,
                |(#(#variables,)*)| <Self as #trait_name>::#name(self #(, #values)*),
            );
            return #runtime::__private::std::option::Option::None;
        }
    }
}

/// The type that is decoded for an argument. What is borrowed in it is borrowed from the message.
fn decoded(interface: &Interface, argument: &Argument) -> TokenStream {
    let runtime = &interface.runtime;
    let r#type = &argument.r#type;
    match &argument.passing {
        Passing::Str => quote!(&'a str),
        // Who calls by name may send a list of numbers.
        Passing::Bytes | Passing::ByteVec => quote!(#runtime::__private::CowBytes<'a>),
        Passing::Slice(element) => quote!(#runtime::__private::std::vec::Vec<#element>),
        Passing::Reference(behind) => quote!(#behind),
        Passing::Owned => quote!(#r#type),
    }
}

/// What the method gets of it.
fn passed(argument: &Argument) -> TokenStream {
    let variable = &argument.variable;
    match &argument.passing {
        Passing::Str | Passing::Owned => quote!(#variable),
        Passing::Bytes => quote!(&#variable.0),
        Passing::ByteVec => quote!(#variable.0.into_owned()),
        Passing::Slice(_) | Passing::Reference(_) => quote!(&#variable),
    }
}
