//! What is done with what a method returns.
//!
//! The bounds on it stand in one place, [`returns`], and everything else is reached through pointers: so a type that does not fit
//! is complained of once, at the return type, and not again wherever a method is called or served.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use remote_protocol::call::{CallError, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::calling::{Answered, Calling, Started};
use crate::interface::{FromCallError, Method, MethodResult};
use crate::invocation::Invocation;
use crate::promise::Promise;
use crate::proxy::decode;
use crate::scope::Arrival;

/// How a result of the type `R` is sent and received. For generated code.
pub struct Returns<R> {
    /// Reads what came back from a call that was waited for.
    pub(crate) read: fn(&Arc<Calling>, &'static Method, Outcome<'_>) -> R,
    /// What a call gives that is not waited for; `None` where each is.
    pub(crate) promise: Option<fn(Arc<Started>) -> R>,
    /// Makes the result of a call that failed.
    pub(crate) failed: fn(CallError) -> R,
    /// Runs a method and answers with what it returns.
    pub(crate) serve: fn(Invocation<'_>, &'static Method, Run<'_, R>),
}

/// Decodes the arguments and calls the method with them.
pub(crate) type Run<'a, R> = &'a mut dyn FnMut() -> Result<R, CallError>;

/// How a result is sent and received. For generated code.
#[must_use]
pub const fn returns<R>() -> Returns<R>
where
    R: MethodResult,
    R::Value: Serialize + for<'de> Deserialize<'de> + 'static,
    R::Error: Error + FromCallError + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    let promise = |started| R::from_promise(Promise::of_call(started, read_answered));
    Returns {
        read: |calling, method, outcome| {
            let (outcome, arrivals) = calling.receive(outcome);
            R::from_promise(Promise::ready(read(method.name, outcome, arrivals)))
        },
        promise: if R::LATER { Some(promise) } else { None },
        failed: |error| R::from_promise(Promise::ready(Err(R::Error::from_call_error(error)))),
        serve: |invocation, method, run| invocation.finish(method, &mut || run().map(R::into_promise)),
    }
}

fn read_answered<T: DeserializeOwned, E: Error + FromCallError + DeserializeOwned + 'static>(
    started: &Started,
    Answered { outcome, arrivals }: Answered,
) -> Result<T, E> {
    read(started.name(), outcome, arrivals)
}

/// Reads the answer to a call, whose references have arrived.
fn read<T: DeserializeOwned, E: Error + FromCallError + DeserializeOwned + 'static>(
    method: &str,
    outcome: Outcome<'_>,
    arrivals: Result<Vec<Arrival>, String>,
) -> Result<T, E> {
    let error = match outcome {
        Outcome::Done(payload) => match decode(&payload, arrivals) {
            Ok(value) => return Ok(value),
            Err(reason) => CallError::Result { method: method.to_owned(), reason },
        },
        Outcome::Failed { report, error } => match decode::<E>(&error, arrivals) {
            Ok(error) => return Err(with_method(error, method)),
            // A type that is not the caller's; this much can be told of it.
            Err(_) => CallError::Failed(*report),
        },
        Outcome::Refused(error) => *error,
    };
    Err(E::from_call_error(error))
}

/// A `CallError` that a method made of some other error does not know the method yet.
fn with_method<E: Any>(mut error: E, method: &str) -> E {
    if let Some(CallError::Failed(report)) = (&mut error as &mut dyn Any).downcast_mut()
        && report.method.is_empty()
    {
        method.clone_into(&mut report.method);
    }
    error
}

impl<R> fmt::Debug for Returns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns").finish_non_exhaustive()
    }
}
