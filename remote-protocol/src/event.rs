//! What an event carries, written and read.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec::{self, CowBytes};
use crate::limits;
use crate::message;
use crate::payload::{Fingerprint, Form, Payload};
use crate::value::Value;

/// An event whose name and type both sides share as a constant:
///
/// ```
/// use remote_protocol::event::Event;
///
/// const RESIZED: Event<(u32, u32)> = Event::new("resized");
/// assert_eq!(RESIZED.name(), "resized");
/// ```
///
/// Applications find it as `remote_parent::Event` and `remote_child::Event`, which are the same type. A payload is emitted as a `&P`: for an
/// `Event<String>` a `&String`.
///
/// Emitting or listening with it, the payload's type is checked when the program is compiled. On the wire it is tagged with a hash of
/// the event's name and the type's, so that two programs that mean different types by it get an error. A named type whose
/// *fields* change keeps its name: then change the application's version too.
pub struct Event<P> {
    name: &'static str,
    payload: PhantomData<fn(P)>,
}

impl<P> Event<P> {
    /// The event `name` that carries a `P`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, payload: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    fn form(&self) -> Form {
        Form::Typed(Fingerprint::of(self.name).and(type_name::<P>()))
    }
}

impl<P> Clone for Event<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Event<P> {}

impl<P> fmt::Debug for Event<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event<{}>({:?})", type_name::<P>(), self.name)
    }
}

/// What an event is named by: a string, and then it carries any value; or an [`Event`], and then a `P`.
pub trait EventKey<P: ?Sized> {
    /// The event's name.
    fn name(&self) -> &str;

    /// How its payload is encoded.
    fn form(&self) -> Form;
}

impl<P: ?Sized> EventKey<P> for &str {
    fn name(&self) -> &str {
        self
    }

    fn form(&self) -> Form {
        Form::Dynamic
    }
}

impl<P: ?Sized> EventKey<P> for &String {
    fn name(&self) -> &str {
        self
    }

    fn form(&self) -> Form {
        Form::Dynamic
    }
}

impl<P> EventKey<P> for Event<P> {
    fn name(&self) -> &str {
        self.name
    }

    fn form(&self) -> Form {
        Self::form(self)
    }
}

/// Writes what an event carries, `limit` bytes at most: a self-describing value, or a typed one as it is.
///
/// # Errors
///
/// [`PayloadError::Unsendable`] when `payload` cannot be written, is too long or too deep.
pub fn encode<P: Serialize + ?Sized>(
    name: &str,
    form: Form,
    payload: &P,
    limit: usize,
) -> Result<Payload<'static>, PayloadError> {
    encoded(name, form, payload, limit, |payload| payload.into_owned())
}

/// [`encode`], for what is done with it at once: it lies in memory that the thread uses again.
///
/// # Errors
///
/// As [`encode`]; nothing was done.
pub fn encoded<P: Serialize + ?Sized, R>(
    name: &str,
    form: Form,
    payload: &P,
    limit: usize,
    act: impl FnOnce(Payload<'_>) -> R,
) -> Result<R, PayloadError> {
    // What encodes or is done here may emit another event, which finds no memory then. There is none at the end of a thread, either.
    let mut bytes = BUFFER.try_with(Cell::take).unwrap_or_default();
    bytes.clear();
    write(name, form, payload, limit, &mut bytes)?;
    let result = act(Payload { bytes: CowBytes(Cow::Borrowed(&bytes)), references: Vec::new() });
    if bytes.capacity() <= KEPT_BYTES {
        let _ = BUFFER.try_with(|buffer| buffer.set(bytes));
    }
    Ok(result)
}

fn write<P: Serialize + ?Sized>(
    name: &str,
    form: Form,
    payload: &P,
    limit: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    let unsendable = |reason: String| PayloadError::Unsendable {
        event: name.to_owned(),
        payload: type_name::<P>().to_owned(),
        reason,
    };
    if name.len() > limits::NAME_BYTES {
        return Err(unsendable(format!("a name of {} bytes, at most {}", name.len(), limits::NAME_BYTES)));
    }
    match form {
        Form::Typed(_) => codec::encode(payload, bytes),
        Form::Dynamic => {
            let value = Value::from_serialize(payload).map_err(|error| unsendable(error.to_string()))?;
            codec::encode(&value, bytes)
        }
    }
    .map_err(|error| unsendable(error.to_string()))?;
    if bytes.len() > limit {
        return Err(unsendable(format!("{} bytes, at most {limit}", bytes.len())));
    }
    Ok(())
}

thread_local! {
    /// What the payload of the next event is written into.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A longer payload's memory is not kept for the next one.
const KEPT_BYTES: usize = limits::RECORD_BYTES;

/// An event that arrived, read by each of its listeners as the type that listener takes.
#[derive(Debug)]
pub struct Arrived<'a> {
    event: &'a message::Event<'a>,
    /// Decoded when the first listener asks, for all of them.
    value: OnceCell<Result<Value, String>>,
}

impl<'a> Arrived<'a> {
    /// The event as it came.
    #[must_use]
    pub const fn new(event: &'a message::Event<'a>) -> Self {
        Self { event, value: OnceCell::new() }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.event.name
    }

    /// Reads the payload as a `P`, for a listener that takes it in this form.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Mismatch`] when it is something else.
    pub fn payload<P: DeserializeOwned>(&self, form: Form) -> Result<P, PayloadError> {
        let mismatch = |reason: Cow<'_, str>| PayloadError::Mismatch {
            event: self.event.name.clone().into_owned(),
            expected: type_name::<P>().to_owned(),
            reason: reason.into_owned(),
        };
        match (self.event.form, form) {
            (Form::Dynamic, Form::Dynamic) => {}
            (Form::Typed(found), Form::Typed(expected)) if found == expected => {
                let read = codec::decode(&self.event.payload.bytes.0);
                return read.map_err(|error| mismatch(Cow::Owned(error.to_string())));
            }
            (Form::Typed(_), Form::Typed(_)) => {
                return Err(mismatch(Cow::Borrowed("found a typed event of another type")));
            }
            (Form::Typed(_), Form::Dynamic) => {
                return Err(mismatch(Cow::Borrowed("found a typed event, listen to its constant")));
            }
            (Form::Dynamic, Form::Typed(_)) => {
                return Err(mismatch(Cow::Borrowed("found an event emitted by its name alone")));
            }
        }
        let value =
            self.value.get_or_init(|| codec::decode(&self.event.payload.bytes.0).map_err(|error| error.to_string()));
        match value {
            Ok(value) => value.to().map_err(|error| mismatch(Cow::Owned(error.to_string()))),
            Err(reason) => Err(mismatch(Cow::Borrowed(reason))),
        }
    }
}

/// Why an event's payload could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value cannot be sent.
    #[error("event `{event}`: a `{payload}` cannot be sent: {reason}")]
    Unsendable {
        /// The event.
        event: String,
        /// The value's type.
        payload: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A listener takes another type than what came.
    #[error("event `{event}`: a listener takes a `{expected}`: {reason}")]
    Mismatch {
        /// The event.
        event: String,
        /// What the listener takes.
        expected: String,
        /// What was expected and what was found.
        reason: String,
    },
}
