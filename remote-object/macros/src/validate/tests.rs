use quote::quote;
use syn::{ItemTrait, TraitItemFn, parse_quote};

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
            fn name(&self, name: Option<&str>, parts: &[&str], text: Cow<'_, str>, tag: &'_ str) -> Result<Cow<'static, str>>;
            fn lend(&self, window: Remote<dyn Window + 'static>) -> io::Result<Remote<dyn Window>>;
            #[cfg(unix)]
            fn close(&self) -> Result<()>;
            #[cfg(windows)]
            fn close(&self, force: bool) -> Result<()> { Ok(()) }
        }
    });
    assert!(errors.is_empty(), "{errors:?}");
}

/// What one method is refused with.
fn refusal(method: TraitItemFn) -> Vec<String> {
    messages(parse_quote!(trait Window: Send + Sync { #method }))
}

#[test]
fn what_a_method_cannot_be_is_refused_with_what_to_write() {
    let receiver = "many processes may hold the object at once: write `&self`";
    let generics = "what is sent has one type: write it out, or write one method for each type";
    let closure = "both processes need to know the type: write it out, or take a `Callback<A>` or a `Function<A, R>`";
    let name = "write a plain name for this argument";
    for (method, expected) in [
        (
            parse_quote!(
                async fn f(&self) -> R;
            ),
            "a method returns its answer or a promise of it: remove `async`, and return a `Promise<T, E>` for what comes later",
        ),
        (
            parse_quote!(
                unsafe fn f(&self) -> R;
            ),
            "another process cannot be trusted to keep a contract: remove `unsafe`",
        ),
        (
            parse_quote!(
                const fn f(&self) -> R;
            ),
            "a call happens at run time: remove `const`",
        ),
        (
            parse_quote!(
                extern "C" fn f(&self) -> R;
            ),
            "a call is sent as a message: remove `extern`",
        ),
        (
            parse_quote!(
                fn f(&self, ...) -> R;
            ),
            "write the arguments out, or a `Vec<T>`",
        ),
        (
            parse_quote!(
                fn f(&mut self) -> R;
            ),
            receiver,
        ),
        (
            parse_quote!(
                fn f(self) -> R;
            ),
            receiver,
        ),
        (
            parse_quote!(
                fn f(self: Arc<Self>) -> R;
            ),
            receiver,
        ),
        (
            parse_quote!(
                fn f(&'static self) -> R;
            ),
            receiver,
        ),
        (
            parse_quote!(
                fn f() -> R;
            ),
            "a method is called on an object: write `fn f(&self, ..)`",
        ),
        (
            parse_quote!(
                fn f<T>(&self, value: T) -> R;
            ),
            generics,
        ),
        (
            parse_quote!(
                fn f<const N: usize>(&self) -> R;
            ),
            "what is sent has one type: write the number out, or write a `Vec<T>`",
        ),
        (
            parse_quote!(
                fn f<'a>(&self, text: &'a str) -> R;
            ),
            "what is lent is lent for the call: remove the lifetimes",
        ),
        (
            parse_quote!(
                fn f(&self) -> R
                where
                    Self: Sized;
            ),
            "every method can be called through `dyn`: remove this clause",
        ),
        (
            parse_quote!(
                fn f(&self, call: impl Fn()) -> R;
            ),
            closure,
        ),
        (
            parse_quote!(
                fn f(&self, call: Vec<impl Fn()>) -> R;
            ),
            closure,
        ),
        (
            parse_quote!(
                fn f(&self) -> impl Future;
            ),
            closure,
        ),
        (
            parse_quote!(
                fn f(&self, (a, b): (u8, u8)) -> R {}
            ),
            name,
        ),
        (
            parse_quote!(
                fn f(&self, _: u8) -> R;
            ),
            name,
        ),
        (
            parse_quote!(
                fn f(&self, mut a: u8) -> R {}
            ),
            "remove `mut`, and write a `let mut` in the body",
        ),
        (
            parse_quote!(
                fn f(&self, a: &mut Vec<u8>) -> R;
            ),
            "another process cannot change it: write `&Vec<u8>`, and return what changed",
        ),
        (
            parse_quote!(
                fn f(&self, #[cfg(unix)] a: u8) -> R;
            ),
            "the arguments are the method's on the wire: write `#[cfg(..)]` on the whole method",
        ),
        (
            parse_quote!(
                fn f(&self, window: &dyn Window) -> R;
            ),
            "an object is sent as a reference to it that is counted: write `Remote<dyn Window>`",
        ),
        (
            parse_quote!(
                fn f(&self) -> Result<Self>;
            ),
            "an object and its proxy are not of one type: write `Remote<dyn Window>` for an object of this interface",
        ),
        (
            parse_quote!(
                fn f(&self);
            ),
            "a call can fail: write `-> Result<(), E>`, where `E` can be made from a `CallError`",
        ),
        (
            parse_quote!(
                fn f(&self, a: A, b: A, c: A, d: A, e: A, f: A, g: A, h: A, i: A, j: A, k: A, l: A, m: A) -> R;
            ),
            "a method takes at most 12 arguments: write a struct that holds them",
        ),
    ] {
        let method: TraitItemFn = method;
        assert_eq!(refusal(method.clone()), [expected], "{}", quote!(#method));
    }
}

#[test]
fn what_a_trait_cannot_have_is_refused_with_what_to_write() {
    let one_type = "an interface is one `dyn` type: write the types out, in one trait for each";
    for (item, expected) in [
        (
            parse_quote!(
                trait Window<T>: Send + Sync {}
            ),
            one_type,
        ),
        (
            parse_quote!(
                trait Window<'a>: Send + Sync {}
            ),
            one_type,
        ),
        (
            parse_quote!(
                trait Window<const N: usize>: Send + Sync {}
            ),
            one_type,
        ),
        (
            parse_quote!(
                trait Window: Send + Sync
                where
                    Self: Sized,
                {
                }
            ),
            "an interface has no generics: remove this clause",
        ),
        (
            parse_quote!(
                unsafe trait Window: Send + Sync {}
            ),
            "a proxy promises nothing: remove `unsafe`",
        ),
        (
            parse_quote!(
                trait Window: Send + Sync {
                    type Title;
                }
            ),
            "an interface is one `dyn` type: write the type where it is used",
        ),
        (
            parse_quote!(
                trait Window: Send + Sync {
                    const WIDTH: u32;
                }
            ),
            "a constant cannot be asked for: write a method `fn name(&self) -> Result<T, E>`",
        ),
        (
            parse_quote!(
                trait Window: Send + Sync {
                    methods!();
                }
            ),
            "what a macro makes here cannot be seen: write the methods out",
        ),
    ] {
        assert_eq!(messages(item), [expected]);
    }
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
    let inside = "inside an argument `&str` and `&[u8]` are borrowed, for the call: write an owned type, such as `String` or `Vec<T>`";
    for (written, expected) in [
        (parse_quote!(Option<&Options>), inside),
        (parse_quote!(Option<&mut str>), inside),
        (parse_quote!(Option<&[u16]>), inside),
        (parse_quote!(&Vec<&'static str>), inside),
        (parse_quote!(&'static str), "what is lent is lent for the call: write `&str`"),
    ] {
        let written: syn::Type = written;
        let item = parse_quote! {
            trait Window: Send + Sync {
                fn load(&self, value: #written) -> Result<()>;
            }
        };
        assert_eq!(messages(item), [expected], "{}", quote!(#written));
    }
}

#[test]
fn nothing_in_a_result_is_borrowed() {
    for written in [
        parse_quote!(Result<&str>),
        parse_quote!(Result<Option<&[u8]>>),
        parse_quote!(Result<&'static str>),
        parse_quote!(Result<Cow<'_, str>>),
    ] {
        let written: syn::Type = written;
        let item = parse_quote! {
            trait Window: Send + Sync {
                fn load(&self) -> #written;
            }
        };
        assert_eq!(
            messages(item),
            ["a value from another process is not borrowed: write an owned type, such as `String` or `Vec<u8>`"],
            "{}",
            quote!(#written)
        );
    }
}

#[test]
fn conditions_and_marks_in_a_cfg_attr_are_refused() {
    assert_eq!(
        messages(parse_quote! {
            trait Window: Send + Sync {
                #[cfg_attr(test, cfg(unix))]
                fn close(&self) -> Result<()>;
                #[cfg_attr(test, remote(property))]
                fn title(&self) -> Result<String>;
                #[cfg_attr(test, must_use)]
                fn open(&self) -> Result<()>;
            }
        }),
        [
            "a condition is read before `cfg_attr` is: write `#[cfg(..)]` itself",
            "a mark is read before `cfg_attr` is: write `#[remote(..)]` itself",
        ]
    );
}
