use std::any::Any;
use std::fmt;
use std::sync::Arc;

use remote_protocol::id::ProcessId;
use remote_protocol::module::{ModulePath, ResolveError};
use remote_protocol::service::Serve;

use crate::hub::{Hub, after};
use crate::list::{Frames, Processes};
use crate::loader::Loader;
use crate::options::ParentOptions;
use crate::snapshot::Snapshot;
use crate::spawn::{self, StartError};

/// Starts child processes, loads modules into them and talks to them.
///
/// Dropping it closes it, as [`close`](Self::close) does.
///
/// # Blocking
///
/// When it is dropped: as `close`.
pub struct Parent {
    hub: Arc<Hub>,
    first: Loader,
}

impl Parent {
    /// A parent whose only process is the main process, this one. Its modules run on a thread of their own.
    ///
    /// # Errors
    ///
    /// [`NewError`], in a child above all: children have no children.
    pub fn new() -> Result<Self, NewError> {
        Self::with_options(ParentOptions::new())
    }

    /// [`new`](Self::new) with options.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_options(options: ParentOptions) -> Result<Self, NewError> {
        if remote_child::is_child() {
            return Err(NewError::InChild);
        }
        let hub = Hub::new(options);
        let first = hub.open_loader("main").ok_or(NewError::Main(StartError::ParentClosed))?;
        let parent = Self { hub, first: Loader::new(Arc::clone(&first)) };
        spawn::start_main(&first).map_err(NewError::Main)?;
        Ok(parent)
    }

    /// Makes a further loader over the same processes; the parent itself is the first one.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = remote_parent::Parent::new()?;
    /// let loader = parent.loader("devtools")?;
    /// loader.remote_require("./devtools", remote_parent::this_module!())?;
    /// loader.unload("closed");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ParentClosed`] when the parent is closed.
    pub fn loader(&self, name: &str) -> Result<Loader, ParentClosed> {
        self.hub.open_loader(name).map(Loader::new).ok_or(ParentClosed)
    }

    /// See [`Loader::remote_require`].
    ///
    /// # Errors
    ///
    /// As [`Loader::remote_require`].
    pub fn remote_require(&self, id: &str, base: ModulePath) -> Result<(), ResolveError> {
        self.first.remote_require(id, base)
    }

    /// The processes, the main process among them.
    #[must_use]
    pub fn processes(&self) -> Processes {
        self.first.processes()
    }

    /// The frames in all processes.
    #[must_use]
    pub fn frames(&self) -> Frames {
        self.first.frames()
    }

    /// The first loader, to be handed around or unloaded as any other.
    #[must_use]
    pub const fn first_loader(&self) -> &Loader {
        &self.first
    }

    /// The processes, frames and loaders of the parent at this moment, for diagnostics.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.hub)
    }

    /// Serves objects to every present and future process. For crates that bring objects.
    ///
    /// # Errors
    ///
    /// [`AlreadyServed`] when something else does.
    pub fn serve(&self, serve: Arc<dyn Serve>) -> Result<(), AlreadyServed> {
        self.hub.serve(serve)
    }

    /// Shares something with the modules in the main process, which find it with
    /// [`Child::host`](remote_child::Child::host). For crates that bring objects.
    pub fn share(&self, shared: Arc<dyn Any + Send + Sync>) {
        self.hub.share(shared);
    }

    /// Waits until all children have ended by themselves and none is being started again. The main process stays.
    ///
    /// # Blocking
    ///
    /// For as long as it takes. Not to be called from a child's listener: that child could not be gone before it returns.
    pub fn wait(&self) {
        self.hub.wait_alone(None);
    }

    /// Ends all processes: they handle what was sent to them, end, and are killed when they have not by the stop deadline. What they sent
    /// has been told to its listeners when this comes back. With an [executor](crate::ParentOptions::executor) it does not wait for that:
    /// what the executor has not run by then, its listeners do not hear. On the thread that runs the executor, calls that have not begun
    /// are refused as disconnected, since nobody would come to serve them.
    ///
    /// # Blocking
    ///
    /// Twice the stop deadline, 2 s by default, at most, beyond what listeners take. On a thread that runs a process's listeners it does not wait for
    /// that process.
    ///
    /// # Errors
    ///
    /// [`CloseError`] naming the processes that had to be killed.
    pub fn close(self) -> Result<(), CloseError> {
        self.close_all()
    }

    fn close_all(&self) -> Result<(), CloseError> {
        let connections = self.hub.close();
        for connection in &connections {
            connection.ask_to_close();
        }
        let stop = self.hub.deadlines().stop;
        let deadline = after(stop);
        let mut killed = Vec::new();
        for connection in &connections {
            if connection.ending.is_driver() {
                connection.close_in_background(stop);
            } else if !connection.ending.wait_gone(deadline) {
                connection.kill_unresponsive();
                killed.push(connection.id());
            }
        }
        let deadline = after(stop);
        for connection in &connections {
            connection.ending.wait_gone(deadline);
        }
        self.hub.clear();
        if killed.is_empty() { Ok(()) } else { Err(CloseError { killed }) }
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        if let Err(error) = self.close_all() {
            tracing::warn!(%error);
        }
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parent").field("processes", &self.processes()).finish_non_exhaustive()
    }
}

/// Why there is no parent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// This process is a child.
    #[error("this process is a child, and children have no children")]
    InChild,
    /// The main process's own modules cannot be run.
    #[error("the main process's loader does not start")]
    Main(#[source] StartError),
}

/// The parent is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parent is closed")]
pub struct ParentClosed;

/// A parent serves objects already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this parent serves objects already")]
pub struct AlreadyServed;

/// Processes had to be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseError {
    killed: Vec<ProcessId>,
}

impl CloseError {
    /// Those that did not end in time.
    #[must_use]
    pub fn killed(&self) -> &[ProcessId] {
        &self.killed
    }
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("processes that did not end in time had to be killed:")?;
        self.killed.iter().try_for_each(|id| write!(f, " {id}"))
    }
}

impl std::error::Error for CloseError {}
