use quote::quote;
use syn::{File, Item};

use super::interface;

/// What the expansion of `#[remote_object::interface] item` consists of, by kind and name.
fn outline(item: proc_macro2::TokenStream) -> Vec<String> {
    let file: File = syn::parse2(interface(quote!(), item)).expect("an expansion is a list of items");
    file.items
        .iter()
        .map(|item| match item {
            Item::Trait(item) => format!("trait {}", item.ident),
            Item::Struct(item) => format!("struct {}", item.ident),
            Item::Impl(_) => "impl".to_owned(),
            Item::Macro(_) => "error".to_owned(),
            _ => "other".to_owned(),
        })
        .collect()
}

#[test]
fn trait_is_followed_by_its_proxy_and_their_implementations() {
    assert_eq!(
        outline(quote!(
            trait Window: Send + Sync {
                fn close(&self) -> Result<()>;
            }
        )),
        ["trait Window", "struct WindowProxy", "impl", "impl", "impl"]
    );
}

#[test]
fn trait_with_mistakes_is_still_there() {
    assert_eq!(
        outline(quote!(
            trait Window: Send {
                fn close(&self);
            }
        )),
        ["trait Window", "error", "error"]
    );
}

#[test]
fn what_is_not_a_trait_is_still_there() {
    assert_eq!(
        outline(quote!(
            struct Window;
        )),
        ["struct Window", "error"]
    );
}
