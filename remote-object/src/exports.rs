use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use remote_protocol::call::{CallError, Root};
use remote_protocol::id::{FrameId, ProcessId};
use remote_protocol::limits::{Limits, NAME_BYTES};
use remote_protocol::service::{Notify, Serve, Service};

use crate::buffer::BufferBuilder;
use crate::dynamic::{Place, RemoteObject};
use crate::interface::Interface;
use crate::leaks::Leaks;
use crate::object::{Exported, Object};
use crate::policy::{Access, AccessRecord, Decision, Policy};
use crate::serving::{ProcessService, Serving};
use crate::waits::Activity;

/// What the parent offers its children: nothing but this, and what is given out from here, can be reached. What is exported is for
/// every process, unless a [filter](Self::filter) says otherwise.
///
/// It is a cheap clone.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    roots: Arc<Roots>,
}

impl Exports {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exports an object as the module `name`, for [`Context::require`](crate::Context::require).
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the name is taken, empty or too long.
    pub fn module<T: Interface + ?Sized>(&self, name: &str, object: Arc<T>) -> Result<(), ExportError> {
        self.roots.insert(Root::Module(name.to_owned().into()), name, Arc::new(Exported(object)))
    }

    /// Exports an object as the global `name`, for [`Context::global`](crate::Context::global).
    ///
    /// # Errors
    ///
    /// As [`module`](Self::module).
    pub fn global<T: Interface + ?Sized>(&self, name: &str, object: Arc<T>) -> Result<(), ExportError> {
        self.roots.insert(Root::Global(name.to_owned().into()), name, Arc::new(Exported(object)))
    }

    /// Exports an object as the module `name`, for those who use it by the names of its members only:
    /// [`Context::require_dynamic`](crate::Context::require_dynamic). It is a [`DynamicObject`](crate::DynamicObject) or any other
    /// [`RemoteObject`] of this process.
    ///
    /// # Errors
    ///
    /// As [`module`](Self::module), and for an object of another process.
    pub fn module_dynamic(&self, name: &str, object: impl Into<RemoteObject>) -> Result<(), ExportError> {
        self.roots.insert_dynamic(Root::Module(name.to_owned().into()), name, &object.into())
    }

    /// Exports an object as the global `name`, for [`Context::global_dynamic`](crate::Context::global_dynamic); otherwise as
    /// [`module_dynamic`](Self::module_dynamic).
    ///
    /// # Errors
    ///
    /// As [`module_dynamic`](Self::module_dynamic).
    pub fn global_dynamic(&self, name: &str, object: impl Into<RemoteObject>) -> Result<(), ExportError> {
        self.roots.insert_dynamic(Root::Global(name.to_owned().into()), name, &object.into())
    }

    /// A buffer of `length` zeros, to be filled in place and then handed out.
    ///
    /// ```
    /// let exports = remote_object::Exports::new();
    /// let mut pixels = exports.buffer(4);
    /// pixels.fill(0xff);
    /// assert_eq!(pixels.finish().as_local(), Some(&[0xff; 4][..]));
    /// ```
    #[must_use]
    pub fn buffer(&self, length: usize) -> BufferBuilder {
        BufferBuilder::new(length)
    }

    /// Exports the object that stands for the parent's own process, for [`Context::process`](crate::Context::process).
    ///
    /// # Errors
    ///
    /// [`ExportError::Taken`] when there is one.
    pub fn process<T: Interface + ?Sized>(&self, object: Arc<T>) -> Result<(), ExportError> {
        self.roots.insert_once(Root::Process, Arc::new(Exported(object)))
    }

    /// Has `filter` decide about everything that any process asks for, the main process's own modules included.
    ///
    /// The filters of a process are asked first, then those for all, each in the order they were added; the first that does not
    /// [allow](Decision::Allow) decides. So a filter can only take away from what the others leave, or
    /// [replace](Decision::Replace) it. What a process has already been given it keeps. A filter runs on the thread that serves the
    /// process, with none of our locks held; one that panics denies.
    ///
    /// ```
    /// use remote_object::{Decision, Exports, Root};
    ///
    /// let exports = Exports::new();
    /// exports.filter(|access| match access.root {
    ///     Root::Module(name) if name == "fs" => Decision::deny("no file system in content processes"),
    ///     _ => Decision::Allow,
    /// });
    /// ```
    pub fn filter(&self, filter: impl Fn(&Access<'_>) -> Decision + Send + Sync + 'static) {
        self.roots.policy.filters.add(Arc::new(filter));
    }

    /// Has `filter` decide about everything that one process asks for, before those [for all](Self::filter). It is dropped when the
    /// process goes.
    ///
    /// A process may ask as soon as a module is loaded into it. Added in a listener for `attach`, the filter is there before its loop
    /// thread asks for anything.
    ///
    /// # Errors
    ///
    /// [`NotServing`] when the process is gone, or of a parent that these exports are not [served](Self::serve) to: the filter would
    /// have no effect.
    pub fn filter_process(
        &self,
        process: ProcessId,
        filter: impl Fn(&Access<'_>) -> Decision + Send + Sync + 'static,
    ) -> Result<(), NotServing> {
        let filter = Arc::new(filter);
        let servings = self.roots.servings().clone();
        let mut added = false;
        for serving in servings.iter().filter(|serving| serving.process() == process) {
            added |= serving.filter(filter.clone());
        }
        if added { Ok(()) } else { Err(NotServing { process }) }
    }

    /// Calls `listener` with each thing that any process asks for, and what came of it, on the thread that serves the process.
    ///
    /// ```
    /// use remote_object::Exports;
    ///
    /// let exports = Exports::new();
    /// exports.on_access(|record| {
    ///     if let Some(rule) = record.rule() {
    ///         eprintln!("process {} was denied {}: {rule}", record.access.process, record.access);
    ///     }
    /// });
    /// ```
    pub fn on_access(&self, listener: impl Fn(&AccessRecord<'_>) + Send + Sync + 'static) {
        self.roots.policy.add_listener(Arc::new(listener));
    }

    /// What the children have of the parent, and the parent of the children.
    #[must_use]
    pub fn alive(&self) -> Alive {
        let servings = self.roots.servings();
        let mut alive = Alive::default();
        for serving in servings.iter() {
            let one = serving.alive();
            alive.objects += one.objects;
            alive.callbacks += one.callbacks;
            alive.buffer_bytes += one.buffer_bytes;
        }
        alive
    }

    /// What is alive across process boundaries, with the place or interface it is of, the method it crossed by, and its age.
    ///
    /// For diagnostics: it goes through all there is, under the lock of each process's tables in turn.
    #[must_use]
    pub fn leaks(&self) -> Leaks {
        let servings = self.roots.servings().clone();
        let mut processes: Vec<_> = servings.iter().filter_map(|serving| serving.leaks()).collect();
        processes.sort_by_key(|process| process.serial);
        Leaks { processes }
    }

    #[cfg(any(feature = "parent", feature = "__fuzz"))]
    pub(crate) const fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }
}

/// How much is alive across process boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alive {
    /// Objects and buffers of the parent that children hold; one held by two of them counts twice.
    pub objects: usize,
    /// Callbacks and functions of children that the parent holds.
    pub callbacks: usize,
    /// The bytes of these buffers.
    pub buffer_bytes: usize,
}

/// Why something cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The object lives in another process, which has to export it.
    #[error("what is to be exported as {root} lives in another process")]
    Elsewhere {
        /// What it was to be exported as.
        root: String,
    },
    /// There is such an export already.
    #[error("{root} is exported already")]
    Taken {
        /// The export.
        root: String,
    },
    /// The name is empty or too long.
    #[error("an export's name has 1 to {limit} bytes, not {length}")]
    Name {
        /// Its length.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// A process is not, or no longer, served these exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("process {process} is not served these exports")]
pub struct NotServing {
    /// The process.
    pub process: ProcessId,
}

/// The exports, and the processes that may ask for them.
#[derive(Default)]
pub(crate) struct Roots {
    objects: Mutex<HashMap<Root<'static>, Arc<dyn Object>>>,
    current: Mutex<Current>,
    policy: Policy,
    servings: Mutex<Vec<Arc<Serving>>>,
}

/// How what belongs to a frame is found.
#[derive(Default)]
struct Current {
    window: Option<OfFrame>,
    web_contents: Option<OfFrame>,
}

/// Finds an object that belongs to a frame, which is given as the parent's type for it.
pub(crate) type OfFrame = Arc<dyn Fn(&dyn Any) -> Option<Arc<dyn Object>> + Send + Sync>;

impl Roots {
    /// What a process is given for a root. Everything that is asked for comes here.
    pub(crate) fn resolve(&self, serving: &Serving, root: &Root<'_>) -> Result<Arc<dyn Object>, CallError> {
        let process = serving.process();
        let frame = root.frame().map(|frame| serving.find_frame(frame));
        let deny = matches!(frame, Some(None)).then_some("it is no frame of this process");
        let find = || match frame.flatten() {
            Some(frame) => self.of_frame(root)?(&*frame),
            None => self.objects().get(&root.clone().into_owned()).cloned(),
        };
        self.policy.answer(&Access { process, root }, deny, serving.filters(), find)
    }

    fn of_frame(&self, root: &Root<'_>) -> Option<OfFrame> {
        let current = self.current();
        match root {
            Root::CurrentWindow(_) => current.window.clone(),
            Root::CurrentWebContents(_) => current.web_contents.clone(),
            Root::Module(_) | Root::Global(_) | Root::Process => None,
        }
    }

    pub(crate) fn set_current_window(&self, find: OfFrame) {
        let old = self.current().window.replace(find);
        drop(old);
    }

    pub(crate) fn set_current_web_contents(&self, find: OfFrame) {
        let old = self.current().web_contents.replace(find);
        drop(old);
    }

    /// What the parent's threads do for all processes.
    pub(crate) fn activities(&self) -> Vec<(ProcessId, Vec<Activity>)> {
        self.servings().iter().map(|serving| serving.activities()).collect()
    }

    /// The process is gone.
    pub(crate) fn forget(&self, serving: &Arc<Serving>) {
        let mut servings = self.servings();
        if let Some(index) = servings.iter().position(|other| Arc::ptr_eq(other, serving)) {
            servings.swap_remove(index);
        }
    }

    fn insert_dynamic(&self, root: Root<'static>, name: &str, object: &RemoteObject) -> Result<(), ExportError> {
        match object.place() {
            Place::Here(object) => self.insert(root, name, Arc::clone(object)),
            Place::There(_) => Err(ExportError::Elsewhere { root: root.to_string() }),
        }
    }

    fn insert(&self, root: Root<'static>, name: &str, object: Arc<dyn Object>) -> Result<(), ExportError> {
        if name.is_empty() || name.len() > NAME_BYTES {
            return Err(ExportError::Name { length: name.len(), limit: NAME_BYTES });
        }
        self.insert_once(root, object)
    }

    fn insert_once(&self, root: Root<'static>, object: Arc<dyn Object>) -> Result<(), ExportError> {
        let mut objects = self.objects();
        if objects.contains_key(&root) {
            return Err(ExportError::Taken { root: root.to_string() });
        }
        objects.insert(root, object);
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<Root<'static>, Arc<dyn Object>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servings(&self) -> MutexGuard<'_, Vec<Arc<Serving>>> {
        self.servings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the frames of a parent are found: as the parent's type for them.
pub(crate) trait FindFrame: Send + Sync {
    /// The frame of this id, if it is one of this process.
    fn find(&self, process: ProcessId, frame: FrameId) -> Option<Box<dyn Any>>;
}

/// Begins to serve each process of one parent.
pub(crate) struct Server {
    roots: Arc<Roots>,
    frames: Arc<dyn FindFrame>,
    /// The main process, whose modules come here directly.
    main: OnceLock<Weak<Serving>>,
}

impl Server {
    pub(crate) fn new(roots: Arc<Roots>, frames: Arc<dyn FindFrame>) -> Self {
        Self { roots, frames, main: OnceLock::new() }
    }

    /// The main process, as long as it is there.
    pub(crate) fn main(&self) -> Option<Arc<Serving>> {
        self.main.get()?.upgrade()
    }
}

impl Serve for Server {
    fn open(&self, process: ProcessId, limits: Limits, child: Arc<dyn Notify>) -> Arc<dyn Service> {
        let (roots, frames) = (Arc::downgrade(&self.roots), Arc::downgrade(&self.frames));
        let serving = Serving::new(process, roots, frames, child, limits);
        if process.serial() == MAIN {
            // It is opened once.
            let _ = self.main.set(Arc::downgrade(&serving));
        }
        self.roots.servings().push(Arc::clone(&serving));
        Arc::new(ProcessService(serving))
    }
}

/// The serial number of the main process.
const MAIN: u32 = 0;

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = self.objects();
        let names = objects.iter().map(|(root, object)| (root.to_string(), object.interface().to_owned()));
        f.debug_map().entries(names).finish()
    }
}
