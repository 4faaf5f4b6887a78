//! Calls whose methods answer later.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use remote_protocol::call::{CallError, Outcome};
use remote_protocol::id::CallId;
use remote_protocol::service::Answer;

use super::{Serving, respond};
use crate::promise::Cancellation;

/// The calls of one process that are served by methods that may answer later.
#[derive(Default)]
pub(super) struct Unanswered(Mutex<State>);

#[derive(Default)]
struct State {
    /// How many there are, with those whose method has not returned yet.
    count: usize,
    waiting: HashMap<CallId, Waiting>,
    /// The last calls that were cancelled and did not wait here, oldest first. Most have been answered; the method of one may not have
    /// returned yet, or not begun, for a call that a function makes waits for another thread than its cancellation.
    early: VecDeque<CallId>,
    /// What waited when the process went: whoever asks for it may come later than its end.
    broken: Vec<String>,
    closed: bool,
}

/// A call that waits for its answer.
struct Waiting {
    method: Cow<'static, str>,
    answer: Box<dyn Answer + Send>,
    cancellation: Arc<Cancellation>,
    _room: Option<Room>,
}

/// Room for one call.
pub(crate) struct Room(Weak<Serving>);

/// What is needed to answer a call later. It keeps nothing of the process alive.
pub(crate) struct Later {
    serving: Weak<Serving>,
    call: CallId,
    cancellation: Arc<Cancellation>,
}

impl Unanswered {
    /// The methods that have not answered.
    pub(super) fn methods(&self) -> Vec<String> {
        let state = self.state();
        let waiting = state.waiting.values().map(|waiting| waiting.method.clone().into_owned());
        waiting.chain(state.broken.iter().cloned()).collect()
    }

    /// The process is gone: nobody waits any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = mem::take(&mut state.waiting);
        state.broken = waiting.values().map(|waiting| waiting.method.clone().into_owned()).collect();
        drop(state);
        waiting.into_values().for_each(|waiting| waiting.cancellation.cancel());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serving {
    /// Room for a call whose method may answer later.
    pub(crate) fn room(self: &Arc<Self>, method: &str) -> Result<Room, CallError> {
        let limit = self.limits.max_calls();
        let mut state = self.unanswered.state();
        if state.count >= limit {
            let reason = format!("{limit} calls of this process are unanswered");
            return Err(CallError::Busy { method: method.to_owned(), reason });
        }
        state.count += 1;
        Ok(Room(Arc::downgrade(self)))
    }

    /// Keeps the way to answer a call until there is something to answer. `None` when the process is gone, or says by the same id
    /// that another call is waiting.
    pub(crate) fn answer_later(
        self: &Arc<Self>,
        call: CallId,
        method: Cow<'static, str>,
        answer: Box<dyn Answer + Send>,
        cancellation: &Arc<Cancellation>,
        room: Option<Room>,
    ) -> Option<Later> {
        let waiting = Waiting { method, answer, cancellation: Arc::clone(cancellation), _room: room };
        let mut state = self.unanswered.state();
        if state.closed || state.waiting.contains_key(&call) {
            drop(state);
            drop(waiting);
            return None;
        }
        state.waiting.insert(call, waiting);
        let cancelled = state.early.iter().position(|early| *early == call).and_then(|index| state.early.remove(index));
        drop(state);
        if cancelled.is_some() {
            self.cancel(call);
        }
        Some(Later { serving: Arc::downgrade(self), call, cancellation: Arc::clone(cancellation) })
    }

    /// Nobody waits for a call any more. It is answered, so that the child knows when it is over.
    pub(super) fn cancel(&self, call: CallId) {
        let mut state = self.unanswered.state();
        let Some(mut waiting) = state.waiting.remove(&call) else {
            if state.early.len() >= self.limits.max_calls() {
                state.early.pop_front();
            }
            return state.early.push_back(call);
        };
        drop(state);
        waiting.cancellation.cancel();
        let error = CallError::Unanswered { method: waiting.method.into_owned() };
        respond(&mut *waiting.answer, call, Outcome::Refused(Box::new(error)));
    }
}

impl Later {
    /// The way to answer. `None` when nobody waits any more.
    pub(crate) fn answer(&self) -> Option<(Arc<Serving>, Box<dyn Answer + Send>)> {
        let serving = self.serving.upgrade()?;
        let mut state = serving.unanswered.state();
        // Its id may have been taken by another call meanwhile.
        state.waiting.get(&self.call).filter(|waiting| Arc::ptr_eq(&waiting.cancellation, &self.cancellation))?;
        let waiting = state.waiting.remove(&self.call)?;
        drop(state);
        Some((serving, waiting.answer))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(serving) = self.0.upgrade() {
            serving.unanswered.state().count -= 1;
        }
    }
}
