//! Who may reach what: filters, and what is told of every access.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remote_protocol::call::{CallError, Root};
use remote_protocol::contain::{contain, contain_and_locate};
use remote_protocol::id::{FrameId, ProcessId};

use crate::interface::Interface;
use crate::object::{Exported, Object};

/// A process asks for something that is, or may be, exported. What a [filter](crate::Exports::filter) decides about.
///
/// It prints as what is asked for: ``module `fs` ``.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Access<'a> {
    /// The process that asks. The parent's list has what else is known of it.
    pub process: ProcessId,
    /// What it asks for.
    pub root: &'a Root<'a>,
}

impl Access<'_> {
    /// The name of what it asks for, if that is a module or a global.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.root.name()
    }

    /// The frame it asks for something of. It is one of its own: all others are denied before any filter is asked.
    #[must_use]
    pub const fn frame(&self) -> Option<FrameId> {
        self.root.frame()
    }
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

/// What a [filter](crate::Exports::filter) says to an [`Access`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// It has no objection: what is exported is given, unless another filter objects.
    Allow,
    /// The process does not get it, whether or not it is exported.
    Deny {
        /// Why; the process is told, as [`CallError::Denied`].
        rule: Cow<'static, str>,
    },
    /// The process gets this, whether or not something is exported.
    Replace(Replacement),
}

impl Decision {
    /// The process does not get it; `rule` says why, to the process and to [listeners](crate::Exports::on_access).
    #[must_use]
    pub fn deny(rule: impl Into<Cow<'static, str>>) -> Self {
        Self::Deny { rule: rule.into() }
    }

    /// The process gets `object` instead: each time the same one, if it is a clone of the same `Arc`.
    #[must_use]
    pub fn replace<T: Interface + ?Sized>(object: Arc<T>) -> Self {
        Self::Replace(Replacement(Arc::new(Exported(object))))
    }
}

/// What a process gets in place of what it asked for; made by [`Decision::replace`].
#[derive(Clone)]
pub struct Replacement(Arc<dyn Object>);

impl Replacement {
    /// The name of the object's interface.
    #[must_use]
    pub fn interface(&self) -> &str {
        self.0.interface()
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replacement").field(&self.interface()).finish()
    }
}

/// What came of an access. Told to [listeners](crate::Exports::on_access) of every one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessRecord<'a> {
    /// What was asked for, and by whom.
    pub access: Access<'a>,
    /// What was decided, by the filters or by the rule that a frame is asked for by its own process only.
    pub decision: &'a Decision,
    /// Whether there is something. One that asked by another interface is told so, and given nothing all the same.
    pub found: bool,
}

impl AccessRecord<'_> {
    /// The rule by which it was denied.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self.decision {
            Decision::Deny { rule } => Some(rule),
            Decision::Allow | Decision::Replace(_) => None,
        }
    }
}

type Filter = Arc<dyn Fn(&Access<'_>) -> Decision + Send + Sync>;
type Listener = Arc<dyn Fn(&AccessRecord<'_>) + Send + Sync>;

/// Filters, in the order they were added.
#[derive(Default)]
pub(crate) struct Filters(Mutex<Vec<Filter>>);

impl Filters {
    pub(crate) fn add(&self, filter: Filter) {
        lock(&self.0).push(filter);
    }

    /// What the first filter says that objects.
    fn objection(&self, access: &Access<'_>) -> Option<Decision> {
        // A copy: filters are the application's, and may come back to us.
        let filters = lock(&self.0).clone();
        let decide = |filter: Filter| {
            contain(|| filter(access)).unwrap_or_else(|panic| {
                tracing::error!(process = %access.process, asked = %access, %panic, "a filter panicked");
                Decision::deny("the filter panicked")
            })
        };
        filters.into_iter().map(decide).find(|decision| !matches!(decision, Decision::Allow))
    }

    pub(crate) fn clear(&self) {
        let filters = std::mem::take(&mut *lock(&self.0));
        if let Err(panic) = contain(|| drop(filters)) {
            tracing::error!(%panic, "a filter's destructor panicked");
        }
    }
}

/// What is decided for all processes alike.
#[derive(Default)]
pub(crate) struct Policy {
    pub(crate) filters: Filters,
    listeners: Mutex<Vec<Listener>>,
}

impl Policy {
    pub(crate) fn add_listener(&self, listener: Listener) {
        lock(&self.listeners).push(listener);
    }

    /// Answers an access: by what our own rules `deny`, by the filters of the process, by those for all, then with what `find` finds,
    /// in the application's code perhaps. Everything that is asked for passes here.
    pub(crate) fn answer(
        &self,
        access: &Access<'_>,
        deny: Option<&'static str>,
        own: &Filters,
        find: impl FnOnce() -> Option<Arc<dyn Object>>,
    ) -> Result<Arc<dyn Object>, CallError> {
        let decision = deny.map(Decision::deny).or_else(|| own.objection(access));
        let decision = decision.or_else(|| self.filters.objection(access)).unwrap_or(Decision::Allow);
        let found = match &decision {
            Decision::Allow => contain_and_locate(find),
            Decision::Replace(replacement) => Ok(Some(Arc::clone(&replacement.0))),
            Decision::Deny { .. } => Ok(None),
        };
        let is_found = matches!(found, Ok(Some(_)));
        self.tell(&AccessRecord { access: *access, decision: &decision, found: is_found });
        let root = access.to_string();
        match (decision, found) {
            (Decision::Deny { rule }, _) => Err(CallError::Denied { root, rule: rule.into_owned() }),
            (_, Ok(Some(object))) => Ok(object),
            (_, Ok(None)) => Err(CallError::NoSuchExport { root }),
            (_, Err(panic)) => {
                Err(CallError::Panicked { method: root, message: panic.message, location: panic.location })
            }
        }
    }

    fn tell(&self, record: &AccessRecord<'_>) {
        let AccessRecord { access, found, .. } = record;
        match record.rule() {
            Some(rule) => tracing::warn!(process = %access.process, asked = %access, rule, "denied"),
            None => {
                let replaced = matches!(record.decision, Decision::Replace(_));
                tracing::debug!(process = %access.process, asked = %access, found, replaced, "asked for");
            }
        }
        let listeners = lock(&self.listeners).clone();
        for listener in listeners {
            if let Err(panic) = contain(|| listener(record)) {
                tracing::error!(process = %access.process, asked = %access, %panic, "a listener for accesses panicked");
            }
        }
    }
}

/// Locks a table of ours. No code of the application runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
