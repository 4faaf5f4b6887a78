use std::error::Error;
use std::sync::Arc;

use remote_protocol::call::CallError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::invocation::Invocation;
use crate::proxy::Proxy;

/// What [`interface`](macro@crate::interface) implements for `dyn Trait`. Not to be implemented otherwise.
pub trait Interface: Send + Sync + 'static {
    /// The trait's name.
    const NAME: &'static str;
    /// Its methods.
    const METHODS: &'static [Method];

    /// An object of the trait whose methods are calls.
    #[doc(hidden)]
    fn proxy(proxy: Proxy) -> Arc<Self>;

    /// Calls the method that a call is for.
    #[doc(hidden)]
    fn dispatch<'a>(&self, invocation: Invocation<'a>);
}

/// A method of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// A hash of its name and signature as written.
    pub fingerprint: u64,
    /// What it is marked as.
    pub kind: MethodKind,
    /// Its arguments, `name: Type`.
    pub arguments: &'static [&'static str],
    /// Its return type.
    pub returns: &'static str,
}

/// What a method is marked as with `#[remote(..)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// A method.
    Method,
    /// Reads a property.
    PropertyGet,
    /// Writes a property.
    PropertySet,
    /// Makes an object.
    Constructor,
}

/// What a method of an interface returns: `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "a method of an interface returns `Result<T, E>`, not `{Self}`",
    label = "write `Result<T, E>`: a call can fail",
    note = "`T` has to be `Serialize + DeserializeOwned`, and `E` an error that can be made from a `CallError`, such as `CallError` itself"
)]
pub trait MethodResult {
    /// What it returns when it succeeds.
    type Value: Serialize + DeserializeOwned;
    /// What it returns when it fails.
    type Error: MethodError;

    #[doc(hidden)]
    fn from_result(result: Result<Self::Value, Self::Error>) -> Self;

    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned, E: MethodError> MethodResult for Result<T, E> {
    type Value = T;
    type Error = E;

    fn from_result(result: Self) -> Self {
        result
    }

    fn into_result(self) -> Self {
        self
    }
}

/// The error of a method of an interface: one that can be made from a [`CallError`] and travels to the caller.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a method of an interface",
    note = "it has to be `Error + From<CallError> + Serialize + DeserializeOwned + Send + Sync + 'static`; `CallError` is"
)]
pub trait MethodError: Error + From<CallError> + Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<E: Error + From<CallError> + Serialize + DeserializeOwned + Send + Sync + 'static> MethodError for E {}
