use syn::{ItemTrait, parse_quote};

use crate::errors::Errors;
use crate::model::Interface;

/// The messages for `item`, changed by `change` after it was read.
fn messages_after(item: ItemTrait, change: impl FnOnce(&mut Interface)) -> Vec<String> {
    let mut errors = Errors::default();
    let mut interface = Interface::parse(item, &mut errors);
    change(&mut interface);
    super::interface(&interface, &mut errors);
    errors.messages()
}

fn messages(item: ItemTrait) -> Vec<String> {
    messages_after(item, |_| {})
}

#[test]
fn everything_that_can_be_remote_is_accepted() {
    let errors = messages(parse_quote! {
        pub trait Window: Send + std::marker::Sync + std::fmt::Debug + 'static {
            fn load(&self, url: &str, body: &[u8], options: &Options, tag: Option<u8>) -> Result<()>;
            fn lend(&self, window: Remote<dyn Window + 'static>) -> io::Result<Remote<dyn Window>>;
            #[cfg(unix)]
            fn close(&self) -> Result<()>;
            #[cfg(windows)]
            fn close(&self, force: bool) -> Result<()> { Ok(()) }
        }
    });
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let errors = messages(parse_quote! {
        trait Window: Sync + Clone {
            fn close(self: Arc<Self>);
        }
    });
    assert_eq!(errors.len(), 4, "{errors:?}");
}

#[test]
fn missing_supertraits_are_written_out_with_the_visibility() {
    for (visibility, written) in
        [(parse_quote!(), "trait"), (parse_quote!(pub), "pub trait"), (parse_quote!(pub(crate)), "pub(crate) trait")]
    {
        let visibility: syn::Visibility = visibility;
        assert_eq!(
            messages(parse_quote!(#visibility trait Window: Send {})),
            [format!("calls come from any thread: write `{written} Window: Send + Sync`")]
        );
    }
}

#[test]
fn supertraits_the_proxy_cannot_have_are_refused() {
    for bound in [
        parse_quote!(Clone),
        parse_quote!(?Sized),
        parse_quote!('a),
        parse_quote!(for<'a> Send),
        parse_quote!(Debug<u8>),
    ] {
        let bound: syn::TypeParamBound = bound;
        let errors = messages(parse_quote!(trait Window: Send + Sync + #bound {}));
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
}

#[test]
fn two_methods_of_one_name_are_refused() {
    assert_eq!(
        messages(parse_quote! {
            trait Window: Send + Sync {
                fn close(&self) -> Result<()>;
                fn close(&self, force: bool) -> Result<()>;
            }
        }),
        ["there is a method `close` already: write another name"]
    );
}

#[test]
fn two_methods_of_one_fingerprint_are_refused() {
    let item = parse_quote! {
        trait Window: Send + Sync {
            fn close(&self) -> Result<()>;
            fn open(&self) -> Result<()>;
        }
    };
    assert_eq!(
        messages_after(item, |interface| {
            interface.methods[1].fingerprint = interface.methods[0].fingerprint;
        }),
        ["the fingerprints of `close` and `open` are the same: write another name"]
    );
}

#[test]
fn properties_have_the_arguments_of_properties() {
    assert_eq!(
        messages(parse_quote! {
            trait Window: Send + Sync {
                #[remote(property)]
                fn title(&self, title: &str) -> Result<()>;
                #[remote(property)]
                fn size(&self, width: u32, height: u32) -> Result<()>;
                #[remote(property)]
                fn set_size(&self) -> Result<()>;
                #[remote(property, constructor)]
                fn width(&self) -> Result<u32>;
            }
        }),
        [
            "a getter takes no arguments; for a setter, write `set_title`",
            "a getter takes no arguments: remove them, or `#[remote(property)]`",
            "a setter takes one argument: write `fn set_size(&self, value: T) -> Result<(), E>`",
            "a method has one mark: remove this one",
        ]
    );
}

#[test]
fn what_is_hidden_in_a_type_is_refused() {
    let argument = "nothing inside an argument is borrowed: write an owned type, such as `String` or `Vec<T>`";
    let lent = "what is lent is lent for the call: write `&str`";
    for (written, expected) in [
        (parse_quote!(Option<&str>), argument),
        (parse_quote!(Option<&'a str>), argument),
        (parse_quote!(&Vec<&str>), argument),
        (parse_quote!(Cow<'_, str>), argument),
        (parse_quote!(&'static str), lent),
        (parse_quote!(&'_ str), lent),
    ] {
        let written: syn::Type = written;
        let item = parse_quote! {
            trait Window: Send + Sync {
                fn load(&self, value: #written) -> Result<()>;
            }
        };
        assert_eq!(messages(item), [expected]);
    }
}
