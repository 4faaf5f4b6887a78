use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::callback::{Callback, CallbackError};

/// The callbacks that children have installed for the events of an object in the parent.
///
/// One that is dead, because its frame was reloaded or is gone, its loader is unloaded or its process has ended, is dropped when the
/// list next comes to it, with a warning that names the place in the source where it was made and its events: a `tracing` event, which
/// needs a subscriber.
///
/// No lock is held while a callback is called or dropped, nor while an argument is encoded.
///
/// ```
/// use remote_object::{CallError, Callback, Listeners, interface};
///
/// #[interface]
/// pub trait Window: Send + Sync {
///     fn on_close(&self, listener: Callback<String>) -> Result<(), CallError>;
///     fn off_close(&self, listener: Callback<String>) -> Result<bool, CallError>;
///     fn close(&self) -> Result<(), CallError>;
/// }
///
/// #[derive(Default)]
/// struct Own {
///     listeners: Listeners<String>,
/// }
///
/// impl Window for Own {
///     fn on_close(&self, listener: Callback<String>) -> Result<(), CallError> {
///         self.listeners.add("close", listener);
///         Ok(())
///     }
///
///     fn off_close(&self, listener: Callback<String>) -> Result<bool, CallError> {
///         Ok(self.listeners.remove(&listener))
///     }
///
///     fn close(&self) -> Result<(), CallError> {
///         self.listeners.call("close", &"by the user".to_owned());
///         Ok(())
///     }
/// }
/// # assert!(Own::default().close().is_ok());
/// ```
pub struct Listeners<A> {
    /// In the order they were added. A callback is there once for each of its events.
    installed: Mutex<Vec<Installed<A>>>,
}

struct Installed<A> {
    event: String,
    callback: Callback<A>,
}

impl<A> Listeners<A> {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { installed: Mutex::new(Vec::new()) }
    }

    /// Installs a callback for an event. `false` when it is installed for the event already: it is called once all the same.
    pub fn add(&self, event: &str, callback: Callback<A>) -> bool {
        let mut installed = self.lock();
        let there = installed.iter().any(|one| one.event == event && one.callback == callback);
        if !there {
            installed.push(Installed { event: event.to_owned(), callback });
        }
        drop(installed);
        // Of an event that never happens nobody else would drop them.
        self.drop_dead(&[]);
        !there
    }

    /// Uninstalls a callback, from all events. `false` when it is not there.
    pub fn remove(&self, callback: &Callback<A>) -> bool {
        !self.take(|one| one.callback == *callback).is_empty()
    }

    /// Uninstalls all.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    /// How many are installed; one that is for several events counts for each. Some may be dead.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Drops those that are dead, `known` or found to be.
    fn drop_dead(&self, known: &[Callback<A>]) {
        let dead = self.take(|one| !one.callback.is_alive() || known.contains(&one.callback));
        let mut events_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in dead {
            let events = events_of.entry(one.callback.made_at()).or_default();
            if !events.contains(&one.event) {
                events.push(one.event);
            }
        }
        for (made_at, events) in events_of {
            let events = events.join(", ");
            tracing::warn!(
                made_at,
                events,
                "a callback whose frame, loader or process is gone is still installed, and is dropped"
            );
        }
    }

    /// Takes some out, so that they can be dropped where nothing is locked.
    fn take(&self, which: impl Fn(&Installed<A>) -> bool) -> Vec<Installed<A>> {
        self.lock().extract_if(.., |one| which(one)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Installed<A>>> {
        self.installed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Serialize> Listeners<A> {
    /// Calls those that are installed for an event, in the order they were added. Never blocks.
    ///
    /// One that cannot be called now, because its process does not handle what it is sent or the argument cannot be sent, stays; the
    /// error is in what this gives.
    pub fn call(&self, event: &str, argument: &A) -> Told {
        let listeners: Vec<_> =
            self.lock().iter().filter(|one| one.event == event).map(|one| one.callback.clone()).collect();
        let (mut told, mut dead) = (Told::default(), Vec::new());
        for listener in listeners {
            match listener.call_with(argument) {
                Ok(()) => told.called += 1,
                Err(CallbackError::Detached { .. }) => dead.push(listener),
                Err(error) => told.failed.push(Failed { made_at: listener.made_at(), error }),
            }
        }
        if !dead.is_empty() {
            told.dead = dead.len();
            self.drop_dead(&dead);
        }
        told
    }
}

impl<A> Default for Listeners<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> fmt::Debug for Listeners<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let installed: Vec<_> = self.lock().iter().map(|one| (one.event.clone(), one.callback.made_at())).collect();
        f.debug_list().entries(installed).finish()
    }
}

/// What came of calling [`Listeners`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// How many were called.
    pub called: usize,
    /// How many were dead, and are dropped.
    pub dead: usize,
    /// Those that could not be called, and are still there.
    pub failed: Vec<Failed>,
}

/// A listener that could not be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed {
    /// Where in the child's source it was made.
    pub made_at: String,
    /// Why.
    pub error: CallbackError,
}
