//! How handles get into a payload and out of it: what each sends for itself, and what it makes of what has arrived.

use std::borrow::Cow;
use std::sync::Arc;

use remote_protocol::codec::CowBytes;
use remote_protocol::id::LentId;
use remote_protocol::limits::{BUFFER_COPIES_BYTES, BUFFER_COPY_BYTES};
use remote_protocol::payload::{Encoding, Reference};
use remote_protocol::value::{self, ReferenceKind};

use super::{Arrival, Receiver, SCOPE, Scope, Sending};
use crate::buffer::{Memory, RemoteBuffer};
use crate::callback::AnyCallback;
use crate::dynamic::Place;
use crate::function::AnyFunction;
use crate::interface::{Interface, interfaces};
use crate::object::{Exported, Object, address, by_interface};

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
const NO_ID: LentId = LentId { slot: 0, generation: 0 };
