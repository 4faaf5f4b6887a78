use std::fmt;
use std::rc::Rc;

use remote_protocol::id::ProcessId;
use remote_protocol::message::Target;

use crate::loader::Loader;
use crate::port::{Port, Subject};

/// The process a module runs in.
#[derive(Clone)]
pub struct Process {
    loader: Rc<Loader>,
}

impl Process {
    pub(crate) const fn new(loader: Rc<Loader>) -> Self {
        Self { loader }
    }

    /// The process's id: it prints as the operating system's.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.loader.core().process()
    }

    /// Whether this is a child; `false` in the main process.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.loader.core().is_remote()
    }

    /// What this process and the parent send each other events with.
    #[must_use]
    pub fn port(&self) -> Port<Self> {
        Port::new(Rc::clone(&self.loader), Target::Process, Rc::clone(&self.loader.process_listeners))
    }
}

impl Subject for Process {}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id()).field("is_remote", &self.is_remote()).finish()
    }
}
