use std::any::Any;
use std::fmt;
use std::sync::Arc;

use remote_protocol::id::{FrameId, ProcessId};
use remote_protocol::listeners::ListenerId;

use crate::detach::DetachReason;
use crate::frame::{Frame, FrameOptions, OpenError};
use crate::hub::{MAIN, lock};
use crate::loader::LoaderState;
use crate::options::ProcessOptions;
use crate::port::{Port, Scope};
use crate::process::{Process, ProcessError};
use crate::spawn::{self, StartError};

/// The processes of a parent, the main process among them.
#[derive(Clone)]
pub struct Processes {
    loader: Arc<LoaderState>,
}

impl Processes {
    pub(crate) const fn new(loader: Arc<LoaderState>) -> Self {
        Self { loader }
    }

    /// Starts a child: this same executable, connected by the default transport.
    ///
    /// # Blocking
    ///
    /// Until the child has said hello, at most for the start deadline.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left of the child.
    pub fn spawn(&self) -> Result<Process, StartError> {
        self.spawn_with(ProcessOptions::new())
    }

    /// Starts a child as `options` say; otherwise as [`spawn`](Self::spawn).
    ///
    /// # Blocking
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_with(&self, options: ProcessOptions) -> Result<Process, StartError> {
        spawn::spawn(&self.loader, options)
    }

    /// The processes that are there now: the main process, then the others, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Process> + use<> {
        lock(&self.loader.processes).items().into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.loader.processes).len()
    }

    /// Whether there are none: never, until the parent is closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The process of this id.
    #[must_use]
    pub fn get(&self, id: ProcessId) -> Option<Process> {
        lock(&self.loader.processes).get(id.serial())
    }

    /// The main process: the parent's own, where modules are loaded too.
    #[must_use]
    pub fn main(&self) -> Option<Process> {
        lock(&self.loader.processes).get(MAIN)
    }

    /// Calls `listener` for each process: for those that are there at once, on this thread; for later ones as they attach, on their own
    /// threads; for each once.
    pub fn for_every(&self, listener: impl Fn(&Process) + Send + Sync + 'static) -> ListenerId {
        let listener: Arc<dyn Fn(&Process) + Send + Sync> = Arc::new(listener);
        let (id, present) = lock(&self.loader.processes).for_every(Arc::clone(&listener));
        for process in present {
            self.loader.contain(&process, "attach", || listener(&process));
        }
        id
    }

    /// Calls `listener` for each process that attaches from now on, before its first event.
    pub fn on_attach(&self, listener: impl Fn(&Process) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.processes).on_attach(Arc::new(listener))
    }

    /// Calls `listener` for each process that goes from now on, after its last event.
    pub fn on_detach(&self, listener: impl Fn(&Process, &DetachReason) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.processes).on_detach(Arc::new(listener))
    }

    /// Calls `listener` when something goes wrong in the application's code: a module does not load, a listener takes another type than an
    /// event carries, a listener panics, or a process that crashed is not started again. Without such a listener it is logged; where there is no
    /// `tracing` subscriber either, it is a line on standard error.
    pub fn on_error(&self, listener: impl Fn(&Process, &ProcessError) + Send + Sync + 'static) -> ListenerId {
        self.loader.on_error(Arc::new(listener))
    }

    /// Calls `listener` when a process has left something it was sent unhandled for longer than
    /// [`Deadlines::unresponsive`](crate::Deadlines::unresponsive).
    pub fn on_unresponsive(&self, listener: impl Fn(&Process) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.responsiveness).add(UNRESPONSIVE, false, Arc::new(listener))
    }

    /// Calls `listener` when a process that was unresponsive handles something again.
    pub fn on_responsive(&self, listener: impl Fn(&Process) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.responsiveness).add(RESPONSIVE, false, Arc::new(listener))
    }

    /// Removes a listener that [`on_unresponsive`](Self::on_unresponsive) or [`on_responsive`](Self::on_responsive) added. `false` when
    /// it is not there.
    pub fn off_responsive(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.loader.responsiveness).remove(listener);
        removed.is_some()
    }

    /// Removes a listener that [`on_error`](Self::on_error) added. `false` when it is not there.
    pub fn off_error(&self, listener: ListenerId) -> bool {
        self.loader.off_error(listener)
    }

    /// Removes a listener that [`on_attach`](Self::on_attach) or [`for_every`](Self::for_every) added. `false` when it is not there.
    pub fn off_attach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.loader.processes).off_attach(listener);
        removed.is_some()
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.loader.processes).off_detach(listener);
        removed.is_some()
    }

    /// What the parent and all processes send each other events with: what is emitted here goes to each, and what arrives from any is
    /// heard here, the process first.
    #[must_use]
    pub fn port(&self) -> Port<Process> {
        Port::new(Arc::clone(&self.loader), Scope::Processes, Arc::clone(&self.loader.process_listeners))
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The frames in all processes of a parent.
#[derive(Clone)]
pub struct Frames {
    loader: Arc<LoaderState>,
}

impl Frames {
    pub(crate) const fn new(loader: Arc<LoaderState>) -> Self {
        Self { loader }
    }

    /// Opens a frame in a process. It is in the list at once; listeners for `attach` are called on the process's thread. Never blocks.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the process is gone.
    pub fn open(&self, process: &Process, options: FrameOptions) -> Result<Frame, OpenError> {
        let is_ours = Arc::ptr_eq(process.shared().hub(), &self.loader.hub);
        if self.loader.is_unloading() || !is_ours {
            return Err(OpenError::Detached { process: process.id() });
        }
        let id = self.loader.hub.open_frame(process.shared(), options)?;
        // It may have gone already, with its process.
        self.loader.frame(id).ok_or_else(|| OpenError::Detached { process: process.id() })
    }

    /// The frames that are there now: those opened here, oldest first, then those that children registered.
    pub fn iter(&self) -> impl Iterator<Item = Frame> + use<> {
        lock(&self.loader.frames).items().into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.loader.frames).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame of this id.
    #[must_use]
    pub fn get(&self, id: FrameId) -> Option<Frame> {
        lock(&self.loader.frames).get(id)
    }

    /// The frame of this id, if it is in this process, as some loader sees it: this one, if it does. For crates that bring objects.
    #[must_use]
    pub fn find(&self, process: ProcessId, id: FrameId) -> Option<Frame> {
        let elsewhere = || self.loader.hub.all_loaders().iter().find_map(|loader| loader.frame(id));
        self.get(id).or_else(elsewhere).filter(|frame| frame.process().id() == process)
    }

    /// The frame that this element shows: the very value that [`Frame::element`] gives.
    #[must_use]
    pub fn for_element<T: Any + Send + Sync>(&self, element: &Arc<T>) -> Option<Frame> {
        self.iter().find(|frame| frame.element::<T>().is_some_and(|other| Arc::ptr_eq(&other, element)))
    }

    /// Calls `listener` for each frame: for those that are there at once, on this thread; for later ones as they attach, on their
    /// process's thread; for each once.
    pub fn for_every(&self, listener: impl Fn(&Frame) + Send + Sync + 'static) -> ListenerId {
        let listener: Arc<dyn Fn(&Frame) + Send + Sync> = Arc::new(listener);
        let (id, present) = lock(&self.loader.frames).for_every(Arc::clone(&listener));
        for frame in present {
            self.loader.contain(frame.process(), "attach", || listener(&frame));
        }
        id
    }

    /// Calls `listener` for each frame that attaches from now on, before its first event.
    pub fn on_attach(&self, listener: impl Fn(&Frame) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.frames).on_attach(Arc::new(listener))
    }

    /// Calls `listener` for each frame that goes from now on, after its last event.
    pub fn on_detach(&self, listener: impl Fn(&Frame) + Send + Sync + 'static) -> ListenerId {
        lock(&self.loader.frames).on_detach(Arc::new(listener))
    }

    /// Removes a listener that [`on_attach`](Self::on_attach) or [`for_every`](Self::for_every) added. `false` when it is not there.
    pub fn off_attach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.loader.frames).off_attach(listener);
        removed.is_some()
    }

    /// Removes a listener that [`on_detach`](Self::on_detach) added. `false` when it is not there.
    pub fn off_detach(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.loader.frames).off_detach(listener);
        removed.is_some()
    }

    /// What all frames and their counterparts send each other events with: what is emitted here goes to each frame, and what arrives for
    /// any is heard here, the frame first.
    #[must_use]
    pub fn port(&self) -> Port<Frame> {
        Port::new(Arc::clone(&self.loader), Scope::Frames, Arc::clone(&self.loader.frame_listeners))
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

pub(crate) const UNRESPONSIVE: &str = "unresponsive";
pub(crate) const RESPONSIVE: &str = "responsive";
