use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use crate::hub::lock;
use crate::options::{Executor, Task};

/// The application's executor, and which thread runs what it is given.
pub(crate) struct Pump {
    executor: Arc<dyn Executor>,
    /// The thread that ran the last task; `None` before the first.
    thread: Mutex<Option<ThreadId>>,
}

impl Pump {
    pub(crate) fn new(executor: Arc<dyn Executor>) -> Arc<Self> {
        Arc::new(Self { executor, thread: Mutex::default() })
    }

    pub(crate) fn execute(self: &Arc<Self>, task: impl FnOnce() + Send + 'static) {
        let pump = Arc::clone(self);
        let task: Task = Box::new(move || {
            *lock(&pump.thread) = Some(thread::current().id());
            task();
        });
        self.executor.execute(task);
    }

    /// Whether nobody would run a task while this thread waits: it is the one that runs them, or none has yet.
    pub(crate) fn waits_with_us(&self) -> bool {
        lock(&self.thread).is_none_or(|pumping| pumping == thread::current().id())
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").finish_non_exhaustive()
    }
}
