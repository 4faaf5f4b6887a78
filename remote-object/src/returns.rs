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

use crate::calling::Calling;
use crate::interface::{FromCallError, Method, MethodResult};
use crate::invocation::Invocation;
use crate::proxy::decode;

/// How a result of the type `R` is sent and received. For generated code.
pub struct Returns<R> {
    /// Reads what came back from a call.
    pub(crate) read: fn(&Arc<Calling>, &'static Method, Outcome<'_>) -> R,
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
    R::Value: Serialize + for<'de> Deserialize<'de>,
    R::Error: Error + FromCallError + Serialize + for<'de> Deserialize<'de> + Send + Sync + 'static,
{
    Returns {
        read: |calling, method, outcome| R::from_result(read::<R::Value, R::Error>(calling, method, outcome)),
        failed: |error| R::from_result(Err(R::Error::from_call_error(error))),
        serve: |invocation, method, run| invocation.finish(method, &mut || run().map(R::into_result)),
    }
}

fn read<T: DeserializeOwned, E: Error + FromCallError + DeserializeOwned + 'static>(
    calling: &Arc<Calling>,
    method: &'static Method,
    outcome: Outcome<'_>,
) -> Result<T, E> {
    let error = match outcome {
        Outcome::Done(payload) => match decode(calling, payload) {
            Ok(value) => return Ok(value),
            Err(reason) => CallError::Result { method: method.name.to_owned(), reason },
        },
        Outcome::Failed { report, error } => match decode::<E>(calling, error) {
            Ok(error) => return Err(with_method(error, method)),
            // A type that is not the caller's; this much can be told of it.
            Err(_) => CallError::Failed(*report),
        },
        Outcome::Refused(error) => *error,
    };
    Err(E::from_call_error(error))
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

impl<R> fmt::Debug for Returns<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns").finish_non_exhaustive()
    }
}
