use std::error::Error;
use std::sync::Arc;

use remote_protocol::call::CallError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::invocation::Invocation;
use crate::object::Upcast;
use crate::promise::Promise;
use crate::proxy::Proxy;

/// What [`interface`](macro@crate::interface) implements for `dyn Trait`. Not to be implemented otherwise.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no interface",
    label = "not an interface",
    note = "put `#[remote_object::interface]` on the trait"
)]
pub trait Interface: Send + Sync + 'static {
    /// The trait's name.
    const NAME: &'static str;
    /// Its methods, and after them those of its supertraits.
    const METHODS: &'static [Method];

    /// An object of the trait whose methods are calls.
    #[doc(hidden)]
    fn proxy(proxy: Proxy) -> Arc<Self>;

    /// Calls the method that a call is for, or gives the call back if there is none.
    #[doc(hidden)]
    fn dispatch<'a>(&self, invocation: Invocation<'a>) -> Option<Invocation<'a>>;

    /// Offers the object by each of the supertraits that are interfaces.
    #[doc(hidden)]
    fn upcast(object: &Arc<Self>, upcast: &mut Upcast<'_>);

    /// Offers the object by this interface.
    #[doc(hidden)]
    fn offer(object: Arc<Self>, upcast: &mut Upcast<'_>) {
        upcast.offer(object);
    }
}

/// The name of an interface, and of those that it inherits methods from.
pub(crate) fn interfaces<T: Interface + ?Sized>() -> Vec<&'static str> {
    let mut names = vec![T::NAME];
    for method in T::METHODS {
        if !names.contains(&method.interface) {
            names.push(method.interface);
        }
    }
    names
}

/// A method of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// The interface that declares it.
    pub interface: &'static str,
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

/// What a method of an interface returns: `Result<T, E>`, or [`Promise<T, E>`](Promise) when it may answer later.
#[diagnostic::on_unimplemented(
    message = "a method of an interface returns `Result<T, E>` or `Promise<T, E>`, not `{Self}`",
    label = "write `Result<T, E>`: a call can fail",
    note = "`T` has to be `Serialize + DeserializeOwned`, and `E` an error that can be made from a `CallError`, such as `CallError` itself"
)]
pub trait MethodResult: Sized {
    /// What it returns when it succeeds.
    type Value;
    /// What it returns when it fails.
    type Error;

    /// Whether the answer may come after the method has returned.
    #[doc(hidden)]
    const LATER: bool;

    /// What a method of a proxy returns for its call.
    #[doc(hidden)]
    fn from_promise(promise: Promise<Self::Value, Self::Error>) -> Self
    where
        Self::Error: FromCallError;

    /// What a method returned.
    #[doc(hidden)]
    fn into_promise(self) -> Promise<Self::Value, Self::Error>;
}

impl<T, E> MethodResult for Result<T, E> {
    type Value = T;
    type Error = E;

    const LATER: bool = false;

    fn from_promise(promise: Promise<T, E>) -> Self
    where
        E: FromCallError,
    {
        promise.wait()
    }

    fn into_promise(self) -> Promise<T, E> {
        Promise::ready(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> MethodResult for Promise<T, E> {
    type Value = T;
    type Error = E;

    const LATER: bool = true;

    fn from_promise(promise: Self) -> Self
    where
        E: FromCallError,
    {
        promise
    }

    fn into_promise(self) -> Self {
        self
    }
}

/// What can be made from a [`CallError`], as the error of every method has to be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that a call failed",
    label = "`{Self}` is not `From<CallError>`",
    note = "write `impl From<CallError> for {Self}`; with `thiserror`, a variant `#[error(transparent)] Call(#[from] CallError)`"
)]
pub trait FromCallError {
    #[doc(hidden)]
    fn from_call_error(error: CallError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<CallError>> FromCallError for E {
    fn from_call_error(error: CallError) -> Self {
        error.into()
    }
}

/// The error of a method of an interface: one that can be made from a [`CallError`] and travels to the caller.
pub trait MethodError: Error + FromCallError + Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<E: Error + FromCallError + Serialize + DeserializeOwned + Send + Sync + 'static> MethodError for E {}
