use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use remote_protocol::call::{CallError, Outcome, Request, Selector};
use remote_protocol::codec::CowBytes;
use remote_protocol::payload::{Encoding, Fingerprint, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::calling::{HeldProxy, RequestFailure, Started};
use crate::interface::{Interface, Method};
use crate::returns::Returns;
use crate::scope::{self, Arrival, Holds, Receiver, Sending, copied};

/// What a typed proxy calls with. For generated code.
pub struct Proxy {
    held: Arc<HeldProxy>,
}

impl Proxy {
    pub(crate) const fn new(held: Arc<HeldProxy>) -> Self {
        Self { held }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.held.id()).finish()
    }
}

/// An object of another process, as an object of the interface `I`: every method is a call. For generated code.
///
/// It is one type for all interfaces, so that it has those of an interface's supertraits as well.
pub struct TypedProxy<I: ?Sized> {
    proxy: Proxy,
    interface: PhantomData<fn() -> *const I>,
}

impl<I: ?Sized> TypedProxy<I> {
    /// The object that is called through `proxy`.
    #[must_use]
    pub const fn new(proxy: Proxy) -> Self {
        Self { proxy, interface: PhantomData }
    }
}

impl<I: Interface + ?Sized> fmt::Debug for TypedProxy<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", I::NAME, self.proxy.held.id())
    }
}

/// Calls a method of the object behind `proxy`. For generated code.
pub fn call<I: ?Sized, A: Serialize, R>(
    proxy: &TypedProxy<I>,
    method: &'static Method,
    returns: Returns<R>,
    holds: Holds,
    arguments: &A,
) -> R {
    let held = &proxy.proxy.held;
    let selector = Selector::Typed(Fingerprint(method.fingerprint));
    let called = match returns.promise {
        Some(promise) => start(held, selector, Encoding::Typed, method.name, holds, arguments).map(promise),
        None => {
            let take = |outcome: Outcome<'_>| (returns.read)(&held.calling, method, outcome);
            request(held, selector, Encoding::Typed, method.name, holds, arguments, take)
        }
    };
    called.unwrap_or_else(|error| (returns.failed)(error))
}

/// Calls an object, in one form or the other, and gives the outcome to `take`. `name` is for errors.
pub(crate) fn request<A: Serialize, R>(
    held: &Arc<HeldProxy>,
    selector: Selector<'_>,
    form: Encoding,
    name: &str,
    holds: Holds,
    arguments: &A,
    take: impl FnOnce(Outcome<'_>) -> R,
) -> Result<R, CallError> {
    send(held, selector, form, name, holds, arguments, |request, kept| {
        let kept = || {
            let object = Arrival::Proxy(Arc::clone(held));
            kept.into_iter().chain([object]).collect()
        };
        held.calling.request(request, kept, name, take)
    })
}

/// Calls an object, in one form or the other, and does not wait. `name` is for errors.
pub(crate) fn start<A: Serialize>(
    held: &Arc<HeldProxy>,
    selector: Selector<'_>,
    form: Encoding,
    name: &str,
    holds: Holds,
    arguments: &A,
) -> Result<Arc<Started>, CallError> {
    send(held, selector, form, name, holds, arguments, |request, _kept| held.calling.start(request, name))
}

/// Has `send` send a request to an object, with what it refers to. What was not sent is not lent.
fn send<A: Serialize, R>(
    held: &Arc<HeldProxy>,
    selector: Selector<'_>,
    form: Encoding,
    name: &str,
    holds: Holds,
    arguments: &A,
    send: impl FnOnce(Request<'_>, Vec<Arrival>) -> Result<R, RequestFailure>,
) -> Result<R, CallError> {
    let receiver = || Receiver::Parent(Arc::clone(&held.calling));
    let called = scope::encode_as(holds, receiver, form, arguments, |bytes, sending| {
        let Sending { receiver, references, kept, .. } = sending;
        let lent = copied(&references);
        let request = Request::Method {
            object: held.id(),
            method: selector,
            arguments: Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references },
        };
        send(request, kept).map_err(|failure| {
            if !failure.sent {
                scope::undo(receiver.as_ref(), lent);
            }
            failure.error
        })
    });
    called.map_err(|reason| CallError::Arguments { method: name.to_owned(), reason })?
}

/// Decodes a payload whose references have arrived.
pub(crate) fn decode<T: DeserializeOwned>(
    payload: &Payload<'_>,
    arrivals: Result<Vec<Arrival>, String>,
) -> Result<T, String> {
    scope::decode(&payload.bytes.0, arrivals?)
}
