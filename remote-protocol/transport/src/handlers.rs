//! What is called when something happens to a link, and how it closed.

use std::fmt;
use std::sync::{Arc, Mutex};

use remote_protocol::id::LaneId;
use remote_protocol::link::{CloseHandler, Closure};

use crate::lock::lock;

/// The closure of one end of a link, and the handlers that go with it.
///
/// Locks are taken in the order `closure`, whatever else an end has, a handler; and no code of others runs under any of them.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Once set, never changed.
    closure: Mutex<Option<Closure>>,
    /// Never set while `closure` is, so that what it holds does not outlive the link.
    announce: Mutex<Option<Arc<Announce>>>,
    /// Never set while `closure` is: then it has been called.
    on_close: Mutex<Option<CloseHandler>>,
}

/// What is called with a lane that the peer opened.
pub(crate) type Announce = dyn Fn(LaneId) + Send + Sync;

impl Handlers {
    /// Sets what is called when the first record of a lane arrives that this side did not open.
    pub(crate) fn on_announce(&self, announce: Arc<Announce>) {
        let closure = lock(&self.closure);
        let unused = match *closure {
            None => lock(&self.announce).replace(announce),
            Some(_) => Some(announce),
        };
        drop(closure);
        drop(unused);
    }

    /// What to call with a lane that the peer opened.
    pub(crate) fn announce(&self) -> Option<Arc<Announce>> {
        lock(&self.announce).clone()
    }

    /// Sets what is called with the closure, once; now if there is one.
    pub(crate) fn on_close(&self, handler: CloseHandler) {
        let closure = lock(&self.closure);
        if let Some(first) = *closure {
            drop(closure);
            handler(first);
            return;
        }
        let replaced = lock(&self.on_close).replace(handler);
        drop(closure);
        drop(replaced);
    }

    /// How the link closed, if it did.
    pub(crate) fn closure(&self) -> Option<Closure> {
        *lock(&self.closure)
    }

    /// Sets the closure, has everything else of the end closed by `spread`, and calls the handler. Gives the closure that counts: the
    /// first one.
    ///
    /// Nothing is logged: whoever sends may hold a lock of its own, and a subscriber is code of the application. What receives says why.
    pub(crate) fn close(&self, closure: Closure, spread: impl FnOnce()) -> Closure {
        let mut current = lock(&self.closure);
        if let Some(first) = *current {
            return first;
        }
        *current = Some(closure);
        let announce = lock(&self.announce).take();
        let on_close = lock(&self.on_close).take();
        spread();
        drop(current);
        drop(announce);
        if let Some(handler) = on_close {
            handler(closure);
        }
        closure
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").field("closure", &self.closure()).finish_non_exhaustive()
    }
}
