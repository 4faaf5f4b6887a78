use quote::{ToTokens, quote};
use syn::{ItemTrait, parse_quote};

use super::{Interface, Kind, Passing};
use crate::errors::Errors;

fn parse(item: ItemTrait) -> (Interface, Vec<String>) {
    let mut errors = Errors::default();
    let interface = Interface::parse(item, &mut errors);
    (interface, errors.messages())
}

#[test]
fn marks_decide_the_kind_and_leave_the_trait() {
    let (interface, errors) = parse(parse_quote! {
        trait Window: Send + Sync {
            /// The title.
            #[remote(property)]
            fn title(&self) -> Result<String>;
            #[remote(property)]
            fn set_title(&self, title: &str) -> Result<()>;
            #[remote(constructor)]
            fn new(&self) -> Result<()>;
            fn close(&self) -> Result<()>;
        }
    });

    assert!(errors.is_empty(), "{errors:?}");
    let kinds: Vec<_> = interface.methods.iter().map(|method| method.kind()).collect();
    assert_eq!(kinds, [Kind::PropertyGet, Kind::PropertySet, Kind::Constructor, Kind::Method]);
    let written: ItemTrait = parse_quote! {
        trait Window: Send + Sync {
            /// The title.
            fn title(&self) -> Result<String>;
            fn set_title(&self, title: &str) -> Result<()>;
            fn new(&self) -> Result<()>;
            fn close(&self) -> Result<()>;
        }
    };
    assert_eq!(interface.item.to_token_stream().to_string(), written.to_token_stream().to_string());
}

#[test]
fn mark_that_is_unknown_empty_or_on_the_trait_is_refused() {
    let (_, errors) = parse(parse_quote! {
        #[remote(property)]
        trait Window: Send + Sync {
            #[remote(getter)]
            fn title(&self) -> Result<String>;
            #[remote]
            fn close(&self) -> Result<()>;
            #[remote()]
            fn open(&self) -> Result<()>;
        }
    });

    let words = "write `#[remote(property)]` or `#[remote(constructor)]`";
    assert_eq!(errors, ["this is for methods: write it on one", words, words, words]);
}

#[test]
fn fingerprint_is_of_the_signature_and_of_nothing_else() {
    let (interface, _) = parse(parse_quote! {
        trait Window: Send + Sync {
            fn load(&self, url: &str) -> Result<(), Error>;
        }
    });
    let (other, _) = parse(parse_quote! {
        pub trait Page: Send + Sync {
            fn first(&self) -> Result<(), Error>;
            /// Loads a page.
            #[cfg(all())]
            #[remote(constructor)]
            fn load(&self, url: &str,) -> Result<(), Error> { Ok(()) }
        }
    });

    // The number is on the wire: a change of it is a change of the protocol.
    assert_eq!(interface.methods[0].fingerprint, LOAD);
    assert_eq!(other.methods[1].fingerprint, LOAD);
    assert_ne!(other.methods[0].fingerprint, LOAD);
}

#[test]
fn only_conditions_are_repeated() {
    let (interface, _) = parse(parse_quote! {
        trait Window: Send + Sync {
            /// Closes.
            #[cfg(unix)]
            #[must_use]
            fn close(&self) -> Result<(), Error>;
        }
    });

    let cfg = &interface.methods[0].cfg;
    assert_eq!(quote!(#(#cfg)*).to_string(), quote!(#[cfg(unix)]).to_string());
}

#[test]
fn arguments_are_passed_as_they_are_written() {
    assert!(matches!(Passing::of(&parse_quote!(&str)), Passing::Str));
    assert!(matches!(Passing::of(&parse_quote!(&[u8])), Passing::Bytes));
    assert!(matches!(Passing::of(&parse_quote!(&[u16])), Passing::Slice(_)));
    assert!(matches!(Passing::of(&parse_quote!(&(u8, u8))), Passing::Reference(_)));
    for bytes in [parse_quote!(Vec<u8>), parse_quote!((std::vec::Vec<u8>))] {
        assert!(matches!(Passing::of(&bytes), Passing::ByteVec));
    }
    for owned in [parse_quote!(Vec<u16>), parse_quote!(Option<u8>), parse_quote!(Vec), parse_quote!([u8; 4])] {
        assert!(matches!(Passing::of(&owned), Passing::Owned));
    }
}

/// The fingerprint of `load(url: &str) -> Result<(), Error>`.
const LOAD: u64 = 0xb983_4786_4075_722d;
