use std::fmt;
use std::marker::PhantomData;
use std::panic;
use std::sync::Arc;
use std::time::Duration;

use remote_protocol::call::CallError;
use remote_protocol::payload::{Encoding, Location};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calling::MadeCallback;
use crate::scope::{self, Receiver, Sending};
use crate::serving::HeldCallback;

/// A closure of a child that others can call for its result.
///
/// A child makes it with [`Context::function`](crate::Context::function) and passes it as an argument; the closure runs on the child's loop
/// thread. The parent may call it in the midst of serving the very call that it came with: the loop thread, which waits for that
/// call, runs the closure meanwhile. What the closure calls in turn is served by the thread of the parent that waits for it; so they may nest,
/// at most 16 deep unless the parent's limits say otherwise. It may be called at any other time and from any thread, too; then the closure runs after what is running there.
///
/// A closure cannot wait for room in the window: what it emits past it is a backlog at once.
///
/// It lives as a [`Callback`](crate::Callback) does, and two handles that are [equal](PartialEq) are the same function.
///
/// ```no_run
/// use remote_child::Child;
/// use remote_object::{CallError, ChildExt, Function};
///
/// #[remote_object::interface]
/// pub trait Numbers: Send + Sync {
///     fn map(&self, f: Function<i64, i64>) -> Result<Vec<i64>, CallError>;
/// }
///
/// struct Three;
///
/// impl Numbers for Three {
///     fn map(&self, f: Function<i64, i64>) -> Result<Vec<i64>, CallError> {
///         [1, 2, 3].into_iter().map(|number| f.call(number)).collect()
///     }
/// }
///
/// fn module(child: &Child) -> Result<(), CallError> {
///     let numbers = child.remote().global::<dyn Numbers>("numbers")?;
///     let offset = 1;
///     assert_eq!(numbers.map(child.remote().function(move |x: i64| x + offset))?, [2, 3, 4]);
///     Ok(())
/// }
/// ```
pub struct Function<A, R> {
    function: AnyFunction,
    /// Dynamic where the types of this handle may not be the closure's.
    form: Encoding,
    types: PhantomData<fn(A) -> R>,
}

/// A function, its types forgotten.
#[derive(Clone)]
pub(crate) enum AnyFunction {
    /// Of this process.
    Made(Arc<MadeCallback>),
    /// Of a child.
    Held(Arc<HeldCallback>),
    /// Its result is known.
    Returning(Arc<Returning>),
}

/// A result that is known beforehand.
pub(crate) struct Returning {
    pub(crate) made_at: Location<'static>,
    /// Encoded as a dynamic value; an error says why it cannot be.
    pub(crate) result: Result<Vec<u8>, String>,
}

impl AnyFunction {
    pub(crate) fn made_at(&self) -> &Location<'static> {
        match self {
            Self::Made(made) => made.location(),
            Self::Held(held) => held.location(),
            Self::Returning(returning) => &returning.made_at,
        }
    }
}

impl<A, R> Function<A, R> {
    pub(crate) const fn new(function: AnyFunction, form: Encoding) -> Self {
        Self { function, form, types: PhantomData }
    }

    /// A function that returns this value whatever it is called with. The value travels along: calling it takes no round trip, and no
    /// process need be there any more.
    ///
    /// A value that cannot be encoded, or refers to objects, callbacks or functions, is an error where the function is sent or called.
    ///
    /// ```
    /// use remote_object::Function;
    ///
    /// let answer: Function<String, u32> = Function::returning(&42);
    /// assert_eq!(answer.call("what is it?".to_owned()), Ok(42));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn returning(value: &R) -> Self
    where
        R: Serialize,
    {
        let made_at = panic::Location::caller().into();
        let result = scope::encode_alone(value);
        Self::new(AnyFunction::Returning(Arc::new(Returning { made_at, result })), Encoding::Typed)
    }

    /// Whether it can still be called, as far as is known here: its context has not ended, and the process that made it is there. In the
    /// parent one that has ended while its reference was under way is known to be dead when it has been called. One that
    /// [returns what is known](Self::returning) always can.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.function {
            AnyFunction::Made(made) => made.is_alive(),
            AnyFunction::Held(held) => held.is_alive(),
            AnyFunction::Returning(_) => true,
        }
    }

    /// Where in the child's source it was made, `file:line:column`.
    #[must_use]
    pub fn made_at(&self) -> String {
        self.function.made_at().to_string()
    }
}

impl<A: Serialize, R: DeserializeOwned> Function<A, R> {
    /// Calls it and waits for its result, no longer than the call deadline: that of the parent, 30 s unless it has another; in a child,
    /// that of its [calls](crate::Context::set_call_deadline).
    ///
    /// # Blocking
    ///
    /// Until the closure has returned, at most until the deadline. In the parent, this thread serves the calls that the closure makes
    /// meanwhile. On the loop thread of the child that made it, the closure is simply called; on other threads of that child, the call
    /// waits for the loop thread.
    ///
    /// So hold no lock here that these calls take: this very thread would wait for itself, in the application's code, where no deadline
    /// of ours ends it.
    ///
    /// # Errors
    ///
    /// A [`CallError`] that names the function by where it was made: it panicked, is gone, took too long, or the argument or result cannot be
    /// sent or read; functions nest [too deep](CallError::TooDeep), or 64 of its process have not answered, those included that took too
    /// long ([`Busy`](CallError::Busy)). That of a deadline says who waits for whom, as far as the parent knows.
    pub fn call(&self, argument: A) -> Result<R, CallError> {
        let within = match &self.function {
            AnyFunction::Made(made) => made.deadline(),
            AnyFunction::Held(held) => held.deadline(),
            AnyFunction::Returning(_) => Duration::ZERO,
        };
        self.call_within(within, argument)
    }

    /// [`call`](Self::call), with a deadline of its own.
    ///
    /// # Blocking
    ///
    /// As [`call`](Self::call), at most for `deadline`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn call_within(&self, deadline: Duration, argument: A) -> Result<R, CallError> {
        let form = self.form;
        let ran = match &self.function {
            AnyFunction::Made(made) => {
                let take = |bytes: &[u8], sending: Sending| (bytes.to_vec(), sending.kept);
                let encoded = scope::encode(Receiver::Local, form, &argument, take);
                encoded.map(|(bytes, kept)| made.run(form, bytes, kept, deadline))
            }
            AnyFunction::Held(held) => scope::encode(held.receiver(), form, &argument, |bytes, sending| {
                held.run(form, bytes, sending, deadline)
            }),
            AnyFunction::Returning(returning) => {
                let failed = |reason| CallError::Result { method: self.name(), reason };
                let bytes = returning.result.as_ref().map_err(|reason| failed(reason.clone()))?;
                return scope::decode_owned(Encoding::Dynamic, bytes, Vec::new()).map_err(failed);
            }
        };
        let (bytes, arrivals) = ran.map_err(|reason| CallError::Arguments { method: self.name(), reason })??;
        scope::decode_owned(form, &bytes, arrivals).map_err(|reason| CallError::Result { method: self.name(), reason })
    }

    fn name(&self) -> String {
        name(self.function.made_at())
    }
}

/// What errors call a function.
pub(crate) fn name(made_at: &Location<'_>) -> String {
    format!("function made at {made_at}")
}

impl<A, R> Clone for Function<A, R> {
    fn clone(&self) -> Self {
        Self::new(self.function.clone(), self.form)
    }
}

/// Whether they are the same function: the one made by the same call of [`Context::function`](crate::Context::function), or by
/// [`returning`](Function::returning) at the same place with the same value.
impl<A, R> PartialEq for Function<A, R> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.function, &other.function) {
            (AnyFunction::Made(one), AnyFunction::Made(other)) => Arc::ptr_eq(one, other),
            (AnyFunction::Held(one), AnyFunction::Held(other)) => Arc::ptr_eq(one, other),
            (AnyFunction::Returning(one), AnyFunction::Returning(other)) => {
                one.made_at == other.made_at && one.result == other.result
            }
            _ => false,
        }
    }
}

impl<A, R> Eq for Function<A, R> {}

impl<A, R> fmt::Debug for Function<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("made_at", &self.made_at()).field("is_alive", &self.is_alive()).finish()
    }
}

impl<A, R> Serialize for Function<A, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::send_function(&self.function, self.form).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, A, R> Deserialize<'de> for Function<A, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Deserialize::deserialize(deserializer)?;
        let (function, form) = scope::receive_function(reference).map_err(serde::de::Error::custom)?;
        Ok(Self::new(function, form))
    }
}
