use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use remote_protocol::event::PayloadError;
use remote_protocol::id::ProcessId;
use remote_protocol::listeners::{ListenerId, Listeners};
use remote_protocol::message::Trouble;

use crate::connection::Connection;
use crate::detach::DetachReason;
use crate::hub::{Hub, lock};
use crate::port::{Port, Scope, SharedListeners, Subject};

/// A process of a parent: a child, or the main process itself.
///
/// A handle is a cheap clone; it outlives the process.
#[derive(Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

struct Inner {
    name: Option<String>,
    remote: bool,
    hub: Arc<Hub>,
    connection: Arc<Connection>,
    listeners: SharedListeners<Process>,
    detach: Mutex<Listeners<DetachListener>>,
    detached: OnceLock<DetachReason>,
}

pub(crate) type DetachListener = Arc<dyn Fn(&Process, &DetachReason) + Send + Sync>;

impl Process {
    pub(crate) fn new(hub: Arc<Hub>, connection: Arc<Connection>, name: Option<String>, remote: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                remote,
                hub,
                connection,
                listeners: SharedListeners::default(),
                detach: Mutex::default(),
                detached: OnceLock::new(),
            }),
        }
    }

    /// The process's id: it prints as the operating system's.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.inner.connection.id()
    }

    /// What the process was called when it was started.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Whether this is another process than the parent's own, the main process.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.inner.remote
    }

    /// What this process and its counterpart send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        Port::new(Arc::clone(&self.inner.hub), Scope::Process(self.clone()), Arc::clone(&self.inner.listeners))
    }

    /// Asks the process to end, after all that was sent to it; kills it when it has not ended by the stop deadline. Does not block:
    /// `detach` tells when it is gone, or [`wait`](Self::wait).
    pub fn close(&self) {
        self.inner.connection.close_in_background(self.inner.hub.deadlines().stop);
    }

    /// Ends the process at once. What it sent before is still heard. One that has no process of its own is cut off.
    pub fn kill(&self) {
        self.inner.connection.kill();
    }

    /// Waits until the process is gone and everybody has been told, and gives the reason; `None` when it is still there at the deadline.
    ///
    /// # Blocking
    ///
    /// For `deadline` at most; on a thread that runs this process's listeners not at all.
    #[must_use]
    pub fn wait(&self, deadline: Duration) -> Option<DetachReason> {
        self.inner.connection.wait_told(Instant::now() + deadline);
        self.detached().cloned()
    }

    /// Why the process went; `None` while it is there.
    #[must_use]
    pub fn detached(&self) -> Option<&DetachReason> {
        self.inner.detached.get()
    }

    /// Calls `listener` when the process goes, after its last event. When it is gone already, nothing is called.
    pub fn on_detach(&self, listener: impl Fn(&Self, &DetachReason) + Send + Sync + 'static) -> ListenerId {
        lock(&self.inner.detach).add(DETACH, true, Arc::new(listener))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.inner.connection
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.inner.hub
    }

    pub(crate) fn listeners(&self) -> &SharedListeners<Self> {
        &self.inner.listeners
    }

    pub(crate) fn set_detached(&self, reason: DetachReason) {
        // A process detaches once.
        let _ = self.inner.detached.set(reason);
    }

    /// Tells the process's own listeners that it is gone, and lets go of all of them.
    pub(crate) fn tell_detach(&self, reason: &DetachReason) {
        let mut turn = lock(&self.inner.detach).turn();
        loop {
            let Some(listener) = lock(&self.inner.detach).next(DETACH, &mut turn) else { break };
            self.inner.hub.contain(self, DETACH, || listener(self, reason));
        }
        let listeners = (lock(&self.inner.detach).take(), lock(&self.inner.listeners).take());
        drop(listeners);
    }
}

impl Subject for Process {
    fn process(&self) -> &Process {
        self
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Process {}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("is_remote", &self.is_remote())
            .field("detached", &self.detached())
            .finish_non_exhaustive()
    }
}

/// Something that went wrong in the application's code, on either side. The process lives on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// In the child.
    #[error(transparent)]
    Child(Trouble),
    /// A listener in the parent takes another type than the event carried. The other listeners heard it.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A listener in the parent panicked. The other listeners heard the event.
    #[error("a listener for `{event}` panicked: {message}")]
    ListenerPanicked {
        /// The event.
        event: String,
        /// What the panic said.
        message: String,
    },
}

const DETACH: &str = "detach";
