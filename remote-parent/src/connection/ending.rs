use std::process::ExitStatus;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use crate::detach::DetachReason;
use crate::hub::lock;

/// What is known of the end of a process, and who waits for it.
#[derive(Default)]
pub(crate) struct Ending {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    status: Option<ExitStatus>,
    link_closed: bool,
    /// The reason when it is ours.
    verdict: Option<DetachReason>,
    /// Whether the process is gone and, unless an executor does that, everybody has been told.
    gone: bool,
    /// The thread that tells, which must not wait for itself.
    driver: Option<ThreadId>,
    /// What was being served when the link closed.
    calls: Vec<String>,
}

impl Ending {
    /// The link is closed, while these calls were being served.
    pub(crate) fn set_link_closed(&self, calls: Vec<String>) {
        self.change(|state| {
            state.link_closed = true;
            state.calls = calls;
        });
    }

    pub(crate) fn wait_link_closed(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.gone || state.link_closed)
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    pub(crate) fn set_status(&self, status: Option<ExitStatus>) {
        self.change(|state| state.status = status);
    }

    pub(crate) fn status(&self) -> Option<ExitStatus> {
        lock(&self.state).status
    }

    pub(crate) fn wait_status(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.status.is_some())
    }

    /// We end the process, for this reason; the first one counts. Gives whether this is it.
    pub(crate) fn judge(&self, reason: DetachReason) -> bool {
        let mut state = lock(&self.state);
        let is_first = state.verdict.is_none();
        state.verdict.get_or_insert(reason);
        is_first
    }

    /// Why the process went, which had or had not said that it would end.
    pub(crate) fn reason(&self, announced: bool) -> DetachReason {
        let state = lock(&self.state);
        match (&state.verdict, state.status) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(status)) => DetachReason::of(status, announced),
            (None, None) if announced => DetachReason::Closed,
            (None, None) => DetachReason::Disconnected,
        }
    }

    pub(crate) fn set_driver(&self) {
        lock(&self.state).driver = Some(thread::current().id());
    }

    /// Whether this thread is the one that runs the process's listeners.
    pub(crate) fn is_driver(&self) -> bool {
        lock(&self.state).driver == Some(thread::current().id())
    }

    pub(crate) fn set_gone(&self) {
        self.change(|state| state.gone = true);
    }

    /// Waits until the process is gone; the thread that tells of it does not wait for itself.
    pub(crate) fn wait_gone(&self, deadline: Instant) -> bool {
        self.is_driver() || self.wait(deadline, |state| state.gone)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    fn wait(&self, deadline: Instant, condition: impl Fn(&State) -> bool) -> bool {
        let mut state = lock(&self.state);
        while !condition(&state) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}
