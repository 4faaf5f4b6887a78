//! What the references in a payload stand for while it is encoded or decoded.
//!
//! Serde gives a `Remote` or a `Callback` no way to know what it is being written for. So encoding and decoding set a scope for the
//! thread, and the handles look there. Outside a scope, in an event or a file, they are an error.
//!
//! A scope lies on the stack of who encodes or decodes: most values refer to nothing, and cost no more than its being set.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use remote_protocol::codec::{self, CowBytes};
use remote_protocol::limits::{BUFFER_COPIES_BYTES, BUFFER_COPY_BYTES};
use remote_protocol::payload::{Encoding, Reference};
use remote_protocol::value::{self, ReferenceKind, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::buffer::{Memory, RemoteBuffer};
use crate::callback::AnyCallback;
use crate::calling::{Calling, HeldProxy};
use crate::dynamic::Place;
use crate::function::AnyFunction;
use crate::interface::{Interface, interfaces};
use crate::leaks::Via;
use crate::object::{Exported, Object, address, by_interface};
use crate::serving::Serving;

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

/// Counts an object as lent, and gives what stands for it in the payload.
pub(crate) fn send_object<T: Interface + ?Sized>(object: &Arc<T>) -> Result<value::Reference, String> {
    send(ReferenceKind::Object, |receiver, form, _| match receiver {
        Receiver::Child(serving, via) => {
            let id = serving.lend(Arc::new(Exported(Arc::clone(object))), via)?;
            let reference = match form {
                Encoding::Typed => Reference::Object(id),
                Encoding::Dynamic => {
                    Reference::ObjectOf { id, interfaces: interfaces::<T>().into_iter().map(Cow::Borrowed).collect() }
                }
            };
            Ok((reference, None))
        }
        Receiver::Parent(calling) => {
            let proxy = calling
                .proxy_at(address(object))
                .ok_or_else(|| format!("a `{}` of this child cannot be sent: objects live in the parent", T::NAME))?;
            Ok((Reference::Object(proxy.id()), Some(Arrival::Proxy(proxy))))
        }
        Receiver::Local => {
            let object: Arc<dyn Object> = Arc::new(Exported(Arc::clone(object)));
            // The id means nothing here; what it stands for travels along.
            Ok((Reference::Object(NO_ID), Some(Arrival::Object(object))))
        }
    })
}

/// Counts an object that may be of any kind as lent, and gives what stands for it in the payload.
pub(crate) fn send_place(place: &Place) -> Result<value::Reference, String> {
    send(ReferenceKind::Object, |receiver, _, _| match (receiver, place) {
        (Receiver::Child(serving, via), Place::Here(object)) => {
            let interfaces = object.interfaces().into_iter().map(Cow::Owned).collect();
            Ok((Reference::ObjectOf { id: serving.lend(Arc::clone(object), via)?, interfaces }, None))
        }
        (Receiver::Parent(calling), Place::There(held)) if Arc::ptr_eq(&held.calling, calling) => {
            Ok((Reference::Object(held.id()), Some(Arrival::Proxy(Arc::clone(held)))))
        }
        (Receiver::Parent(_), Place::Here(object)) => {
            Err(format!("a `{}` of this child cannot be sent: objects live in the parent", object.interface()))
        }
        (Receiver::Child(..) | Receiver::Parent(_), Place::There(_)) => {
            Err("this object is another process's".to_owned())
        }
        (Receiver::Local, Place::Here(object)) => {
            Ok((Reference::Object(NO_ID), Some(Arrival::Object(Arc::clone(object)))))
        }
        (Receiver::Local, Place::There(held)) => Ok((Reference::Object(NO_ID), Some(Arrival::Proxy(Arc::clone(held))))),
    })
}

/// The object that a reference in a payload stands for, whatever it is.
pub(crate) fn receive_place(reference: value::Reference) -> Result<Place, String> {
    match (reference.kind, receive_arrival(reference.index)?) {
        (ReferenceKind::Object, Arrival::Object(object)) => Ok(Place::Here(object)),
        (ReferenceKind::Object, Arrival::Proxy(held)) => Ok(Place::There(held)),
        _ => Err("expected an object, found another kind of reference".to_owned()),
    }
}

/// Counts something that arrived before as lent again.
pub(crate) fn send_arrival(arrival: &Arrival) -> Result<value::Reference, String> {
    match arrival {
        Arrival::Object(object) => send_place(&Place::Here(Arc::clone(object))),
        Arrival::Proxy(held) => send_place(&Place::There(Arc::clone(held))),
        Arrival::Callback(callback, form) => send_callback(callback, *form),
        Arrival::Function(function, form) => send_function(function, *form),
        Arrival::Buffer(buffer) => send_buffer(buffer),
    }
}

/// What a reference in a payload stands for.
pub(crate) fn receive_arrival(index: u32) -> Result<Arrival, String> {
    receive(index).map(|(arrival, _)| arrival)
}

/// Counts a callback as lent, and gives what stands for it in the payload.
///
/// `known` says how the sender has to call it; whoever gets it dynamically does not know its type.
pub(crate) fn send_callback(callback: &AnyCallback, known: Encoding) -> Result<value::Reference, String> {
    send(ReferenceKind::Function, |receiver, form, _| {
        let (id, frame, made_at) = match (receiver, callback) {
            (Receiver::Parent(_), _) if (known, form) == (Encoding::Dynamic, Encoding::Typed) => {
                return Err("a callback that arrived dynamically is passed on dynamically".to_owned());
            }
            (Receiver::Parent(calling), AnyCallback::Made(made)) => {
                (calling.lend(made)?, made.frame(), made.location().clone())
            }
            (Receiver::Parent(_), AnyCallback::Held(_)) => return Err("this callback is another process's".to_owned()),
            (Receiver::Child(..), _) => {
                return Err("a callback cannot be sent to a child: children make them".to_owned());
            }
            (Receiver::Local, callback) => (NO_ID, None, callback.made_at().clone()),
        };
        Ok((Reference::Callback { id, frame, made_at }, Some(Arrival::Callback(callback.clone(), known))))
    })
}

/// Counts a function as lent, and gives what stands for it in the payload; otherwise as [`send_callback`].
pub(crate) fn send_function(function: &AnyFunction, known: Encoding) -> Result<value::Reference, String> {
    send(ReferenceKind::Function, |receiver, form, _| {
        let made_at = function.made_at().clone();
        let reference = match (receiver, function) {
            (Receiver::Child(..), _) => {
                return Err("a function cannot be sent to a child: children make them".to_owned());
            }
            (Receiver::Parent(_), AnyFunction::Returning(returning)) => {
                Reference::Returning { result: CowBytes(Cow::Owned(returning.result.clone()?)), made_at }
            }
            (Receiver::Parent(_), _) if (known, form) == (Encoding::Dynamic, Encoding::Typed) => {
                return Err("a function that arrived dynamically is passed on dynamically".to_owned());
            }
            (Receiver::Parent(calling), AnyFunction::Made(made)) => {
                Reference::Function { id: calling.lend(made)?, frame: made.frame(), made_at }
            }
            (Receiver::Parent(_), AnyFunction::Held(_)) => return Err("this function is another process's".to_owned()),
            (Receiver::Local, _) => Reference::Function { id: NO_ID, frame: None, made_at },
        };
        Ok((reference, Some(Arrival::Function(function.clone(), known))))
    })
}

/// Counts a buffer as lent, and gives what stands for it in the payload.
pub(crate) fn send_buffer(buffer: &RemoteBuffer) -> Result<value::Reference, String> {
    send(ReferenceKind::Buffer, |receiver, _, copied| match (receiver, buffer.memory()) {
        (Receiver::Child(serving, via), Ok(memory)) => {
            let (id, place) = serving.lend_buffer(memory, via)?;
            let copy = copy(memory, copied);
            Ok((Reference::Buffer { id, length: memory.bytes().len() as u64, copy, place }, None))
        }
        (Receiver::Parent(calling), Err(held)) if Arc::ptr_eq(calling, held.calling()) => {
            let reference = Reference::Buffer { id: held.id(), length: held.length() as u64, copy: None, place: None };
            Ok((reference, Some(Arrival::Buffer(buffer.clone()))))
        }
        (Receiver::Parent(_), Ok(_)) => {
            Err("a buffer of this child cannot be sent: buffers live in the parent".to_owned())
        }
        (Receiver::Child(..) | Receiver::Parent(_), Err(_)) => Err("this buffer is another process's".to_owned()),
        (Receiver::Local, _) => {
            let reference = Reference::Buffer { id: NO_ID, length: buffer.len() as u64, copy: None, place: None };
            Ok((reference, Some(Arrival::Buffer(buffer.clone()))))
        }
    })
}

/// The bytes of a buffer, if they are to travel along with a reference to it.
fn copy(memory: &Memory, copied: &mut usize) -> Option<CowBytes<'static>> {
    let bytes = memory.bytes();
    if bytes.len() > BUFFER_COPY_BYTES || bytes.len() > BUFFER_COPIES_BYTES.saturating_sub(*copied) {
        return None;
    }
    *copied += bytes.len();
    Some(CowBytes(Cow::Owned(bytes.to_vec())))
}

/// The object that a reference in a payload stands for.
pub(crate) fn receive_object<T: Interface + ?Sized>(reference: value::Reference) -> Result<Arc<T>, String> {
    let (arrival, form) = receive(reference.index)?;
    match (reference.kind, arrival) {
        (ReferenceKind::Object, Arrival::Object(object)) => {
            by_interface(&*object).ok_or_else(|| format!("expected a `{}`, found a `{}`", T::NAME, object.interface()))
        }
        // A typed payload cannot be mistaken in this; and what it carries does not say what it is.
        (ReferenceKind::Object, Arrival::Proxy(proxy)) => match form {
            Encoding::Typed => Ok(proxy.typed()),
            Encoding::Dynamic => {
                proxy.typed_if().map_err(|found| format!("expected a `{}`, found a `{found}`", T::NAME))
            }
        },
        _ => Err(format!("expected a `{}`, found another kind of reference", T::NAME)),
    }
}

/// The callback that a reference in a payload stands for, and how it has to be called.
pub(crate) fn receive_callback(reference: value::Reference) -> Result<(AnyCallback, Encoding), String> {
    let (arrival, form) = receive(reference.index)?;
    match (reference.kind, arrival) {
        (ReferenceKind::Function, Arrival::Callback(callback, Encoding::Typed)) => Ok((callback, form)),
        (ReferenceKind::Function, Arrival::Callback(callback, Encoding::Dynamic)) => Ok((callback, Encoding::Dynamic)),
        (ReferenceKind::Function, Arrival::Function(..)) => Err("expected a callback, found a function".to_owned()),
        _ => Err("expected a callback, found another kind of reference".to_owned()),
    }
}

/// The function that a reference in a payload stands for, and how it has to be called.
pub(crate) fn receive_function(reference: value::Reference) -> Result<(AnyFunction, Encoding), String> {
    let (arrival, form) = receive(reference.index)?;
    match (reference.kind, arrival) {
        (ReferenceKind::Function, Arrival::Function(function, Encoding::Typed)) => Ok((function, form)),
        (ReferenceKind::Function, Arrival::Function(function, Encoding::Dynamic)) => Ok((function, Encoding::Dynamic)),
        (ReferenceKind::Function, Arrival::Callback(..)) => {
            Err("expected a function, found a callback, which returns nothing".to_owned())
        }
        _ => Err("expected a function, found another kind of reference".to_owned()),
    }
}

/// The buffer that a reference in a payload stands for.
pub(crate) fn receive_buffer(reference: value::Reference) -> Result<RemoteBuffer, String> {
    match (reference.kind, receive_arrival(reference.index)?) {
        (ReferenceKind::Buffer, Arrival::Buffer(buffer)) => Ok(buffer),
        _ => Err("expected a buffer, found another kind of reference".to_owned()),
    }
}

fn send(
    kind: ReferenceKind,
    lend: impl FnOnce(&Receiver, Encoding, &mut usize) -> Result<(Reference<'static>, Option<Arrival>), String>,
) -> Result<value::Reference, String> {
    let misplaced = || Err("objects, callbacks and buffers travel in calls, returns and callbacks only".to_owned());
    if !SCOPE.is_set() {
        return misplaced();
    }
    SCOPE.with(|scope| {
        let outgoing = match scope {
            Scope::Send(outgoing) => outgoing,
            Scope::Alone => return Err("a value that is known beforehand cannot refer to anything".to_owned()),
            Scope::Receive { .. } => return misplaced(),
        };
        let mut sending = outgoing.sending.borrow_mut();
        let Some(Sending { receiver: Some(receiver), references, kept, copied }) = &mut *sending else {
            return misplaced();
        };
        let (reference, keep) = lend(receiver, outgoing.form, copied)?;
        let index = u32::try_from(references.len()).map_err(|_| "too many references".to_owned())?;
        references.push(reference);
        kept.extend(keep);
        Ok(value::Reference { kind, index })
    })
}

fn receive(index: u32) -> Result<(Arrival, Encoding), String> {
    let misplaced = || Err("objects, callbacks and buffers arrive in calls, returns and callbacks only".to_owned());
    if !SCOPE.is_set() {
        return misplaced();
    }
    SCOPE.with(|scope| {
        let Scope::Receive { arrivals, form } = scope else { return misplaced() };
        let arrival = usize::try_from(index).ok().and_then(|index| arrivals.get(index));
        let arrival = arrival.cloned();
        let unknown = || format!("expected one of {} references, found number {index}", arrivals.len());
        arrival.map(|arrival| (arrival, *form)).ok_or_else(unknown)
    })
}

/// What stands in for an id where there is no table.
const NO_ID: remote_protocol::id::LentId = remote_protocol::id::LentId { slot: 0, generation: 0 };

/// A longer payload's buffer is not kept for the next one.
const KEPT_BYTES: usize = 256 * 1024;
