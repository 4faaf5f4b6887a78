//! The attribute macro of `remote-object`, which turns a trait into an interface that can be called from another process.
//!
//! It is used through `remote_object`, as `#[remote_object::interface]`; the code it writes calls the runtime there.
//! `src/interface.md` of that crate says what may stand in the trait.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod errors;
mod expand;
mod fingerprint;
mod model;
mod text;
mod validate;

#[expect(missing_docs, reason = "it is documented where it is exported, so that the examples can use the runtime")]
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::interface(arguments.into(), item.into()).into()
}
