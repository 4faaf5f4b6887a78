use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use remote_protocol::id::{FrameId, LoaderId, ProcessId};
use remote_protocol::limits::Limits;
use remote_protocol::listeners::Turn;
use remote_protocol::message::Event;
use remote_protocol::module::ModulePath;
use remote_protocol::service::{NotifyError, Serve};
use remote_protocol::state::parent::{Session, Settings};

use crate::connection::{Connection, Local};
use crate::frame::{self, Frame, FrameOptions, OpenError};
use crate::loader::LoaderState;
use crate::options::{Deadlines, ParentOptions};
use crate::parent::AlreadyServed;
use crate::port::EmitError;
use crate::process::{self, Process};
use crate::pump::Pump;
use crate::snapshot::GoneSnapshot;
use crate::watchdog::Watchdog;

/// All that belongs to one parent. Every handle holds it; no user code runs while one of its locks is held.
///
/// Locks are taken in this order: `members`, a connection's state, a loader's tables.
pub(crate) struct Hub {
    options: ParentOptions,
    pump: Option<Arc<Pump>>,
    members: Mutex<Members>,
    /// Notified when a connection goes.
    gone: Condvar,
    frames_opened: AtomicU32,
    /// What modules in the main process share with the parent; see `Parent::share`.
    shared: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    pub(crate) watchdog: Arc<Watchdog>,
}

/// What there is, whatever loader looks at it.
#[derive(Default)]
struct Members {
    /// To all processes, those that are still starting included, by serial number.
    connections: BTreeMap<u32, Arc<Connection>>,
    /// How many there ever were.
    connection_count: u32,
    /// Those that have attached, by serial number.
    processes: BTreeMap<u32, Arc<process::Shared>>,
    frames: BTreeMap<FrameId, Arc<frame::Shared>>,
    loaders: BTreeMap<LoaderId, Arc<LoaderState>>,
    loader_count: u32,
    serve: Option<Arc<dyn Serve>>,
    /// How many processes that crashed are being started again.
    restarting: usize,
    /// The processes that went last.
    gone: VecDeque<GoneSnapshot>,
    closed: bool,
}

/// What is to be told to the listeners of each loader.
pub(crate) type Turns<T> = Vec<(Arc<LoaderState>, T, Turn)>;

impl Hub {
    pub(crate) fn new(options: ParentOptions) -> Arc<Self> {
        let pump = options.executor.clone().map(Pump::new);
        Arc::new_cyclic(|hub| Self {
            options,
            pump,
            members: Mutex::default(),
            gone: Condvar::new(),
            frames_opened: AtomicU32::new(0),
            shared: Mutex::default(),
            watchdog: Watchdog::new(Weak::clone(hub)),
        })
    }

    pub(crate) const fn deadlines(&self) -> Deadlines {
        self.options.deadlines
    }

    /// What a process may have, do and cost if nothing else is said of it.
    pub(crate) const fn limits(&self) -> Limits {
        self.options.limits
    }

    pub(crate) fn version(&self) -> &str {
        &self.options.version
    }

    /// What runs the application's code, if that is not the threads of the processes.
    pub(crate) const fn pump(&self) -> Option<&Arc<Pump>> {
        self.pump.as_ref()
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
    pub(crate) fn connect(&self, pid: u32, remote: bool, limits: Limits) -> Option<Arc<Connection>> {
        let mut members = lock(&self.members);
        if members.closed {
            return None;
        }
        let id = ProcessId::new(pid, members.connection_count);
        members.connection_count += 1;
        let settings = Settings {
            application: self.options.version.clone(),
            remote,
            limits,
            deadline: self.options.deadlines.call,
        };
        let connection = Connection::new(id, Session::new(id, settings), self.pump.clone(), Arc::clone(&self.watchdog));
        for loader in members.loaders.values() {
            loader.open_in(&connection);
        }
        if let Some(serve) = &members.serve {
            connection.serve(serve.as_ref());
        }
        members.connections.insert(id.serial(), Arc::clone(&connection));
        Some(connection)
    }

    /// The process is gone for good.
    pub(crate) fn disconnect(&self, id: ProcessId) {
        let mut members = lock(&self.members);
        members.connections.remove(&id.serial());
        let loaders: Vec<_> = members.loaders.values().cloned().collect();
        drop(members);
        self.gone.notify_all();
        for loader in loaders {
            loader.closed_in(id);
            self.forget_unloaded(&loader);
        }
    }

    /// Notes why a process went, before anybody is told.
    pub(crate) fn note_gone(&self, process: GoneSnapshot) {
        let mut members = lock(&self.members);
        if members.gone.len() >= GONE {
            members.gone.pop_front();
        }
        members.gone.push_back(process);
    }

    /// The processes that went last.
    pub(crate) fn gone_last(&self) -> Vec<GoneSnapshot> {
        lock(&self.members).gone.iter().cloned().collect()
    }

    /// A process that crashed is about to be started again.
    pub(crate) fn begin_restart(&self) {
        lock(&self.members).restarting += 1;
    }

    /// It has been started again, or will not be.
    pub(crate) fn end_restart(&self) {
        lock(&self.members).restarting -= 1;
        self.gone.notify_all();
    }

    /// The process has said hello: it is in the lists from now on.
    pub(crate) fn attach_process(&self, shared: &Arc<process::Shared>) -> Turns<Process> {
        let mut members = lock(&self.members);
        members.processes.insert(shared.id().serial(), Arc::clone(shared));
        let attach = |loader: &Arc<LoaderState>| loader.attach_process(shared);
        members.loaders.values().filter_map(attach).collect()
    }

    pub(crate) fn detach_process(&self, id: ProcessId) -> Turns<Process> {
        let mut members = lock(&self.members);
        members.processes.remove(&id.serial());
        let detach = |loader: &Arc<LoaderState>| loader.detach_process(id);
        members.loaders.values().filter_map(detach).collect()
    }

    /// There is a new frame, which its process's session knows already.
    pub(crate) fn attach_frame(&self, shared: &Arc<frame::Shared>) -> Turns<Frame> {
        attach_frame(&mut lock(&self.members), shared)
    }

    /// The frame is gone; gives what the frame itself was, too.
    pub(crate) fn detach_frame(&self, id: FrameId) -> Option<(Arc<frame::Shared>, Turns<Frame>)> {
        let mut members = lock(&self.members);
        let shared = members.frames.remove(&id)?;
        let detach = |loader: &Arc<LoaderState>| loader.detach_frame(id);
        let turns = members.loaders.values().filter_map(detach).collect();
        Some((shared, turns))
    }

    pub(crate) fn open_frame(
        &self,
        process: &Arc<process::Shared>,
        options: FrameOptions,
    ) -> Result<FrameId, OpenError> {
        let id = FrameId::opened(self.frames_opened.fetch_add(1, Ordering::Relaxed));
        let tab = options.tab;
        let shared = frame::Shared::new(id, Arc::clone(process), options);
        let connection = process.connection();
        let mut members = lock(&self.members);
        let opened = connection.command(|session| {
            let message = session.open_frame(id, tab).ok()?;
            let turns = attach_frame(&mut members, &shared);
            // Told on the process's thread, before anything the child says of the frame.
            connection.push_local(Local::FrameAttached(turns));
            Some(message)
        });
        opened.map(|()| id).ok_or_else(|| OpenError::Detached { process: process.id() })
    }

    /// Makes a loader that sees what there is.
    pub(crate) fn open_loader(self: &Arc<Self>, name: &str) -> Option<Arc<LoaderState>> {
        let mut members = lock(&self.members);
        if members.closed {
            return None;
        }
        let id = LoaderId(members.loader_count);
        members.loader_count += 1;
        let loader = LoaderState::new(id, name, Arc::clone(self));
        for connection in members.connections.values() {
            loader.open_in(connection);
        }
        // Nobody listens yet.
        members.processes.values().for_each(|process| drop(loader.attach_process(process)));
        for shared in members.frames.values() {
            if let Some((_, frame, _)) = loader.attach_frame(shared) {
                frame.set_told();
            }
        }
        members.loaders.insert(id, Arc::clone(&loader));
        Some(loader)
    }

    pub(crate) fn loader(&self, id: LoaderId) -> Option<Arc<LoaderState>> {
        lock(&self.members).loaders.get(&id).cloned()
    }

    /// Asks all processes to unload a loader.
    pub(crate) fn unload(&self, loader: &LoaderState, reason: &str) {
        let members = lock(&self.members);
        loader.begin_unloading();
        for connection in members.connections.values() {
            loader.unload_in(connection, reason);
        }
        drop(members);
        self.forget_unloaded(loader);
    }

    /// Forgets a loader that no process has any more.
    pub(crate) fn forget_unloaded(&self, loader: &LoaderState) {
        let mut members = lock(&self.members);
        if !loader.is_unloaded_everywhere() {
            return;
        }
        let forgotten = members.loaders.remove(&loader.id);
        drop(members);
        if let Some(forgotten) = forgotten {
            forgotten.clear();
        }
    }

    pub(crate) fn require(&self, loader: &LoaderState, module: &ModulePath) {
        let members = lock(&self.members);
        if loader.add_module(module) {
            for connection in members.connections.values() {
                connection.command(|session| session.require(loader.id, module));
            }
        }
    }

    pub(crate) fn serve(&self, serve: Arc<dyn Serve>) -> Result<(), AlreadyServed> {
        let mut members = lock(&self.members);
        if members.serve.is_some() {
            return Err(AlreadyServed);
        }
        for connection in members.connections.values() {
            connection.serve(serve.as_ref());
        }
        members.serve = Some(serve);
        Ok(())
    }

    /// Sends an event to every process that can be reached.
    pub(crate) fn broadcast(&self, event: &Event<'_>) -> Result<(), EmitError> {
        if self.is_closed() {
            return Err(EmitError::ParentClosed);
        }
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

    /// Starts no more processes, and gives those there are.
    pub(crate) fn close(&self) -> Vec<Arc<Connection>> {
        let mut members = lock(&self.members);
        members.closed = true;
        members.connections.values().cloned().collect()
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.members).closed
    }

    /// Waits until no process but the main one is left; `false` at the deadline.
    pub(crate) fn wait_alone(&self, deadline: Option<Instant>) -> bool {
        let mut members = lock(&self.members);
        while members.restarting > 0 || members.connections.keys().any(|serial| *serial != MAIN) {
            let Some(deadline) = deadline else {
                members = self.gone.wait(members).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            (members, _) = self.gone.wait_timeout(members, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Lets go of everything that may hold handles to us.
    pub(crate) fn clear(&self) {
        self.watchdog.end();
        let mut members = lock(&self.members);
        let left = Members { closed: true, restarting: members.restarting, ..Members::default() };
        let gone = std::mem::replace(&mut *members, left);
        // What is dropped holds things of the application.
        drop(members);
        gone.loaders.values().for_each(|loader| loader.clear());
        drop(gone);
        let shared = lock(&self.shared).take();
        drop(shared);
    }

    pub(crate) fn all_connections(&self) -> Vec<Arc<Connection>> {
        lock(&self.members).connections.values().cloned().collect()
    }

    pub(crate) fn all_loaders(&self) -> Vec<Arc<LoaderState>> {
        lock(&self.members).loaders.values().cloned().collect()
    }

    pub(crate) fn all_processes(&self) -> Vec<Arc<process::Shared>> {
        lock(&self.members).processes.values().cloned().collect()
    }

    pub(crate) fn all_frames(&self) -> Vec<Arc<frame::Shared>> {
        lock(&self.members).frames.values().cloned().collect()
    }
}

fn attach_frame(members: &mut Members, shared: &Arc<frame::Shared>) -> Turns<Frame> {
    members.frames.insert(shared.id(), Arc::clone(shared));
    let attach = |loader: &Arc<LoaderState>| loader.attach_frame(shared);
    members.loaders.values().filter_map(attach).collect()
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

/// When this much time has passed; so far away that it never comes, if it is too much for the clock.
pub(crate) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).or_else(|| now.checked_add(FAR_AWAY)).unwrap_or(now)
}

/// Ten years.
const FAR_AWAY: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How many processes that are gone a snapshot tells of: as many as anybody reads, after whatever went wrong.
const GONE: usize = 16;

/// The serial number of the main process.
pub(crate) const MAIN: u32 = 0;
