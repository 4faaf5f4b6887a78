use std::fmt;
use std::iter;
use std::sync::{Arc, Mutex};

use remote_protocol::event::{self, Arrived, EventKey, PayloadError};
use remote_protocol::id::ProcessId;
use remote_protocol::listeners::{ListenerId, Listeners, Turn};
use remote_protocol::message::{Event, Target};
use remote_protocol::service::NotifyError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::Frame;
use crate::hub::lock;
use crate::loader::LoaderState;
use crate::process::{Process, ProcessError};

/// An event emitter that reaches to the children: what is emitted here is heard there, and the other way round.
///
/// Listeners are given what the event is about, a [`Process`] or a [`Frame`], and the event's payload: any type that serde
/// can read. Several values travel as a tuple, none as `()`: `port.on("resized", |frame, (width, height): (u32, u32)| …)`,
/// `port.on("closed", |frame, ()| …)`.
///
/// Listeners run on the thread of the child the event is from, or on the parent's [executor](crate::ParentOptions::executor), in the
/// order things were sent.
pub struct Port<S: Subject> {
    loader: Arc<LoaderState>,
    scope: Scope,
    listeners: SharedListeners<S>,
}

/// What a port belongs to: its listeners are given it first.
pub trait Subject: Clone + 'static {
    /// The process it is or is in.
    fn process(&self) -> &Process;
}

/// Where a port's events go.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    Process(Process),
    Processes,
    Frame(Frame),
    Frames,
}

pub(crate) type SharedListeners<S> = Arc<Mutex<Listeners<Listener<S>>>>;
pub(crate) type Listener<S> = Arc<dyn Fn(&S, &Arrived<'_>) -> Result<(), PayloadError> + Send + Sync>;

impl<S: Subject> Port<S> {
    pub(crate) const fn new(loader: Arc<LoaderState>, scope: Scope, listeners: SharedListeners<S>) -> Self {
        Self { loader, scope, listeners }
    }

    /// Sends an event to the listeners in the child; on the port of a list, to those of each process or frame. Never blocks.
    ///
    /// What is sent counts until the child has handled it: until its listeners for it have returned. So an event that alone fills the
    /// [window](crate::Limits::window) leaves no room for others before that, not even to answer what its listeners say.
    ///
    /// # Errors
    ///
    /// [`EmitError`]. On the port of a list everything that could be reached was, and the first one that takes no more is named.
    pub fn emit<P: Serialize + ?Sized>(&self, event: impl EventKey<P>, payload: &P) -> Result<(), EmitError> {
        if self.loader.is_unloading() {
            return Err(EmitError::Unloaded);
        }
        let (name, form) = (event.name(), event.form());
        let limits = match &self.scope {
            Scope::Process(process) => process.shared().connection().limits(),
            Scope::Frame(frame) => frame.process().shared().connection().limits(),
            Scope::Processes | Scope::Frames => self.loader.hub.limits(),
        };
        let target = match &self.scope {
            Scope::Process(_) | Scope::Processes => Target::Process,
            Scope::Frame(frame) => Target::Frame(frame.id()),
            Scope::Frames => Target::Frames,
        };
        event::encoded(name, form, payload, limits.max_payload_bytes(), |payload| {
            let event = Event { loader: self.loader.id, target, name: name.into(), form, payload };
            match &self.scope {
                Scope::Process(process) => send(process, &event),
                Scope::Frame(frame) => send(frame.process(), &event),
                Scope::Processes | Scope::Frames => self.loader.hub.broadcast(&event),
            }
        })?
    }

    /// Calls `listener` for each event of this name.
    ///
    /// An event that carries something else than a `P` is reported, see [`Processes::on_error`](crate::Processes::on_error).
    pub fn on<P: DeserializeOwned>(
        &self,
        event: impl EventKey<P>,
        listener: impl Fn(&S, P) + Send + Sync + 'static,
    ) -> ListenerId {
        self.add(&event, false, listener)
    }

    /// Calls `listener` for the next event of this name, and not again.
    pub fn once<P: DeserializeOwned>(
        &self,
        event: impl EventKey<P>,
        listener: impl Fn(&S, P) + Send + Sync + 'static,
    ) -> ListenerId {
        self.add(&event, true, listener)
    }

    /// Removes a listener. `false` when it is not there any more.
    pub fn off(&self, listener: ListenerId) -> bool {
        // The listener is dropped when nothing is locked any more: it may hold what removes others.
        let removed = lock(&self.listeners).remove(listener);
        removed.is_some()
    }

    fn add<P: DeserializeOwned>(
        &self,
        event: &impl EventKey<P>,
        once: bool,
        listener: impl Fn(&S, P) + Send + Sync + 'static,
    ) -> ListenerId {
        let form = event.form();
        let listener: Listener<S> = Arc::new(move |subject, arrived| {
            listener(subject, arrived.payload(form)?);
            Ok(())
        });
        lock(&self.listeners).add(event.name(), once, listener)
    }
}

/// Tells an event to the listeners of one port.
pub(crate) fn tell<S: Subject>(listeners: &SharedListeners<S>, subject: &S, event: &Arrived<'_>) {
    let process = subject.process();
    let mut turn = Turn::default();
    let next = || if turn.is_over() { None } else { lock(listeners).next(event.name(), &mut turn) };
    for listener in iter::from_fn(next) {
        process.loader().contain(process, event.name(), || {
            if let Err(error) = listener(subject, event) {
                process.loader().report(process, &ProcessError::Payload(error));
            }
        });
    }
}

fn send(process: &Process, event: &Event<'_>) -> Result<(), EmitError> {
    let sent = process.shared().connection().emit(event);
    sent.map_err(|error| EmitError::not_sent(process.id(), error))
}

impl<S: Subject> Clone for Port<S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.loader), self.scope.clone(), Arc::clone(&self.listeners))
    }
}

impl<S: Subject> fmt::Debug for Port<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Why an event was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The payload cannot be sent.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The process or the frame is gone or going.
    #[error("process {process}, or its frame, is gone")]
    Detached {
        /// The process.
        process: ProcessId,
    },
    /// The parent is closed.
    #[error("the parent is closed")]
    ParentClosed,
    /// The loader that the port is of has been unloaded.
    #[error("the loader of this port is unloaded")]
    Unloaded,
    /// The process takes less than others do, to which the event was sent as well.
    #[error("process {process} takes {limit} bytes at most, not {length}")]
    TooLong {
        /// The process.
        process: ProcessId,
        /// The length of the payload, in bytes.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The process does not handle what it is sent.
    #[error("process {process} has {unhandled} bytes unhandled, at most {limit} may be")]
    Backlog {
        /// The process.
        process: ProcessId,
        /// What lies unhandled, in bytes.
        unhandled: u64,
        /// What may.
        limit: u64,
    },
}

impl EmitError {
    pub(crate) fn not_sent(process: ProcessId, error: NotifyError) -> Self {
        match error {
            NotifyError::Backlog(full) => Self::Backlog { process, unhandled: full.unhandled, limit: full.limit },
            NotifyError::TooLong { length, limit } => Self::TooLong { process, length, limit },
            _ => Self::Detached { process },
        }
    }
}
