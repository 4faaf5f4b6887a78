use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remote_protocol::call::Root;
use remote_protocol::id::ProcessId;
use remote_protocol::limits::NAME_BYTES;
use remote_protocol::service::{Notify, Serve, Service};

use crate::interface::Interface;
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
#[derive(Default)]
pub(crate) struct Roots {
    objects: Mutex<HashMap<Root<'static>, Arc<dyn Object>>>,
    servings: Mutex<Vec<Arc<Serving>>>,
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
    fn open(&self, _process: ProcessId, child: Arc<dyn Notify>) -> Arc<dyn Service> {
        let serving = Serving::new(Arc::downgrade(&self.0), child);
        self.0.servings().push(Arc::clone(&serving));
        Arc::new(ProcessService(serving))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = self.objects();
        let names = objects.iter().map(|(root, object)| (root.to_string(), object.interface()));
        f.debug_map().entries(names).finish()
    }
}
