use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::hub::lock;

/// Whether a process handles what it is sent.
#[derive(Default)]
pub(crate) struct Pulse {
    last: Mutex<Look>,
    unresponsive: AtomicBool,
}

/// What was seen at a look.
#[derive(Default)]
struct Look {
    progress: u64,
    /// Since when the progress has been this; `None` when nothing was outstanding.
    since: Option<Instant>,
}

impl Pulse {
    pub(crate) fn is_unresponsive(&self) -> bool {
        self.unresponsive.load(Ordering::Acquire)
    }

    /// Looks at what is unhandled and what has been handled ever. Gives whether the process turned out to be unresponsive just now: nothing has
    /// been handled for `limit`, though there is something.
    pub(crate) fn look(&self, unhandled: u64, progress: u64, limit: Duration) -> bool {
        let mut last = lock(&self.last);
        if unhandled == 0 || last.progress != progress || last.since.is_none() {
            *last = Look { progress, since: (unhandled > 0).then(Instant::now) };
            return false;
        }
        last.since.is_some_and(|since| since.elapsed() >= limit) && !self.unresponsive.swap(true, Ordering::AcqRel)
    }

    /// The process has handled something. Gives whether it was unresponsive.
    pub(crate) fn recover(&self) -> bool {
        self.is_unresponsive() && self.unresponsive.swap(false, Ordering::AcqRel)
    }
}
