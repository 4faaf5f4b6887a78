//! Calls that were made and that no thread is blocked in.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use remote_protocol::call::{CallError, Outcome, Request};
use remote_protocol::id::CallId;
use remote_protocol::limits::{self, Limits};

use super::{Calling, RequestFailure, lock, unsent};
use crate::promise::wake;
use crate::scope::Arrival;

/// A call that was made; dropping it gives it up. No code of the application runs under its lock.
pub(crate) struct Started {
    call: CallId,
    /// The method, for errors.
    name: String,
    calling: Arc<Calling>,
    deadline: (Instant, Duration),
    state: Mutex<State>,
    settled: Condvar,
}

enum State {
    /// Not answered; who is to be woken.
    Waiting(Option<Waker>),
    Settled(Result<Answered, CallError>),
    /// The answer has been taken, or the call was not made.
    Over,
}

/// An answer, not decoded: that is done by whoever takes it. What it refers to is given back when it is dropped.
pub(crate) struct Answered {
    /// Without its references.
    pub(crate) outcome: Outcome<'static>,
    pub(crate) arrivals: Result<Vec<Arrival>, String>,
}

/// The calls that have not returned, also those that were given up meanwhile.
#[derive(Default)]
pub(super) struct Promised {
    calls: HashMap<CallId, Unreturned>,
    /// What their arguments take.
    bytes: usize,
    closed: bool,
}

struct Unreturned {
    started: Weak<Started>,
    bytes: usize,
}

impl Started {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// When the call is to be given up, and how long that is after it was made.
    pub(crate) const fn deadline(&self) -> (Instant, Duration) {
        self.deadline
    }

    pub(crate) fn is_settled(&self) -> bool {
        !matches!(*self.state(), State::Waiting(_))
    }

    /// Whether it is answered; the loop thread looks for the answer.
    pub(crate) fn look(&self) -> bool {
        self.is_settled() || {
            self.calling.caller.pump(Instant::now(), &|| self.is_settled());
            self.is_settled()
        }
    }

    /// Waits for the answer and takes it.
    pub(crate) fn wait(&self, deadline: Instant) -> Option<Result<Answered, CallError>> {
        if !self.is_settled() && !self.calling.caller.pump(deadline, &|| self.is_settled()) {
            self.block(deadline);
        }
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Settled(answered) => Some(answered),
            waiting @ State::Waiting(_) => {
                *state = waiting;
                None
            }
            State::Over => None,
        }
    }

    /// Has a task woken by the answer.
    pub(crate) fn register(&self, waker: &Waker) {
        // Cloned and dropped outside the lock: it is the application's.
        let mut waker = Some(waker.clone());
        if let State::Waiting(registered) = &mut *self.state() {
            mem::swap(registered, &mut waker);
        }
    }

    fn block(&self, deadline: Instant) {
        let mut state = self.state();
        while matches!(*state, State::Waiting(_)) {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return;
            };
            (state, _) = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn settle(&self, answered: Result<Answered, CallError>) {
        let mut state = self.state();
        // It returns once; the link may have closed meanwhile.
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Settled(answered);
        drop(state);
        self.settled.notify_all();
        wake(waker);
    }

    /// Not sent: there is nothing to give up.
    fn unmake(&self) {
        *self.state() = State::Over;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.is_settled() && lock(&self.calling.promised).calls.contains_key(&self.call) {
            self.calling.caller.cancel(self.call);
        }
    }
}

impl Calling {
    /// Makes a call on the main lane, from any thread, and does not wait for it. Nothing has to be kept for it: what it refers to is
    /// released on the same lane, and so later. `name` is for errors.
    pub(crate) fn start(self: &Arc<Self>, request: Request<'_>, name: &str) -> Result<Arc<Started>, RequestFailure> {
        let within = self.deadline();
        let deadline = (limits::deadline(Instant::now(), within), within);
        let bytes = bytes(&request);
        let mut promised = lock(&self.promised);
        let refused = |error| RequestFailure { error, sent: false };
        if promised.closed {
            return Err(refused(CallError::Disconnected { method: name.to_owned() }));
        }
        if let Some(reason) = promised.busy(bytes, self.caller.limits()) {
            return Err(refused(CallError::Busy { method: name.to_owned(), reason }));
        }
        let mut call = self.caller.next_call();
        while promised.calls.contains_key(&call) {
            call = self.caller.next_call();
        }
        let started = Arc::new(Started {
            call,
            name: name.to_owned(),
            calling: Arc::clone(self),
            deadline,
            state: Mutex::new(State::Waiting(None)),
            settled: Condvar::new(),
        });
        promised.bytes += bytes;
        promised.calls.insert(call, Unreturned { started: Arc::downgrade(&started), bytes });
        drop(promised);
        match self.caller.start(call, request) {
            Ok(()) => Ok(started),
            Err(failure) => {
                started.unmake();
                let _ = lock(&self.promised).remove(call);
                Err(unsent(failure, name))
            }
        }
    }

    /// Takes the return of a call that was started. Gives back what is not.
    pub(super) fn returned<'a>(self: &Arc<Self>, call: CallId, outcome: Outcome<'a>) -> Option<Outcome<'a>> {
        let Some(unreturned) = lock(&self.promised).remove(call) else { return Some(outcome) };
        let (outcome, arrivals) = self.receive(outcome);
        if let Some(started) = unreturned.started.upgrade() {
            started.settle(Ok(Answered { outcome: outcome.into_owned(), arrivals }));
        }
        // Otherwise nobody looks at what it refers to, so that it is given back.
        None
    }

    /// No call returns any more.
    pub(super) fn break_promises(&self) {
        let calls = {
            let mut promised = lock(&self.promised);
            promised.closed = true;
            promised.bytes = 0;
            mem::take(&mut promised.calls)
        };
        for started in calls.into_values().filter_map(|unreturned| unreturned.started.upgrade()) {
            started.settle(Err(CallError::Disconnected { method: started.name.clone() }));
        }
    }
}

impl Promised {
    /// Why no call of this length can be made now.
    fn busy(&self, bytes: usize, limits: Limits) -> Option<String> {
        let (calls, most) = (limits.max_calls(), limits.max_calls_bytes());
        if self.calls.len() >= calls {
            return Some(format!("{calls} calls are unanswered, more than that may not be"));
        }
        // One that is longer may be alone.
        let full = !self.calls.is_empty() && self.bytes.saturating_add(bytes) > most;
        full.then(|| {
            format!("the arguments of unanswered calls may take {most} bytes, with these they would take more")
        })
    }

    fn remove(&mut self, call: CallId) -> Option<Unreturned> {
        let unreturned = self.calls.remove(&call)?;
        self.bytes -= unreturned.bytes;
        Some(unreturned)
    }
}

/// What the arguments of a request take.
fn bytes(request: &Request<'_>) -> usize {
    match request {
        Request::Method { arguments, .. } => arguments.weight(),
        Request::Lookup { .. } | Request::Read { .. } | Request::Share { .. } => 0,
    }
}
