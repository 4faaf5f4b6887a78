use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use remote_protocol::limits;

/// How a [`Parent`](crate::Parent) is made.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ParentOptions {
    pub(crate) version: String,
    pub(crate) deadlines: Deadlines,
}

impl ParentOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The application's version, in any form: children have to give the same to [`remote_child::Init::version`].
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// How long things may take.
    pub const fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From starting a process to its accepted hello. 5 s.
    pub start: Duration,
    /// From asking a process to stop to killing it. 1 s.
    pub stop: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { start: limits::START, stop: limits::STOP }
    }
}

/// What a child process is and how it is started; for [`Processes::spawn_with`](crate::Processes::spawn_with).
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ProcessOptions {
    pub(crate) name: Option<String>,
    pub(crate) transport: Transport,
    /// `None`: this same executable.
    pub(crate) program: Option<PathBuf>,
    pub(crate) arguments: Vec<OsString>,
}

impl ProcessOptions {
    /// This same executable, over the default transport.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the process is called in diagnostics.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Another executable. It has to call [`remote_child::init`], and to have the modules that the parent requires linked in.
    pub fn program(mut self, program: impl AsRef<Path>) -> Self {
        self.program = Some(program.as_ref().to_owned());
        self
    }

    /// One more argument of the program. The first two are ours.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// How parent and child are connected.
    pub const fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }
}

/// How parent and child are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A process of its own, over ipc-channel: works everywhere. It survives children that crash, not those that attack it.
    #[default]
    Ipc,
    /// No process of its own: a thread of the parent's. For tests, and where processes cannot be had. Nothing protects the parent
    /// from it.
    Memory,
}
