//! What the references in a payload stand for while it is encoded or decoded.
//!
//! Serde gives a `Remote` or a `Callback` no way to know what it is being written for. So encoding and decoding set a scope for the
//! thread, and the handles look there. Outside a scope, in an event or a file, they are an error.
//!
//! A scope lies on the stack of who encodes or decodes: most values refer to nothing, and cost no more than its being set.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use remote_protocol::codec;
use remote_protocol::payload::{Encoding, Reference};
use remote_protocol::value::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::buffer::RemoteBuffer;
use crate::callback::AnyCallback;
use crate::calling::{Calling, HeldProxy};
use crate::function::AnyFunction;
use crate::leaks::Via;
use crate::object::Object;
use crate::serving::Serving;

mod references;

pub(crate) use references::{
    receive_arrival, receive_buffer, receive_callback, receive_function, receive_object, receive_place, send_arrival,
    send_buffer, send_callback, send_function, send_object, send_place,
};

/// Whom a payload is written for.
#[derive(Clone)]
pub(crate) enum Receiver {
    /// A child, by the parent.
    /// What it is the argument or the result of, as [`Via`] says.
    Child(Arc<Serving>, Via),
    /// The parent, by a child.
    Parent(Arc<Calling>),
    /// Another thread of this process.
    Local,
}

/// A reference, resolved by whoever receives it. Dropping it gives it back.
#[derive(Clone)]
pub(crate) enum Arrival {
    /// An object of this process.
    Object(Arc<dyn Object>),
    /// An object of the parent.
    Proxy(Arc<HeldProxy>),
    /// A callback, and how it has to be called by whoever gets it.
    Callback(AnyCallback, Encoding),
    /// A function, likewise.
    Function(AnyFunction, Encoding),
    /// A buffer, of this process or of the parent.
    Buffer(RemoteBuffer),
}

/// References that are about to be sent, and what they stand for here.
pub(crate) struct Sending {
    /// Whom they are sent to; `None` where there are none.
    pub(crate) receiver: Option<Receiver>,
    pub(crate) references: Vec<Reference<'static>>,
    /// Kept until the receiver is known to have the message.
    pub(crate) kept: Vec<Arrival>,
    /// The bytes of buffers that travel along.
    copied: usize,
}

enum Scope {
    Send(Outgoing),
    Receive {
        arrivals: Vec<Arrival>,
        form: Encoding,
    },
    /// What is written goes nowhere yet, and can refer to nothing.
    Alone,
}

/// What is being written. What was counted as lent is taken back when it cannot be encoded, also because the application's own `Serialize`
/// panics.
struct Outgoing {
    form: Encoding,
    /// `None` once it has been written.
    sending: RefCell<Option<Sending>>,
}

impl Drop for Outgoing {
    #[inline]
    fn drop(&mut self) {
        // Its references are taken back before anything of it is dropped.
        if let Some(Sending { receiver, references, kept, .. }) = self.sending.get_mut().take() {
            undo(receiver.as_ref(), references);
            drop(kept);
        }
    }
}

scoped_tls::scoped_thread_local!(static SCOPE: Scope);

thread_local! {
    /// The last payload's buffer.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Encodes a value for a receiver, and gives its bytes and references to `send`. When it cannot be encoded, nothing of it counts as lent,
/// and the error says why.
#[inline]
pub(crate) fn encode<T: Serialize + ?Sized, R>(
    receiver: Receiver,
    form: Encoding,
    value: &T,
    send: impl FnOnce(&[u8], Sending) -> R,
) -> Result<R, String> {
    encode_as(Holds::Handles, || receiver, form, value, send)
}

/// What a value may hold, as far as its type tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nothing that has a destructor, as every handle has.
    Nothing,
    /// Perhaps a handle.
    Handles,
}

impl Holds {
    /// What values of this type may hold themselves.
    #[must_use]
    pub const fn of<T>() -> Self {
        if std::mem::needs_drop::<T>() { Self::Handles } else { Self::Nothing }
    }

    /// What both hold together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            _ => Self::Handles,
        }
    }
}

/// [`encode`] for a value of which it is known what it `holds`.
///
/// One that holds nothing is written without a scope. If it refers to something all the same, by a `Serialize` of its own, that is an
/// error then, and it is written again with one.
#[inline]
pub(crate) fn encode_as<T: Serialize + ?Sized, R>(
    holds: Holds,
    receiver: impl FnOnce() -> Receiver,
    form: Encoding,
    value: &T,
    send: impl FnOnce(&[u8], Sending) -> R,
) -> Result<R, String> {
    let mut buffer = BUFFER.take();
    buffer.clear();
    let is_plain = holds == Holds::Nothing && form == Encoding::Typed && !SCOPE.is_set();
    if is_plain && codec::encode(value, &mut buffer).is_ok() {
        let result = send(&buffer, Sending { receiver: None, references: Vec::new(), kept: Vec::new(), copied: 0 });
        keep(buffer);
        return Ok(result);
    }
    let receiver = receiver();
    let encoded = sending(receiver, form, || match form {
        Encoding::Typed => codec::encode(value, &mut buffer).map_err(|error| error.to_string()),
        Encoding::Dynamic => {
            let value = Value::from_serialize(value).map_err(|error| error.to_string())?;
            codec::encode(&value, &mut buffer).map_err(|error| error.to_string())
        }
    });
    let result = encoded.map(|((), sending)| send(&buffer, sending));
    keep(buffer);
    result
}

/// Keeps a buffer for the next payload.
#[inline]
fn keep(buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
}

/// Has `write` write something for a receiver; gives what it refers to as well. When it fails, nothing of it counts as lent.
#[inline]
fn sending<R>(
    receiver: Receiver,
    form: Encoding,
    write: impl FnOnce() -> Result<R, String>,
) -> Result<(R, Sending), String> {
    let sending = Sending { receiver: Some(receiver), references: Vec::new(), kept: Vec::new(), copied: 0 };
    let scope = Scope::Send(Outgoing { form, sending: RefCell::new(Some(sending)) });
    let written = SCOPE.set(&scope, write)?;
    let sending = if let Scope::Send(outgoing) = &scope { outgoing.sending.take() } else { None };
    // Nothing but this takes it.
    let sending = sending.ok_or_else(|| "the references of a value were lost".to_owned())?;
    Ok((written, sending))
}

/// Encodes a value that refers to nothing, so that whoever gets it can read it.
pub(crate) fn encode_alone<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    SCOPE.set(&Scope::Alone, || {
        let mut bytes = Vec::new();
        let value = Value::from_serialize(value).map_err(|error| error.to_string())?;
        codec::encode(&value, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    })
}

/// A copy of references that are about to be sent, for [`undo`]; mostly there are none.
#[inline]
pub(crate) fn copied(references: &[Reference<'static>]) -> Vec<Reference<'static>> {
    if references.is_empty() { Vec::new() } else { references.to_vec() }
}

/// Takes back references that were counted as lent and then not sent.
#[cold]
pub(crate) fn undo(receiver: Option<&Receiver>, references: Vec<Reference<'static>>) {
    let Some(receiver) = receiver else { return };
    for reference in references {
        match (receiver, reference) {
            (
                Receiver::Child(serving, _),
                Reference::Object(id) | Reference::ObjectOf { id, .. } | Reference::Buffer { id, .. },
            ) => serving.take_back(id),
            (Receiver::Parent(calling), Reference::Callback { id, .. } | Reference::Function { id, .. }) => {
                calling.take_back(id);
            }
            // Not counted: it goes back to where it came from, or nowhere.
            _ => {}
        }
    }
}

/// Decodes a typed value whose references have arrived.
#[inline]
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8], arrivals: Vec<Arrival>) -> Result<T, String> {
    // What refers to nothing needs no scope; else the error is to say what was expected.
    if arrivals.is_empty()
        && !SCOPE.is_set()
        && let Ok(value) = codec::decode(bytes)
    {
        return Ok(value);
    }
    receiving(Encoding::Typed, arrivals, || codec::decode(bytes).map_err(|error| error.to_string()))
}

/// Decodes a value, in either form, whose references have arrived.
pub(crate) fn decode_owned<T: DeserializeOwned>(
    form: Encoding,
    bytes: &[u8],
    arrivals: Vec<Arrival>,
) -> Result<T, String> {
    match form {
        Encoding::Typed => decode(bytes, arrivals),
        Encoding::Dynamic => receiving(form, arrivals, || {
            let value: Value = codec::decode(bytes).map_err(|error| error.to_string())?;
            value.to().map_err(|error| error.to_string())
        }),
    }
}

/// Has `read` read something whose references have arrived.
#[inline]
pub(crate) fn receiving<R>(form: Encoding, arrivals: Vec<Arrival>, read: impl FnOnce() -> R) -> R {
    // Dropped when it is not set any more: arrivals run code of the application.
    let scope = Scope::Receive { arrivals, form };
    SCOPE.set(&scope, read)
}

/// Makes a value of something that stays in this process, with what it refers to.
pub(crate) fn to_value<T: Serialize + ?Sized>(receiver: Receiver, value: &T) -> Result<(Value, Vec<Arrival>), String> {
    let write = || Value::from_serialize(value).map_err(|error| error.to_string());
    sending(receiver, Encoding::Dynamic, write).map(|(value, sending)| (value, sending.kept))
}

/// Makes something of a value whose references have arrived.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value, arrivals: Vec<Arrival>) -> Result<T, String> {
    receiving(Encoding::Dynamic, arrivals, || value.to().map_err(|error| error.to_string()))
}

/// A longer payload's buffer is not kept for the next one.
const KEPT_BYTES: usize = 256 * 1024;
