use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remote_protocol::call::Root;
use remote_protocol::id::ProcessId;
use remote_protocol::limits::{NAME_BYTES, REFERENCES};
use remote_protocol::service::{Notify, Serve, Service};

use crate::dynamic::{Place, RemoteObject};
use crate::interface::Interface;
use crate::leaks::Leaks;
use crate::object::{Exported, Object};
use crate::serving::{ProcessService, Serving};

/// What the parent offers its children: nothing but this, and what is given out from here, can be reached.
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

    /// How many objects one process may have references to at any time, and how many callbacks of one may be held; 16,384 if
    /// nothing is said. It is for processes that are served from now on, so say it before [`serve`](Self::serve).
    ///
    /// Past it, what would send one more is an error that names the limit: in the process's call, which gives
    /// [`CallError`](crate::CallError), or where a callback is called with one,
    /// [`CallbackError::Unsendable`](crate::CallbackError::Unsendable).
    pub fn limit_references(&self, references: usize) {
        self.roots.limit.store(references, Ordering::Relaxed);
    }

    /// What the children have of the parent, and the parent of the children.
    #[must_use]
    pub fn alive(&self) -> Alive {
        let servings = self.roots.servings();
        let mut alive = Alive::default();
        for serving in servings.iter() {
            let (objects, callbacks) = serving.alive();
            alive.objects += objects;
            alive.callbacks += callbacks;
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

    #[cfg(feature = "parent")]
    pub(crate) const fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }
}

/// How much is alive across process boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alive {
    /// Objects of the parent that children hold; one held by two of them counts twice.
    pub objects: usize,
    /// Callbacks of children that the parent holds.
    pub callbacks: usize,
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

/// The exports, and the processes that may ask for them.
pub(crate) struct Roots {
    objects: Mutex<HashMap<Root<'static>, Arc<dyn Object>>>,
    servings: Mutex<Vec<Arc<Serving>>>,
    /// References each process that is served from now on may have, and callbacks that may be held of it.
    limit: AtomicUsize,
}

impl Default for Roots {
    fn default() -> Self {
        Self { objects: Mutex::default(), servings: Mutex::default(), limit: AtomicUsize::new(REFERENCES) }
    }
}

impl Roots {
    pub(crate) fn find(&self, root: &Root<'_>) -> Option<Arc<dyn Object>> {
        self.objects().get(&root.clone().into_owned()).cloned()
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
        let mut objects = self.objects();
        if objects.contains_key(&root) {
            return Err(ExportError::Taken { root: root.to_string() });
        }
        objects.insert(root, object);
        Ok(())
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<Root<'static>, Arc<dyn Object>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servings(&self) -> MutexGuard<'_, Vec<Arc<Serving>>> {
        self.servings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to serve each process. A newtype, because serving needs the `Arc`.
pub(crate) struct Server(pub(crate) Arc<Roots>);

impl Serve for Server {
    fn open(&self, process: ProcessId, child: Arc<dyn Notify>) -> Arc<dyn Service> {
        let serving = Serving::new(process, Arc::downgrade(&self.0), child, self.0.limit.load(Ordering::Relaxed));
        self.0.servings().push(Arc::clone(&serving));
        Arc::new(ProcessService(serving))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = self.objects();
        let names = objects.iter().map(|(root, object)| (root.to_string(), object.interface().to_owned()));
        f.debug_map().entries(names).finish()
    }
}
