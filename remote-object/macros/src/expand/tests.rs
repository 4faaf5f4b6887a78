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
            Item::Const(item) => format!("const {}", item.ident),
            Item::Struct(item) => format!("struct {}", item.ident),
            Item::Impl(_) => "impl".to_owned(),
            Item::Macro(_) => "error".to_owned(),
            _ => "other".to_owned(),
        })
        .collect()
}

#[test]
fn trait_is_followed_by_what_has_no_name() {
    assert_eq!(
        outline(quote!(
            trait Window: Send + Sync {
                fn close(&self) -> Result<()>;
            }
        )),
        ["trait Window", "const _"]
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

#[test]
fn runtime_is_found_where_the_user_says() {
    let item = quote!(
        trait Window: Send + Sync {
            fn close(&self) -> Result<()>;
        }
    );
    let expanded = |arguments| interface(arguments, item.clone()).to_string();
    assert!(expanded(quote!()).contains("impl :: remote_object :: __private :: Interface for dyn Window"));
    assert!(expanded(quote!(crate = ::other)).contains("impl :: other :: __private :: Interface for dyn Window"));
    assert!(!expanded(quote!(crate = ::other)).contains("remote_object"));
    for wrong in [quote!(crate), quote!(other), quote!(crate = "path"), quote!(crate = a, b)] {
        assert!(expanded(wrong).contains("write `#[interface]`, or `#[interface(crate = path)]`"));
    }
}
