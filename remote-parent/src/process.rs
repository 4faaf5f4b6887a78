use std::fmt;
use std::iter;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use remote_protocol::event::PayloadError;
use remote_protocol::id::ProcessId;
use remote_protocol::listeners::{ListenerId, Listeners};
use remote_protocol::message::Trouble;
use remote_protocol::sandbox::Report;

use crate::connection::Connection;
use crate::detach::DetachReason;
use crate::hub::{Hub, after, lock};
use crate::loader::LoaderState;
use crate::options::ProcessOptions;
use crate::port::{Port, Scope, SharedListeners, Subject};

/// A process of a parent: a child, or the main process itself.
///
/// A handle is a cheap clone; it outlives the process.
#[derive(Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    loader: Arc<LoaderState>,
    listeners: SharedListeners<Process>,
    detach: Mutex<Listeners<DetachListener>>,
    /// Whether it is in the list of its loader.
    listed: AtomicBool,
}

/// What a process is to all loaders.
pub(crate) struct Shared {
    options: ProcessOptions,
    remote: bool,
    hub: Arc<Hub>,
    connection: Arc<Connection>,
    /// The walls around it, as it says itself.
    walls: Report,
    detached: OnceLock<DetachReason>,
}

impl Shared {
    pub(crate) fn new(
        hub: Arc<Hub>,
        connection: Arc<Connection>,
        options: ProcessOptions,
        remote: bool,
        walls: Report,
    ) -> Arc<Self> {
        Arc::new(Self { options, remote, hub, connection, walls, detached: OnceLock::new() })
    }

    /// The walls around the process; `None` where none were asked for.
    pub(crate) fn sandbox(&self) -> Option<&Report> {
        self.options.sandbox.as_ref().map(|_| &self.walls)
    }

    pub(crate) fn id(&self) -> ProcessId {
        self.connection.id()
    }

    pub(crate) const fn options(&self) -> &ProcessOptions {
        &self.options
    }

    pub(crate) const fn is_remote(&self) -> bool {
        self.remote
    }

    pub(crate) const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(crate) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn set_detached(&self, reason: DetachReason) {
        // A process detaches once.
        let _ = self.detached.set(reason);
    }

    pub(crate) fn detached(&self) -> Option<&DetachReason> {
        self.detached.get()
    }
}

pub(crate) type DetachListener = Arc<dyn Fn(&Process, &DetachReason) + Send + Sync>;

impl Process {
    pub(crate) fn new(loader: Arc<LoaderState>, shared: Arc<Shared>) -> Self {
        Self {
            inner: Arc::new(Inner {
                shared,
                loader,
                listeners: SharedListeners::default(),
                detach: Mutex::default(),
                listed: AtomicBool::new(true),
            }),
        }
    }

    /// The process's id: it prints as the operating system's.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.inner.shared.id()
    }

    /// What the process was called when it was started.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.shared.options.name.as_deref()
    }

    /// Whether this is a child; `false` for the main process.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.inner.shared.remote
    }

    /// The walls around the process, layer by layer, as it reported when it had locked itself in and nothing was loaded into it yet;
    /// `None` for one that was not asked to.
    #[must_use]
    pub fn sandbox(&self) -> Option<&Report> {
        self.inner.shared.sandbox()
    }

    /// What this process and its counterpart send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        Port::new(Arc::clone(&self.inner.loader), Scope::Process(self.clone()), Arc::clone(&self.inner.listeners))
    }

    /// Asks the process to end, after all that was sent to it, and kills it when it has not ended by the stop deadline of the parent. Does
    /// not block: `detach` tells when it is gone, or [`wait`](Self::wait).
    pub fn close(&self) {
        self.close_within(self.inner.shared.hub.deadlines().stop);
    }

    /// [`close`](Self::close) with a deadline of its own. One that has to be killed was [unresponsive](DetachReason::Unresponsive).
    pub fn close_within(&self, deadline: Duration) {
        self.inner.shared.connection.close_in_background(deadline);
    }

    /// Ends the process at once. What it sent before is still heard. One that has no process of its own is cut off.
    ///
    /// To a [restart policy](crate::Restart) that is a crash; [`close_within`](Self::close_within) with a deadline of zero is not.
    pub fn kill(&self) {
        self.inner.shared.connection.kill();
    }

    /// Waits until the process is gone and everybody has been told, and gives the reason; `None` when it is still there at the deadline. With
    /// an executor, it does not wait for everybody to be told.
    ///
    /// # Blocking
    ///
    /// For `deadline` at most; on a thread that runs this process's listeners not at all.
    #[must_use]
    pub fn wait(&self, deadline: Duration) -> Option<DetachReason> {
        self.inner.shared.connection.ending.wait_gone(after(deadline));
        self.detached().cloned()
    }

    /// Why the process went; `None` while it is there.
    #[must_use]
    pub fn detached(&self) -> Option<&DetachReason> {
        self.inner.shared.detached()
    }

    /// What was last heard of the process: when it has crashed, this is where to look.
    #[must_use]
    pub fn last_heard(&self) -> LastHeard {
        self.inner.shared.connection.last_heard()
    }

    /// Whether the process handles what it is sent: `false` once it has left something unhandled for longer than
    /// [`Deadlines::unresponsive`](crate::Deadlines::unresponsive), until it handles something again.
    #[must_use]
    pub fn is_responsive(&self) -> bool {
        self.inner.shared.connection.is_responsive()
    }

    /// Takes the parent's ends of the standard streams that are [piped](crate::Stream::Piped); each can be taken once.
    #[must_use]
    pub fn take_streams(&self) -> Streams {
        self.inner.shared.connection.take_streams()
    }

    /// Calls `listener` when the process goes, after its last event. When it is gone already, nothing is called.
    pub fn on_detach(&self, listener: impl Fn(&Self, &DetachReason) + Send + Sync + 'static) -> ListenerId {
        lock(&self.inner.detach).add(DETACH, true, Arc::new(listener))
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.inner.detach).remove(listener);
        removed.is_some()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn loader(&self) -> &Arc<LoaderState> {
        &self.inner.loader
    }

    pub(crate) fn listeners(&self) -> &SharedListeners<Self> {
        &self.inner.listeners
    }

    /// Tells the process's own listeners that it is gone.
    pub(crate) fn tell_detach(&self, reason: &DetachReason) {
        let mut turn = lock(&self.inner.detach).turn();
        for listener in iter::from_fn(|| lock(&self.inner.detach).next(DETACH, &mut turn)) {
            self.inner.loader.contain(self, DETACH, || listener(self, reason));
        }
    }

    /// Whether it is in the list of its loader, so that it is told events.
    pub(crate) fn is_listed(&self) -> bool {
        self.inner.listed.load(Ordering::Acquire)
    }

    /// It is in the list of its loader no more: lets go of everything that may hold this handle, its listeners.
    pub(crate) fn clear(&self) {
        self.inner.listed.store(false, Ordering::Release);
        let listeners = (lock(&self.inner.detach).take(), lock(&self.inner.listeners).take());
        drop(listeners);
    }
}

/// What was last heard of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastHeard {
    /// The kind of the last message of it that was handled; `None` before the first.
    pub message: Option<&'static str>,
    /// The methods of the parent that were being served for it when its link closed.
    pub calls: Vec<String>,
}

/// The parent's ends of a process's standard streams.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Streams {
    /// What the process reads.
    pub stdin: Option<ChildStdin>,
    /// What it prints.
    pub stdout: Option<ChildStdout>,
    /// What it complains of.
    pub stderr: Option<ChildStderr>,
}

impl Subject for Process {
    fn process(&self) -> &Process {
        self
    }
}

/// Whether they are the same process, whatever loader sees it.
impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner.shared, &other.inner.shared)
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

/// Something that went wrong in the application's code, on either side. The process lives on, but for one that is
/// [not started again](Self::NotRestarted).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// In the child.
    #[error(transparent)]
    Child(Trouble),
    /// A listener in the parent takes another type than the event carried. The other listeners heard it.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The process crashed, and is not started again as its options ask for: it crashed too often, or the start failed.
    #[error("not started again: {reason}")]
    NotRestarted {
        /// Why.
        reason: String,
    },
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
