use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use remote_protocol::call::{CallError, Outcome, Request, Selector};
use remote_protocol::codec::CowBytes;
use remote_protocol::payload::{Fingerprint, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::calling::{Calling, HeldProxy};
use crate::interface::{Method, MethodResult};
use crate::scope::{self, Arrival, Receiver};

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

/// Calls a method of the object behind `proxy`. For generated code.
pub fn call<A: Serialize, R: MethodResult>(proxy: &Proxy, method: &'static Method, arguments: &A) -> R {
    R::from_result(try_call::<A, R>(proxy, method, arguments))
}

fn try_call<A: Serialize, R: MethodResult>(
    proxy: &Proxy,
    method: &'static Method,
    arguments: &A,
) -> Result<R::Value, R::Error> {
    let calling = &proxy.held.calling;
    let receiver = Receiver::Parent(Arc::clone(calling));
    let called = scope::encode(receiver.clone(), arguments, |bytes, sending| {
        let references = sending.references.clone();
        let request = Request::Method {
            object: proxy.held.id(),
            method: Selector::Typed(Fingerprint(method.fingerprint)),
            arguments: Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references: sending.references },
        };
        let kept = || {
            let object = Arrival::Proxy(Arc::clone(&proxy.held));
            sending.kept.into_iter().chain([object]).collect()
        };
        let outcome = calling.request(request, kept, method.name, |outcome| read::<R>(calling, method, outcome));
        outcome.map_err(|failure| {
            if !failure.sent {
                scope::undo(&receiver, references);
            }
            failure.error
        })
    });
    match called {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(CallError::Arguments { method: method.name.to_owned(), reason: error.to_string() }.into()),
    }
}

fn read<R: MethodResult>(
    calling: &Arc<Calling>,
    method: &'static Method,
    outcome: Outcome<'_>,
) -> Result<R::Value, R::Error> {
    match outcome {
        Outcome::Done(payload) => decode(calling, payload)
            .map_err(|reason| CallError::Result { method: method.name.to_owned(), reason }.into()),
        Outcome::Failed { report, error } => Err(match decode::<R::Error>(calling, error) {
            Ok(error) => with_method(error, method),
            // A type that is not the caller's; this much can be told of it.
            Err(_) => CallError::Failed(*report).into(),
        }),
        Outcome::Refused(error) => Err((*error).into()),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(calling: &Arc<Calling>, payload: Payload<'_>) -> Result<T, String> {
    let arrivals = calling.arrive(payload.references)?;
    scope::decode(&payload.bytes.0, arrivals).map_err(|error| error.to_string())
}

/// A `CallError` that a method made of some other error does not know the method yet.
fn with_method<E: Any>(mut error: E, method: &'static Method) -> E {
    if let Some(CallError::Failed(report)) = (&mut error as &mut dyn Any).downcast_mut()
        && report.method.is_empty()
    {
        method.name.clone_into(&mut report.method);
    }
    error
}
