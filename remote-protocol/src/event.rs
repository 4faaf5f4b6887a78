//! What an event carries, written and read.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::OnceCell;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::limits;
use crate::message::Event;
use crate::payload::{Form, Payload};
use crate::value::Value;

/// Writes what an event named by a string carries: a self-describing value.
///
/// # Errors
///
/// [`PayloadError::Unsendable`] when `payload` cannot be written as a value, is too long or too deep.
pub fn encode<P: Serialize + ?Sized>(name: &str, payload: &P) -> Result<(Form, Payload<'static>), PayloadError> {
    let unsendable = |reason: String| PayloadError::Unsendable {
        event: name.to_owned(),
        payload: type_name::<P>().to_owned(),
        reason,
    };
    if name.len() > limits::NAME_BYTES {
        return Err(unsendable(format!("a name of {} bytes, at most {}", name.len(), limits::NAME_BYTES)));
    }
    let value = Value::from_serialize(payload).map_err(|error| unsendable(error.to_string()))?;
    let mut bytes = Vec::new();
    codec::encode(&value, &mut bytes).map_err(|error| unsendable(error.to_string()))?;
    if bytes.len() > limits::MESSAGE_BYTES - limits::RECORD_BYTES {
        return Err(unsendable(format!(
            "{} bytes, at most {}",
            bytes.len(),
            limits::MESSAGE_BYTES - limits::RECORD_BYTES
        )));
    }
    Ok((Form::Dynamic, Payload::plain(bytes)))
}

/// An event that arrived, read by each of its listeners as the type that listener takes.
#[derive(Debug)]
pub struct Arrived<'a> {
    event: &'a Event<'a>,
    /// Decoded when the first listener asks, for all of them.
    value: OnceCell<Result<Value, String>>,
}

impl<'a> Arrived<'a> {
    /// The event as it came.
    #[must_use]
    pub const fn new(event: &'a Event<'a>) -> Self {
        Self { event, value: OnceCell::new() }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.event.name
    }

    /// Reads the payload as a `P`.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Mismatch`] when it is something else.
    pub fn payload<P: DeserializeOwned>(&self) -> Result<P, PayloadError> {
        let mismatch = |reason: Cow<'_, str>| PayloadError::Mismatch {
            event: self.event.name.clone().into_owned(),
            expected: type_name::<P>().to_owned(),
            reason: reason.into_owned(),
        };
        let Form::Dynamic = self.event.form else {
            return Err(mismatch(Cow::Borrowed("found the payload of a typed event")));
        };
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
    #[error("event `{event}` cannot carry a `{payload}`: {reason}")]
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
