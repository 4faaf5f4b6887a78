use std::cell::RefCell;
use std::fmt;
use std::iter;
use std::rc::Rc;
use std::time::Duration;

use remote_protocol::contain::contain;
use remote_protocol::event::{self, Arrived, EventKey, PayloadError};
use remote_protocol::listeners::{ListenerId, Listeners, Turn};
use remote_protocol::message::{Event, Target, Trouble};
use remote_protocol::state::child::TooManyFrames;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::loader::Loader;

/// An event emitter that reaches to the parent: what is emitted here is heard there, and the other way round.
///
/// Listeners are given what the port belongs to, a [`Process`](crate::Process) or a [`Frame`](crate::Frame), and the
/// event's payload: any type that serde can read. Several values travel as a tuple, none as `()`:
/// `port.on("resized", |_frame, (width, height): (u32, u32)| …)`, `port.on("closed", |_frame, ()| …)`.
///
/// Listeners run on the loop thread, in the order things were sent.
pub struct Port<S: Subject> {
    loader: Rc<Loader>,
    target: Target,
    listeners: SharedListeners<S>,
}

/// What a port belongs to: its listeners are given it first.
pub trait Subject: Clone + 'static {}

pub(crate) type SharedListeners<S> = Rc<RefCell<Listeners<Listener<S>>>>;
pub(crate) type Listener<S> = Rc<dyn Fn(&S, &Arrived<'_>) -> Result<(), PayloadError>>;

impl<S: Subject> Port<S> {
    pub(crate) const fn new(loader: Rc<Loader>, target: Target, listeners: SharedListeners<S>) -> Self {
        Self { loader, target, listeners }
    }

    /// Sends an event to the parent's listeners. On the port of all frames, to those of each frame.
    ///
    /// What is emitted on a frame that is gone is dropped.
    ///
    /// # Blocking
    ///
    /// When the parent's window of unhandled events is full (8 MiB, unless the parent has another), until it has handled some; at most
    /// for the parent's call deadline, 30 s unless it has another.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; nothing was sent.
    pub fn emit<P: Serialize + ?Sized>(&self, event: impl EventKey<P>, payload: &P) -> Result<(), EmitError> {
        if self.loader.is_unloaded() {
            return Err(EmitError::Unloaded);
        }
        let (name, form) = (event.name(), event.form());
        let core = self.loader.core();
        let Self { loader, target, .. } = self;
        event::encoded(name, form, payload, core.lanes.limits().max_payload_bytes(), |payload| {
            core.emit(Event { loader: loader.id, target: *target, name: name.into(), form, payload })
        })?
    }

    /// Calls `listener` for each event of this name.
    ///
    /// An event that carries something else than a `P` is reported to the parent, naming both.
    pub fn on<P: DeserializeOwned>(&self, event: impl EventKey<P>, listener: impl Fn(&S, P) + 'static) -> ListenerId {
        self.add(&event, false, listener)
    }

    /// Calls `listener` for the next event of this name, and not again.
    pub fn once<P: DeserializeOwned>(&self, event: impl EventKey<P>, listener: impl Fn(&S, P) + 'static) -> ListenerId {
        self.add(&event, true, listener)
    }

    /// Removes a listener. `false` when it is not there any more.
    pub fn off(&self, listener: ListenerId) -> bool {
        // The listener is dropped when nothing is borrowed any more: it may hold what removes others.
        let removed = self.listeners.borrow_mut().remove(listener);
        removed.is_some()
    }

    fn add<P: DeserializeOwned>(
        &self,
        event: &impl EventKey<P>,
        once: bool,
        listener: impl Fn(&S, P) + 'static,
    ) -> ListenerId {
        let form = event.form();
        let listener: Listener<S> = Rc::new(move |subject, arrived| {
            listener(subject, arrived.payload(form)?);
            Ok(())
        });
        self.listeners.borrow_mut().add(event.name(), once, listener)
    }
}

/// Tells an event to the listeners of one port.
pub(crate) fn tell<S: Subject>(listeners: &SharedListeners<S>, subject: &S, event: &Arrived<'_>, loader: &Loader) {
    let mut turn = Turn::default();
    let next = || if turn.is_over() { None } else { listeners.borrow_mut().next(event.name(), &mut turn) };
    for listener in iter::from_fn(next) {
        let trouble = match contain(|| listener(subject, event)) {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => Trouble::Payload(error),
            Err(message) => Trouble::ListenerPanicked { event: event.name().to_owned(), message },
        };
        loader.report(trouble);
    }
}

impl<S: Subject> Clone for Port<S> {
    fn clone(&self) -> Self {
        Self::new(Rc::clone(&self.loader), self.target, Rc::clone(&self.listeners))
    }
}

impl<S: Subject> fmt::Debug for Port<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Why an event was not sent, or a frame not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The payload cannot be sent.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The parent has not handled enough of what was sent before, for as long as this side waits.
    #[error("the parent left {unhandled} bytes unhandled for {after:?}")]
    Backlog {
        /// What lies unhandled, in bytes.
        unhandled: u64,
        /// How long was waited.
        after: Duration,
    },
    /// The process has registered as many frames as it may.
    #[error(transparent)]
    TooManyFrames(#[from] TooManyFrames),
    /// The parent has unloaded the loader that the port is of.
    #[error("the loader of this port is unloaded")]
    Unloaded,
    /// The parent is gone.
    #[error("the parent is gone")]
    Disconnected,
}
