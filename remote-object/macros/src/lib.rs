//! The attribute macro of `remote-object`, which turns a trait into an interface that can be called from another process.
//!
//! It is used through `remote_object`, as `#[remote_object::interface]`; the code it writes calls the runtime there.
//! See [`macro@interface`] for what may stand in the trait.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod errors;
mod expand;
mod fingerprint;
mod model;
mod text;
mod validate;

/// Makes a trait callable from another process.
///
/// The trait stays as it is written. Beside it come implementations, and nothing that has a name: the trait's for the proxy, which calls the
/// real object, and that of `remote_object::Interface` for `dyn Trait`, so that `Remote<dyn Trait>` can be exported, required, passed as an
/// argument and returned.
///
/// ```text
/// #[remote_object::interface]
/// pub trait BrowserWindow: Send + Sync {
///     fn load_url(&self, url: &str) -> Result<(), WindowError>;
///     fn on_close(&self, listener: Callback<()>) -> Result<(), WindowError>;
///     #[remote(property)]
///     fn title(&self) -> Result<String, WindowError>;
///     #[remote(property)]
///     fn set_title(&self, title: &str) -> Result<(), WindowError>;
///     #[remote(constructor)]
///     fn new(&self, options: WindowOptions) -> Result<Remote<dyn BrowserWindow>, WindowError>;
/// }
/// ```
///
/// # The trait
///
/// - It has the supertraits `Send + Sync`, and may have `Debug`, `'static`, and other interfaces, through which it may have these as well. It
///   has no generics.
/// - It holds methods only. A method may have a body: implementations may leave such a method out, and the proxy calls it like
///   any other.
/// - `#[cfg(..)]`, doc comments and other attributes may stand on the trait and on its methods.
///
/// # A method
///
/// - Its receiver is `&self`. It is not `async`, `unsafe`, `const` or `extern`, and has no generics.
/// - It takes up to twelve arguments, each with a plain name. `&str` and `&[u8]` are lent from the message, other references
///   `&T` are to a `T` made for the call, and everything else is owned. `&[u8]` and `Vec<u8>` travel as one run of bytes.
/// - It returns `Result<T, E>`, also through an alias. `T` can be serialized, and so can `E`, which is an error that can be made
///   from a `CallError`.
/// - Its name and signature, as they are written, are what identifies it to the other process. Methods may be added and moved.
///
/// # Marks
///
/// - `#[remote(property)]` on a method without arguments marks it as the getter of the property it names, and on a method
///   `set_<name>` with one argument, as the setter.
/// - `#[remote(constructor)]` marks a method that makes an object.
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::interface(arguments.into(), item.into()).into()
}
