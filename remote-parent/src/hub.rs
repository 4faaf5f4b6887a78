use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use remote_protocol::contain::contain;
use remote_protocol::id::{FrameId, LoaderId, ProcessId};
use remote_protocol::listeners::{ListenerId, Listeners};
use remote_protocol::message::Event;
use remote_protocol::module::ModulePath;
use remote_protocol::roster::Roster;
use remote_protocol::service::{NotifyError, Serve};
use remote_protocol::state::parent::{Session, Settings};

use crate::connection::{Connection, Local};
use crate::frame::{Frame, FrameOptions, OpenError};
use crate::options::{Deadlines, ParentOptions};
use crate::parent::AlreadyServed;
use crate::port::{EmitError, SharedListeners};
use crate::process::{DetachListener, Process, ProcessError};

/// All that belongs to one parent. Every handle holds it; no user code runs while one of its locks is held.
///
/// Locks are taken in this order: `connections`, a connection's state, the rosters.
pub(crate) struct Hub {
    options: ParentOptions,
    connections: Mutex<Connections>,
    /// Notified when a connection goes.
    gone: Condvar,
    /// By serial number.
    pub(crate) processes: Mutex<Roster<u32, Process, AttachListener<Process>, DetachListener>>,
    pub(crate) frames: Mutex<Roster<FrameId, Frame, AttachListener<Frame>, AttachListener<Frame>>>,
    pub(crate) process_listeners: SharedListeners<Process>,
    pub(crate) frame_listeners: SharedListeners<Frame>,
    errors: Mutex<Listeners<ErrorListener>>,
    frames_opened: AtomicU32,
    /// What modules in the main process share with the parent; see `Parent::share`.
    shared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

type AttachListener<T> = Arc<dyn Fn(&T) + Send + Sync>;
type ErrorListener = Arc<dyn Fn(&Process, &ProcessError) + Send + Sync>;

/// The connections to all processes, those that are still starting included, and what each new one is told first.
#[derive(Default)]
struct Connections {
    by_serial: BTreeMap<u32, Arc<Connection>>,
    /// How many there ever were.
    count: u32,
    /// What has been required, in order.
    modules: Vec<ModulePath>,
    serve: Option<Arc<dyn Serve>>,
    closed: bool,
}

impl Hub {
    pub(crate) fn new(options: ParentOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            connections: Mutex::default(),
            gone: Condvar::new(),
            processes: Mutex::default(),
            frames: Mutex::default(),
            process_listeners: SharedListeners::default(),
            frame_listeners: SharedListeners::default(),
            errors: Mutex::default(),
            frames_opened: AtomicU32::new(0),
            shared: Mutex::default(),
        })
    }

    pub(crate) const fn deadlines(&self) -> Deadlines {
        self.options.deadlines
    }

    pub(crate) fn version(&self) -> &str {
        &self.options.version
    }

    pub(crate) fn share(&self, shared: Arc<dyn Any + Send + Sync>) {
        let old = lock(&self.shared).replace(shared);
        drop(old);
    }

    pub(crate) fn shared(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        lock(&self.shared).clone()
    }

    /// Makes the connection of a process that has just been started; from now on it is told what all are told. `None` when the parent
    /// is closed.
    pub(crate) fn connect(&self, pid: u32, remote: bool) -> Option<Arc<Connection>> {
        let mut connections = lock(&self.connections);
        if connections.closed {
            return None;
        }
        let id = ProcessId::new(pid, connections.count);
        connections.count += 1;
        let settings = Settings { application: self.options.version.clone(), remote, ..Settings::default() };
        let mut session = Session::new(id, settings);
        for module in &connections.modules {
            // Held until the child has said hello.
            let _ = session.require(LoaderId::FIRST, module);
        }
        let connection = Connection::new(id, session);
        if let Some(serve) = &connections.serve {
            connection.serve(serve.as_ref());
        }
        connections.by_serial.insert(id.serial(), Arc::clone(&connection));
        Some(connection)
    }

    pub(crate) fn disconnect(&self, id: ProcessId) {
        lock(&self.connections).by_serial.remove(&id.serial());
        self.gone.notify_all();
    }

    pub(crate) fn require(&self, module: &ModulePath) {
        let mut connections = lock(&self.connections);
        if connections.modules.contains(module) {
            return;
        }
        connections.modules.push(module.clone());
        for connection in connections.by_serial.values() {
            connection.command(|session| session.require(LoaderId::FIRST, module));
        }
    }

    pub(crate) fn serve(&self, serve: Arc<dyn Serve>) -> Result<(), AlreadyServed> {
        let mut connections = lock(&self.connections);
        if connections.serve.is_some() {
            return Err(AlreadyServed);
        }
        for connection in connections.by_serial.values() {
            connection.serve(serve.as_ref());
        }
        connections.serve = Some(serve);
        Ok(())
    }

    /// Sends an event to every process that can be reached.
    pub(crate) fn broadcast(&self, event: &Event<'_>) -> Result<(), EmitError> {
        let mut result = Ok(());
        for connection in self.all_connections() {
            match connection.emit(event) {
                // One that goes meanwhile need not hear it.
                Ok(()) | Err(NotifyError::Gone) => {}
                Err(error) => result = result.and_then(|()| Err(EmitError::not_sent(connection.id(), error))),
            }
        }
        result
    }

    pub(crate) fn open_frame(&self, process: &Process, options: FrameOptions) -> Result<Frame, OpenError> {
        let id = FrameId::opened(self.frames_opened.fetch_add(1, Ordering::Relaxed));
        let tab = options.tab;
        let frame = Frame::new(id, process.clone(), options);
        let opened = process.connection().command(|session| {
            let message = session.open_frame(id, tab).ok()?;
            let turn = lock(&self.frames).attach(id, frame.clone());
            // Told on the process's thread, before anything the child says of the frame.
            process.connection().push_local(Local::FrameAttached(frame.clone(), turn));
            Some(message)
        });
        opened.map(|()| frame).ok_or_else(|| OpenError::Detached { process: process.id() })
    }

    pub(crate) fn on_error(&self, listener: ErrorListener) -> ListenerId {
        lock(&self.errors).add(ERROR, false, listener)
    }

    /// Tells of something that went wrong in the application's code.
    pub(crate) fn report(&self, process: &Process, error: &ProcessError) {
        let mut turn = lock(&self.errors).turn();
        let mut heard = false;
        loop {
            let Some(listener) = lock(&self.errors).next(ERROR, &mut turn) else { break };
            heard = true;
            if let Err(panic) = contain(|| listener(process, error)) {
                tracing::error!(process = %process.id(), %panic, "a listener for errors panicked");
            }
        }
        if !heard {
            tracing::error!(process = %process.id(), %error);
        }
    }

    /// Runs code of the application; a panic is reported as that of a listener for `event`.
    pub(crate) fn contain(&self, process: &Process, event: &str, code: impl FnOnce()) {
        if let Err(message) = contain(code) {
            self.report(process, &ProcessError::ListenerPanicked { event: event.to_owned(), message });
        }
    }

    /// Starts no more processes, and gives those there are.
    pub(crate) fn close(&self) -> Vec<Arc<Connection>> {
        let mut connections = lock(&self.connections);
        connections.closed = true;
        connections.by_serial.values().cloned().collect()
    }

    /// Waits until no process but the main one is left; `false` at the deadline.
    pub(crate) fn wait_alone(&self, deadline: Option<Instant>) -> bool {
        let mut connections = lock(&self.connections);
        while connections.by_serial.keys().any(|serial| *serial != MAIN) {
            let Some(deadline) = deadline else {
                connections = self.gone.wait(connections).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            (connections, _) = self.gone.wait_timeout(connections, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Lets go of all listeners, which may hold handles to us.
    pub(crate) fn clear(&self) {
        drop(lock(&self.process_listeners).take());
        drop(lock(&self.frame_listeners).take());
        drop(lock(&self.errors).take());
        let rosters = (std::mem::take(&mut *lock(&self.processes)), std::mem::take(&mut *lock(&self.frames)));
        drop(rosters);
        let serve = lock(&self.connections).serve.take();
        drop(serve);
        let shared = lock(&self.shared).take();
        drop(shared);
    }

    fn all_connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.connections).by_serial.values().cloned().collect()
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Locks a table of ours. No code of the application runs under these locks, so what a panic elsewhere left is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The serial number of the main process.
const MAIN: u32 = 0;
const ERROR: &str = "error";
