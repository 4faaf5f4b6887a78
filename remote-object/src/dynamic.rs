use std::fmt;
use std::sync::Arc;

use remote_protocol::call::{Access, CallError, Outcome, Selector};
use remote_protocol::payload::Encoding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calling::{HeldProxy, done, typed_at};
use crate::dynamic_object::DynamicObject;
use crate::interface::Interface;
use crate::invocation::{Arguments, Asker, Invocation, ReplyHere, ValueHere};
use crate::members::Members;
use crate::object::{Exported, Object, address, by_interface};
use crate::promise::Promise;
use crate::proxy;
use crate::remote::Remote;
use crate::scope::{self, Arrival, Holds, Receiver};

/// An object of the parent, used by the names of its members, with values of whatever types they are.
///
/// In the parent it holds the object itself, in a child a reference to it, as [`Remote`] does. It may be an argument, a result or part of
/// one; one that comes back to the parent is the object it was made from. Every interface can be used this way, and a
/// [`DynamicObject`] only this way.
///
/// Arguments are a tuple, `()` if there are none, or a list; what a member returns is made to what is asked for. Both travel as
/// [`Value`](crate::Value)s, so that a wrong number of arguments or a wrong type is a [`CallError::Arguments`] or [`CallError::Result`]
/// that names the member, what was expected and what was found. An error of the object's own is [`CallError::Failed`], with its kind,
/// message, causes and method.
///
/// What is asked for may be or contain a `RemoteObject`, a `Remote<dyn Trait>` or a [`RemoteValue`](crate::RemoteValue). In a plain
/// [`Value`](crate::Value) what refers to something is only a number.
///
/// # Blocking
///
/// In a child every access is a call, and blocks as the methods of a proxy do, at most for the call deadline, also where the member
/// answers later; only [`call_async`](Self::call_async) does not. In the main process's own modules it runs the object's code on the
/// calling thread, where a panic in it is an error, and waits for a member that answers later, at most for 30 s.
///
/// ```no_run
/// use remote_child::Child;
/// use remote_object::{CallError, ChildExt, value};
///
/// fn module(child: &Child) -> Result<(), CallError> {
///     let windows = child.remote().require_dynamic("browser-window")?;
///     let window = windows.construct((value!({ "width": 800, "height": 600 }),))?;
///     window.call::<()>("load_url", ("https://github.com",))?;
///     let title: String = window.get("title")?;
///     window.set("title", format!("{title}, opened by a child"))
/// }
/// ```
#[derive(Clone)]
pub struct RemoteObject {
    place: Place,
}

/// Where an object lives.
#[derive(Clone)]
pub(crate) enum Place {
    /// In this process.
    Here(Arc<dyn Object>),
    /// In the parent.
    There(Arc<HeldProxy>),
}

impl RemoteObject {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place }
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Calls the method `name`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; for this and all others as described [above](Self).
    pub fn call<R: DeserializeOwned>(&self, name: &str, arguments: impl Serialize) -> Result<R, CallError> {
        self.access(name, Access::Call, &arguments)
    }

    /// Calls the method `name` and does not wait: what it returns can be waited for later, or awaited. Any method can be called so, not only
    /// one that answers later. See [`Promise`] for how many may be under way, and for giving one up, which keeps no method from running
    /// that answers at once.
    ///
    /// # Blocking
    ///
    /// Never, in a child; in the main process's own modules it runs the method.
    ///
    /// # Errors
    ///
    /// All are in what the promise gives, those of a call that was not sent too.
    ///
    /// ```no_run
    /// use remote_object::{CallError, Promise, RemoteObject};
    ///
    /// fn lengths(printer: &RemoteObject) -> Result<[u64; 2], CallError> {
    ///     let one: Promise<u64, CallError> = printer.call_async("print", ("one text",));
    ///     let other: Promise<u64, CallError> = printer.call_async("print", ("another text",));
    ///     Ok([one.wait()?, other.wait()?])
    /// }
    /// ```
    pub fn call_async<R: DeserializeOwned + Send + 'static>(
        &self,
        name: &str,
        arguments: impl Serialize,
    ) -> Promise<R, CallError> {
        let selector = Selector::Named { name: name.into(), access: Access::Call };
        match &self.place {
            Place::Here(object) => {
                let method = name.to_owned();
                here(&**object, selector, name, &arguments, move |value| result(value, &method))
            }
            Place::There(held) => {
                match proxy::start(held, selector, Encoding::Dynamic, name, Holds::Handles, &arguments) {
                    Ok(started) => Promise::of_call(started, |started, answered| {
                        read(started.name(), answered.outcome, answered.arrivals)
                    }),
                    Err(error) => Promise::ready(Err(error)),
                }
            }
        }
    }

    /// Calls the object itself, which is a function.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn invoke<R: DeserializeOwned>(&self, arguments: impl Serialize) -> Result<R, CallError> {
        self.access("", Access::Call, &arguments)
    }

    /// Reads the property `name`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn get<R: DeserializeOwned>(&self, name: &str) -> Result<R, CallError> {
        self.access(name, Access::Get, &())
    }

    /// Writes the property `name`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn set(&self, name: &str, value: impl Serialize) -> Result<(), CallError> {
        self.access(name, Access::Set, &(value,))
    }

    /// Makes an object with this one, which is a constructor; of an interface it is the constructor `new`, or the only one.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn construct(&self, arguments: impl Serialize) -> Result<Self, CallError> {
        self.access("", Access::Construct, &arguments)
    }

    /// Makes an object with the constructor `name`.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn construct_member(&self, name: &str, arguments: impl Serialize) -> Result<Self, CallError> {
        self.access(name, Access::Construct, &arguments)
    }

    /// What it offers.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn members(&self) -> Result<Members, CallError> {
        self.access("", Access::Members, &())
    }

    /// The same object by its interface `T`, or one that its interface inherits from. Never blocks, for a reference knows its interface.
    ///
    /// # Errors
    ///
    /// [`CallError::Result`], which names what was expected and what was found, when it is something else.
    pub fn downcast<T: Interface + ?Sized>(&self) -> Result<Remote<T>, CallError> {
        let object = match &self.place {
            Place::Here(object) => by_interface(&**object).ok_or_else(|| object.interface().to_owned()),
            Place::There(held) => held.typed_if(),
        };
        let reason = |found| format!("expected a `{}`, found a `{found}`", T::NAME);
        let failed = |found| CallError::Result { method: "downcast".to_owned(), reason: reason(found) };
        object.map(Remote::new).map_err(failed)
    }

    fn access<R: DeserializeOwned>(
        &self,
        name: &str,
        access: Access,
        arguments: &impl Serialize,
    ) -> Result<R, CallError> {
        let selector = Selector::Named { name: name.into(), access };
        let label = if name.is_empty() { self.interface() } else { name };
        match &self.place {
            Place::Here(object) => result(here(&**object, selector, label, arguments, Ok).wait()?, label),
            Place::There(held) => {
                proxy::request(held, selector, Encoding::Dynamic, label, Holds::Handles, arguments, |outcome| {
                    let (outcome, arrivals) = held.calling.receive(outcome);
                    read(label, outcome, arrivals)
                })?
            }
        }
    }

    fn interface(&self) -> &str {
        match &self.place {
            Place::Here(object) => object.interface(),
            Place::There(held) => held.interface(),
        }
    }
}

/// Calls an object of this process, and makes a promise of what `make` makes of the value it returns.
fn here<R: Send + 'static>(
    object: &dyn Object,
    selector: Selector<'_>,
    label: &str,
    arguments: &impl Serialize,
    make: impl FnOnce(ValueHere) -> Result<R, CallError> + Send + 'static,
) -> Promise<R, CallError> {
    let (arguments, arrivals) = match scope::to_value(Receiver::Local, arguments) {
        Ok(sent) => sent,
        Err(reason) => return Promise::ready(Err(CallError::Arguments { method: label.to_owned(), reason })),
    };
    let (promise, reply) = Promise::of_method(label);
    let asker = Asker::Here { arrivals, reply: ReplyHere::new(reply, make) };
    object.dispatch(Invocation::new(selector, Arguments::Dynamic(&arguments), asker));
    promise
}

/// Makes a result of a value of this process.
fn result<R: DeserializeOwned>((value, arrivals): ValueHere, label: &str) -> Result<R, CallError> {
    scope::from_value(&value, arrivals).map_err(|reason| CallError::Result { method: label.to_owned(), reason })
}

/// Reads the answer to a call, whose references have arrived.
fn read<R: DeserializeOwned>(
    label: &str,
    outcome: Outcome<'_>,
    arrivals: Result<Vec<Arrival>, String>,
) -> Result<R, CallError> {
    let payload = done(outcome)?;
    arrivals
        .and_then(|arrivals| scope::decode_owned(Encoding::Dynamic, &payload.bytes.0, arrivals))
        .map_err(|reason| CallError::Result { method: label.to_owned(), reason })
}

/// Whether they are the same object, by the same interface.
impl PartialEq for RemoteObject {
    fn eq(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Here(one), Place::Here(other)) => one.key() == other.key(),
            (Place::There(one), Place::There(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for RemoteObject {}

impl fmt::Debug for RemoteObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteObject<{}>", self.interface())
    }
}

impl<T: Interface + ?Sized> From<&Remote<T>> for RemoteObject {
    fn from(remote: &Remote<T>) -> Self {
        let object = Remote::as_arc(remote);
        Self::new(match typed_at(address(object)) {
            Some(held) => Place::There(held),
            None => Place::Here(Arc::new(Exported(Arc::clone(object)))),
        })
    }
}

impl<T: Interface + ?Sized> From<Remote<T>> for RemoteObject {
    fn from(remote: Remote<T>) -> Self {
        Self::from(&remote)
    }
}

impl<T: Interface + ?Sized> From<Arc<T>> for RemoteObject {
    fn from(object: Arc<T>) -> Self {
        Self::from(&Remote::new(object))
    }
}

impl From<DynamicObject> for RemoteObject {
    fn from(object: DynamicObject) -> Self {
        Self::new(Place::Here(Arc::new(object)))
    }
}

impl Serialize for RemoteObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        scope::send_place(&self.place).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reference = Deserialize::deserialize(deserializer)?;
        scope::receive_place(reference).map(Self::new).map_err(serde::de::Error::custom)
    }
}
