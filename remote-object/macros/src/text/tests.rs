use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

use super::text;

#[test]
fn types_read_as_a_user_would_write_them() {
    for written in [
        "Result<(), WindowError>",
        "std::result::Result<Vec<u8>, Box<dyn Error + Send>>",
        "&[u8]",
        "[u8; 4]",
        "(u8,)",
        "Option<fn(u8, &str) -> bool>",
        "&'static str",
        "<T as Iterator>::Item",
        "Map<Key = u8>",
        "value: r#type::Name",
        "Remote<dyn Window>",
        "*const u8",
    ] {
        let tokens: TokenStream = written.parse().expect("the list holds valid tokens");
        assert_eq!(text(tokens), written);
    }
}

#[test]
fn white_space_and_comments_leave_no_trace() {
    let tokens: TokenStream = "Result <\n    ( ) , // nothing\n WindowError\t>".parse().expect("valid tokens");
    assert_eq!(text(tokens), "Result<(), WindowError>");
}

#[test]
fn groups_of_a_macro_fragment_leave_no_trace() {
    let fragment = TokenTree::Group(Group::new(Delimiter::None, quote!(Vec<u8>)));
    assert_eq!(text(quote!(Option<#fragment>)), "Option<Vec<u8>>");
}
