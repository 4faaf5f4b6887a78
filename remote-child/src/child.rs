use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use remote_protocol::contain::contain;
use remote_protocol::id::LoaderId;
use remote_protocol::message::Trouble;
use remote_protocol::service::{Callbacks, Caller, LateReturns};

use crate::core::Core;
use crate::lanes::Lanes;
use crate::list::Frames;
use crate::loader::Loader;
use crate::nesting::TooDeep;
use crate::process::Process;

/// What a module of a child is given: the way to everything else.
///
/// It is a cheap clone and, like all that comes from it, stays on the loop thread; other threads use
/// [`handle`](Self::handle).
#[derive(Clone)]
pub struct Child {
    loader: Rc<Loader>,
}

impl Child {
    pub(crate) const fn new(loader: Rc<Loader>) -> Self {
        Self { loader }
    }

    /// This process.
    #[must_use]
    pub fn process(&self) -> Process {
        Process::new(Rc::clone(&self.loader))
    }

    /// The frames of this process.
    #[must_use]
    pub fn frames(&self) -> Frames {
        Frames::new(Rc::clone(&self.loader))
    }

    /// What other threads reach the loop thread with.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle { lanes: Arc::clone(&self.core().lanes), loader: self.loader.id }
    }

    /// Runs `handler` once, before everything of this loader is unloaded: when the parent unloads it or asks the process to stop, or
    /// when the parent is gone. Handlers run last registered first, after all frames have detached.
    pub fn on_unload(&self, handler: impl FnOnce(&UnloadReason) + 'static) {
        self.loader.on_unload(Box::new(handler));
    }

    /// Ends this process once everything it has sent is on its way: what was posted or arrived and has not been handled by now
    /// is not handled any more.
    /// In the parent's own process it ends the loop only.
    pub fn close(&self) {
        self.core().close();
    }

    /// Something kept until the loader is unloaded, one of each type; made by `make` when it is asked for first. What is made after that
    /// is not kept. [`Frame::extension`](crate::Frame::extension) is the same for a frame.
    ///
    /// This is how other crates attach to a loader what belongs to it.
    pub fn extension<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        self.loader.extensions.get_or_make(make)
    }

    /// Something kept for the life of the process's loop, whatever loader asks for it; otherwise as [`extension`](Self::extension).
    pub fn process_extension<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        self.core().extensions.get_or_make(make)
    }

    /// The loader this belongs to.
    #[must_use]
    pub fn loader_id(&self) -> LoaderId {
        self.loader.id
    }

    /// How long this process waits for its parent in a call, or in `emit` for room in the window, when it says nothing else: the
    /// parent's call deadline, 30 s if that says nothing either.
    #[must_use]
    pub fn call_deadline(&self) -> Duration {
        self.core().deadline()
    }

    /// How objects of the parent are called. For crates that bring objects.
    #[must_use]
    pub fn caller(&self) -> Arc<dyn Caller> {
        Arc::clone(&self.core().lanes) as Arc<dyn Caller>
    }

    /// Sets what the parent's messages about callbacks are handed to. For crates that bring objects.
    pub fn serve(&self, callbacks: Rc<dyn Callbacks>, late: Arc<dyn LateReturns>) {
        self.core().serve(callbacks, late);
    }

    /// What the parent shares with modules in its own process, `None` in a process of its own. For crates that bring objects.
    #[must_use]
    pub fn host(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.core().host()
    }

    /// Reports to the parent that a callback made at `made_at` failed. For crates that bring objects.
    pub fn report_callback(&self, made_at: String, message: String) {
        self.loader.report(Trouble::CallbackFailed { made_at, message });
    }

    fn core(&self) -> &Core {
        self.loader.core()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("process", &self.process().id()).finish_non_exhaustive()
    }
}

/// Reaches the loop thread of a child from any thread.
#[derive(Clone)]
pub struct Handle {
    lanes: Arc<Lanes>,
    loader: LoaderId,
}

impl Handle {
    /// Runs `task` on the loop thread, after what is running there now. Tasks run in the order they were posted. Never blocks.
    ///
    /// A task whose loader has been unloaded when its turn comes is dropped.
    ///
    /// # Errors
    ///
    /// [`LoopEnded`] when the loop has ended; the task is dropped.
    pub fn run(&self, task: impl FnOnce(&Child) + Send + 'static) -> Result<(), LoopEnded> {
        let loader = self.loader;
        self.lanes.post(Box::new(move |core| {
            if let Some(loader) = core.loader(loader) {
                let child = Child::new(Rc::clone(&loader));
                if let Err(message) = contain(|| task(&child)) {
                    loader.report(Trouble::TaskPanicked { message });
                }
            }
        }))
    }

    /// Runs `task` as [`run`](Self::run) does, with what [`Child::process_extension`] keeps, whether or not the loader is still there.
    ///
    /// When nothing of the type is kept, the task is dropped.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_with<T: 'static>(&self, task: impl FnOnce(&T) + Send + 'static) -> Result<(), LoopEnded> {
        self.lanes.post(Box::new(move |core| {
            if let Some(extension) = core.extensions.get::<T>() {
                task(&extension);
            }
        }))
    }
}

impl Handle {
    /// Runs `task` on the loop thread with what [`Child::process_extension`] keeps, and gives its result. On the loop thread it is run at
    /// once; for any other thread after what runs there, or while the loop thread waits in a call.
    ///
    /// # Blocking
    ///
    /// Until the task has run, but no longer than `within`; the task may still run then.
    ///
    /// # Errors
    ///
    /// [`NestError`].
    pub fn nest<T: 'static, R: Send + 'static>(
        &self,
        within: Duration,
        task: impl FnOnce(&T) -> R + Send + 'static,
    ) -> Result<R, NestError> {
        if let Some(core) = Core::of_this_thread(&self.lanes) {
            let extension = core.extensions.get::<T>().ok_or(NestError::LoopEnded)?;
            return Ok(task(&extension));
        }
        let (tell, told) = sync_channel(1);
        let posted = self.lanes.post_function(Box::new(move |core| {
            let result = match core.begin_function(None) {
                Ok(_running) => {
                    core.extensions.get::<T>().ok_or(NestError::LoopEnded).map(|extension| task(&extension))
                }
                Err(TooDeep { limit }) => Err(NestError::TooDeep { limit }),
            };
            // Nobody may wait for it any more.
            drop(tell.send(result));
        }));
        posted.map_err(|LoopEnded| NestError::LoopEnded)?;
        match told.recv_timeout(within) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(NestError::Deadline),
            Err(RecvTimeoutError::Disconnected) => Err(NestError::LoopEnded),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The loop of the child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the child's loop has ended")]
pub struct LoopEnded;

/// Why [`Handle::nest`] has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NestError {
    /// The loop has ended, or keeps nothing of the type.
    #[error("the child's loop has ended")]
    LoopEnded,
    /// There was no result in time.
    #[error("the child's loop did not come to it in time")]
    Deadline,
    /// The loop thread is in the midst of as many nested tasks as it may.
    #[error("tasks nest at most {limit} deep")]
    TooDeep {
        /// How many.
        limit: usize,
    },
}

/// Why a child's modules are unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnloadReason {
    /// The parent unloaded the loader, for this reason of its own.
    Unloaded(String),
    /// The parent asked the process to stop, or the process closed itself.
    Shutdown,
    /// The parent is gone, or broke the protocol.
    Disconnected,
}

impl fmt::Display for UnloadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unloaded(reason) => reason,
            Self::Shutdown => "shutdown",
            Self::Disconnected => "disconnected",
        })
    }
}
