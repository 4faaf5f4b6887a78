use std::fmt;
use std::sync::{Arc, Mutex};

use remote_protocol::event::{self, Arrived, PayloadError};
use remote_protocol::id::{LoaderId, ProcessId};
use remote_protocol::listeners::{ListenerId, Listeners};
use remote_protocol::message::{Event, Target};
use remote_protocol::service::NotifyError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::Frame;
use crate::hub::{Hub, lock};
use crate::process::{Process, ProcessError};

/// An event emitter that reaches to the children: what is emitted here is heard there, and the other way round.
///
/// Listeners are given what the event is about, a [`Process`] or a [`Frame`], and the event's payload: any type that serde
/// can read. Several values travel as a tuple, none as `()`: `port.on("resized", |frame, (width, height): (u32, u32)| …)`,
/// `port.on("closed", |frame, ()| …)`.
///
/// Listeners run on the thread of the child the event is from, in the order things were sent.
pub struct Port<S: Subject> {
    hub: Arc<Hub>,
    scope: Scope,
    listeners: SharedListeners<S>,
}

/// What a port's events are about.
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
    pub(crate) const fn new(hub: Arc<Hub>, scope: Scope, listeners: SharedListeners<S>) -> Self {
        Self { hub, scope, listeners }
    }

    /// Sends an event to the listeners in the child; on the port of a list, to those of each process or frame. Never blocks.
    ///
    /// # Errors
    ///
    /// [`EmitError`]. On the port of a list everything that could be reached was, and the first one that takes no more is named.
    pub fn emit<P: Serialize + ?Sized>(&self, event: &str, payload: &P) -> Result<(), EmitError> {
        let (form, payload) = event::encode(event, payload)?;
        let target = match &self.scope {
            Scope::Process(_) | Scope::Processes => Target::Process,
            Scope::Frame(frame) => Target::Frame(frame.id()),
            Scope::Frames => Target::Frames,
        };
        let event = Event { loader: LoaderId::FIRST, target, name: event.into(), form, payload };
        match &self.scope {
            Scope::Process(process) => send(process, &event),
            Scope::Frame(frame) => send(frame.process(), &event),
            Scope::Processes | Scope::Frames => self.hub.broadcast(&event),
        }
    }

    /// Calls `listener` for each event of this name.
    ///
    /// An event that carries something else than a `P` is reported, see [`Processes::on_error`](crate::Processes::on_error).
    pub fn on<P: DeserializeOwned>(&self, event: &str, listener: impl Fn(&S, P) + Send + Sync + 'static) -> ListenerId {
        lock(&self.listeners).add(event, false, read(listener))
    }

    /// Calls `listener` for the next event of this name, and not again.
    pub fn once<P: DeserializeOwned>(
        &self,
        event: &str,
        listener: impl Fn(&S, P) + Send + Sync + 'static,
    ) -> ListenerId {
        lock(&self.listeners).add(event, true, read(listener))
    }

    /// Removes a listener. `false` when it is not there any more.
    pub fn off(&self, listener: ListenerId) -> bool {
        // The listener is dropped when nothing is locked any more: it may hold what removes others.
        let removed = lock(&self.listeners).remove(listener);
        removed.is_some()
    }
}

/// Tells an event to the listeners of one port.
pub(crate) fn tell<S: Subject>(listeners: &SharedListeners<S>, subject: &S, event: &Arrived<'_>) {
    let process = subject.process();
    let mut turn = lock(listeners).turn();
    loop {
        let Some(listener) = lock(listeners).next(event.name(), &mut turn) else { return };
        process.hub().contain(process, event.name(), || {
            if let Err(error) = listener(subject, event) {
                process.hub().report(process, &ProcessError::Payload(error));
            }
        });
    }
}

fn send(process: &Process, event: &Event<'_>) -> Result<(), EmitError> {
    process.connection().emit(event).map_err(|error| EmitError::not_sent(process.id(), error))
}

fn read<S: Subject, P: DeserializeOwned>(listener: impl Fn(&S, P) + Send + Sync + 'static) -> Listener<S> {
    Arc::new(move |subject, event| {
        listener(subject, event.payload()?);
        Ok(())
    })
}

impl<S: Subject> Clone for Port<S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.hub), self.scope.clone(), Arc::clone(&self.listeners))
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
            _ => Self::Detached { process },
        }
    }
}
