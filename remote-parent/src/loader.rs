use std::collections::BTreeSet;
use std::fmt;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use remote_protocol::contain::contain;
use remote_protocol::id::{FrameId, LoaderId, ProcessId};
use remote_protocol::listeners::{ListenerId, Listeners, Turn};
use remote_protocol::module::{ModulePath, ResolveError};
use remote_protocol::roster::Roster;

use crate::connection::Connection;
use crate::frame::{self, Frame};
use crate::hub::{Hub, lock};
use crate::list::{Frames, Processes};
use crate::port::SharedListeners;
use crate::process::{self, DetachListener, Process, ProcessError};

/// One set of modules, listeners and ports over all processes of a [`Parent`](crate::Parent), which is itself the first one.
///
/// Loaders see the same processes and frames, each through handles of its own, and never each other's messages or modules. It is a cheap
/// clone.
#[derive(Clone)]
pub struct Loader {
    state: Arc<LoaderState>,
}

impl Loader {
    pub(crate) const fn new(state: Arc<LoaderState>) -> Self {
        Self { state }
    }

    /// What the loader was called when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Loads a module into every process, those that are there, those that are starting and those that will be started; once into
    /// each. `./x` names the sibling `x` of the module `base`, [`this_module!()`](crate::this_module); see [`ModulePath::resolve`].
    ///
    /// It does not wait: listen first to what a module says while it loads, because the main process, for one, loads it at once, on its own
    /// thread. A process where the module does not exist or does not load reports that, see
    /// [`Processes::on_error`]. What is emitted afterwards arrives after the module is loaded.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] when `id` can be the name of no module.
    pub fn remote_require(&self, id: &str, base: ModulePath) -> Result<(), ResolveError> {
        self.state.hub.require(&self.state, &base.resolve(id)?);
        Ok(())
    }

    /// The processes, the main process among them.
    #[must_use]
    pub fn processes(&self) -> Processes {
        Processes::new(Arc::clone(&self.state))
    }

    /// The frames in all processes.
    #[must_use]
    pub fn frames(&self) -> Frames {
        Frames::new(Arc::clone(&self.state))
    }

    /// Unloads the loader: in each process its frames detach, its modules are told the reason, and what they registered is gone. Its
    /// ports send no more. What the modules say until then is still heard here; after that the loader's lists and listeners are empty. Does not
    /// block. Processes and frames stay.
    pub fn unload(&self, reason: &str) {
        self.state.hub.unload(&self.state, reason);
    }

    /// Whether the loader has been unloaded, in all processes.
    #[must_use]
    pub fn is_unloaded(&self) -> bool {
        self.state.is_unloaded_everywhere()
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("name", &self.name()).field("is_unloaded", &self.is_unloaded()).finish()
    }
}

/// All that one loader registered, and the processes and frames as it sees them.
pub(crate) struct LoaderState {
    pub(crate) id: LoaderId,
    pub(crate) name: String,
    pub(crate) hub: Arc<Hub>,
    /// By serial number.
    pub(crate) processes: Mutex<Roster<u32, Process, AttachListener<Process>, DetachListener>>,
    pub(crate) frames: Mutex<Roster<FrameId, Frame, AttachListener<Frame>, AttachListener<Frame>>>,
    pub(crate) process_listeners: SharedListeners<Process>,
    pub(crate) frame_listeners: SharedListeners<Frame>,
    errors: Mutex<Listeners<ErrorListener>>,
    pub(crate) responsiveness: Mutex<Listeners<AttachListener<Process>>>,
    /// What has been required, in order.
    modules: Mutex<Vec<ModulePath>>,
    unloading: AtomicBool,
    /// The processes that have it, by serial number.
    open: Mutex<BTreeSet<u32>>,
}

pub(crate) type AttachListener<T> = Arc<dyn Fn(&T) + Send + Sync>;
pub(crate) type ErrorListener = Arc<dyn Fn(&Process, &ProcessError) + Send + Sync>;

impl LoaderState {
    pub(crate) fn new(id: LoaderId, name: &str, hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            id,
            name: name.to_owned(),
            hub,
            processes: Mutex::default(),
            frames: Mutex::default(),
            process_listeners: SharedListeners::default(),
            frame_listeners: SharedListeners::default(),
            errors: Mutex::default(),
            responsiveness: Mutex::default(),
            modules: Mutex::default(),
            unloading: AtomicBool::new(false),
            open: Mutex::default(),
        })
    }

    /// Opens the loader in a process, and has its modules loaded there.
    pub(crate) fn open_in(&self, connection: &Connection) {
        if self.is_unloading() {
            return;
        }
        connection.command(|session| session.open_loader(self.id));
        // Not in one that is going.
        if connection.has_loader(self.id) {
            lock(&self.open).insert(connection.id().serial());
        }
        for module in self.modules() {
            connection.command(|session| session.require(self.id, &module));
        }
    }

    pub(crate) fn begin_unloading(&self) {
        self.unloading.store(true, Ordering::Release);
    }

    pub(crate) fn unload_in(&self, connection: &Connection, reason: &str) {
        let asked = connection.command(|session| session.unload(self.id, reason));
        if asked.is_none() && !connection.has_loader(self.id) {
            self.closed_in(connection.id());
        }
    }

    /// The process has it no more.
    pub(crate) fn closed_in(&self, process: ProcessId) {
        lock(&self.open).remove(&process.serial());
    }

    pub(crate) fn is_unloading(&self) -> bool {
        self.unloading.load(Ordering::Acquire)
    }

    pub(crate) fn is_unloaded_everywhere(&self) -> bool {
        self.is_unloading() && lock(&self.open).is_empty()
    }

    /// Remembers a module; `false` when it has been required before, or can be no more.
    pub(crate) fn add_module(&self, module: &ModulePath) -> bool {
        let mut modules = lock(&self.modules);
        if self.is_unloading() || modules.contains(module) {
            return false;
        }
        modules.push(module.clone());
        true
    }

    pub(crate) fn modules(&self) -> Vec<ModulePath> {
        lock(&self.modules).clone()
    }

    pub(crate) fn attach_process(
        self: &Arc<Self>,
        shared: &Arc<process::Shared>,
    ) -> Option<(Arc<Self>, Process, Turn)> {
        let process = Process::new(Arc::clone(self), Arc::clone(shared));
        let turn = lock(&self.processes).attach(shared.id().serial(), process.clone())?;
        Some((Arc::clone(self), process, turn))
    }

    pub(crate) fn detach_process(self: &Arc<Self>, id: ProcessId) -> Option<(Arc<Self>, Process, Turn)> {
        let (process, turn) = lock(&self.processes).detach(id.serial())?;
        Some((Arc::clone(self), process, turn))
    }

    pub(crate) fn attach_frame(self: &Arc<Self>, shared: &Arc<frame::Shared>) -> Option<(Arc<Self>, Frame, Turn)> {
        let frame = Frame::new(Arc::clone(self), Arc::clone(shared));
        let turn = lock(&self.frames).attach(shared.id(), frame.clone())?;
        Some((Arc::clone(self), frame, turn))
    }

    pub(crate) fn detach_frame(self: &Arc<Self>, id: FrameId) -> Option<(Arc<Self>, Frame, Turn)> {
        let (frame, turn) = lock(&self.frames).detach(id)?;
        Some((Arc::clone(self), frame, turn))
    }

    pub(crate) fn process(&self, id: ProcessId) -> Option<Process> {
        lock(&self.processes).get(id.serial())
    }

    pub(crate) fn frame(&self, id: FrameId) -> Option<Frame> {
        lock(&self.frames).get(id)
    }

    pub(crate) fn on_error(&self, listener: ErrorListener) -> ListenerId {
        lock(&self.errors).add(ERROR, false, listener)
    }

    pub(crate) fn off_error(&self, listener: ListenerId) -> bool {
        let removed = lock(&self.errors).remove(listener);
        removed.is_some()
    }

    /// Tells of something that went wrong in the application's code.
    pub(crate) fn report(&self, process: &Process, error: &ProcessError) {
        let mut turn = lock(&self.errors).turn();
        let mut heard = false;
        for listener in iter::from_fn(|| lock(&self.errors).next(ERROR, &mut turn)) {
            heard = true;
            if let Err(panic) = contain(|| listener(process, error)) {
                tracing::error!(process = %process.id(), %panic, "a listener for errors panicked");
            }
        }
        if !heard {
            tracing::error!(process = %process.id(), loader = self.name, %error);
            if !tracing::dispatcher::has_been_set() {
                // Nobody would learn of it: as with a panic, that is worse than a line nobody asked for.
                eprintln!("remote: process {}: {error}", process.id());
            }
        }
    }

    /// Runs code of the application; a panic is reported as that of a listener for `event`.
    pub(crate) fn contain(&self, process: &Process, event: &str, code: impl FnOnce()) {
        if let Err(message) = contain(code) {
            self.report(process, &ProcessError::ListenerPanicked { event: event.to_owned(), message });
        }
    }

    /// How many listeners the ports of its lists have, for snapshots.
    pub(crate) fn listener_count(&self) -> usize {
        lock(&self.process_listeners).len() + lock(&self.frame_listeners).len()
    }

    /// Lets go of everything that was registered, and of the lists.
    pub(crate) fn clear(&self) {
        let processes = std::mem::take(&mut *lock(&self.processes));
        let frames = std::mem::take(&mut *lock(&self.frames));
        processes.items().iter().for_each(Process::clear);
        frames.items().iter().for_each(Frame::clear);
        drop((processes, frames));
        // Dropped when nothing is locked any more: what they hold is the application's.
        let process_listeners = lock(&self.process_listeners).take();
        let frame_listeners = lock(&self.frame_listeners).take();
        let errors = lock(&self.errors).take();
        let responsiveness = lock(&self.responsiveness).take();
        drop((process_listeners, frame_listeners, errors, responsiveness));
    }
}

const ERROR: &str = "error";
