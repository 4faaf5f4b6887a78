use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use remote_protocol::payload::{Encoding, Location};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calling::MadeCallback;
use crate::scope::{self, Receiver, Sending};
use crate::serving::HeldCallback;

/// A closure of a child that others can call, asynchronously and without an answer.
///
/// A child makes it with [`Context::callback`](crate::Context::callback) and passes it as an argument; the closure runs on the child's
/// loop thread. It lives until neither side has a handle to it any more, or the [`Context`](crate::Context) ends that it was made
/// through. Handles are `Send + Sync` on both sides; two that are [equal](PartialEq) are the same callback.
///
/// ```no_run
/// use remote_child::Child;
/// use remote_object::{CallError, Callback, ChildExt};
///
/// #[remote_object::interface]
/// pub trait Window: Send + Sync {
///     fn on_close(&self, listener: Callback<()>) -> Result<(), CallError>;
///     fn off_close(&self, listener: Callback<()>) -> Result<(), CallError>;
/// }
///
/// fn module(child: &Child) -> Result<(), CallError> {
///     let window = child.remote().global::<dyn Window>("window")?;
///     let listener = child.remote().callback(|()| println!("closed"));
///     window.on_close(listener.clone())?;
///     window.off_close(listener) // equal to the one before, so the parent finds it
/// }
/// ```
pub struct Callback<A> {
    callback: AnyCallback,
    /// Dynamic where the type of this handle may not be the closure's.
    form: Encoding,
    argument: PhantomData<fn(A)>,
}

/// A callback, its argument's type forgotten.
#[derive(Clone)]
pub(crate) enum AnyCallback {
    /// Of this process.
    Made(Arc<MadeCallback>),
    /// Of a child.
    Held(Arc<HeldCallback>),
}

impl AnyCallback {
    pub(crate) fn made_at(&self) -> &Location<'static> {
        match self {
            Self::Made(made) => made.location(),
            Self::Held(held) => held.location(),
        }
    }
}

impl<A> Callback<A> {
    pub(crate) const fn new(callback: AnyCallback, form: Encoding) -> Self {
        Self { callback, form, argument: PhantomData }
    }

    /// Whether the context it was made through is still there, as far as is known here: the frame has not gone or been reloaded, the
    /// loader not unloaded, the process not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.callback {
            AnyCallback::Made(made) => made.is_alive(),
            AnyCallback::Held(held) => held.is_alive(),
        }
    }

    /// Where in the child's source it was made, `file:line:column`.
    #[must_use]
    pub fn made_at(&self) -> String {
        self.callback.made_at().to_string()
    }
}

impl<A: Serialize> Callback<A> {
    /// Calls it: the closure runs on the child's loop thread, after what is running there; from the parent, in order with its events.
    /// Never blocks.
    ///
    /// # Errors
    ///
    /// [`CallbackError`]; the closure is not called.
    pub fn call(&self, argument: A) -> Result<(), CallbackError> {
        self.call_with(&argument)
    }

    /// [`call`](Self::call), with an argument that others are called with too.
    pub(crate) fn call_with(&self, argument: &A) -> Result<(), CallbackError> {
        match &self.callback {
            AnyCallback::Made(made) => {
                let post = |bytes: &[u8], sending: Sending| made.post(self.form, bytes.to_vec(), sending.kept);
                scope::encode(Receiver::Local, self.form, argument, post)
            }
            AnyCallback::Held(held) => scope::encode(held.receiver(), self.form, argument, |bytes, sending| {
                held.invoke(self.form, bytes, sending)
            }),
        }
        .map_err(|reason| CallbackError::Unsendable { reason })?
    }
}

impl<A> Clone for Callback<A> {
    fn clone(&self) -> Self {
        Self::new(self.callback.clone(), self.form)
    }
}

/// Whether they are the same callback: the one made by the same call of [`Context::callback`](crate::Context::callback).
impl<A> PartialEq for Callback<A> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.callback, &other.callback) {
            (AnyCallback::Made(one), AnyCallback::Made(other)) => Arc::ptr_eq(one, other),
            (AnyCallback::Held(one), AnyCallback::Held(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl<A> Eq for Callback<A> {}

impl<A> fmt::Debug for Callback<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("made_at", &self.made_at()).field("is_alive", &self.is_alive()).finish()
    }
}

impl<A> Serialize for Callback<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::send_callback(&self.callback, self.form).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, A> Deserialize<'de> for Callback<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Deserialize::deserialize(deserializer)?;
        let (callback, form) = scope::receive_callback(reference).map_err(serde::de::Error::custom)?;
        Ok(Self::new(callback, form))
    }
}

/// Why a callback was not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// What it was made for is gone: the frame, or what was in it, the loader, or the process.
    #[error("the callback made at {made_at} is gone with its frame, loader or process")]
    Detached {
        /// Where in the child's source it was made.
        made_at: String,
    },
    /// The argument cannot be sent.
    #[error("the argument cannot be sent: {reason}")]
    Unsendable {
        /// Why.
        reason: String,
    },
    /// The child does not handle what it is sent.
    #[error("the child has {unhandled} bytes unhandled, at most {limit} may be")]
    Backlog {
        /// What lies unhandled, in bytes.
        unhandled: u64,
        /// What may.
        limit: u64,
    },
}
