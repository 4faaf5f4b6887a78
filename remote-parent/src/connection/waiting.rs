use std::mem;
use std::sync::{Arc, Mutex};

use remote_protocol::call::{self, CallError, Outcome, Request, Return};
use remote_protocol::id::CallId;
use remote_protocol::limits::Limits;
use remote_protocol::service::Answer;

use crate::hub::lock;

/// The calls that were handed to the executor and that it has not come to.
pub(crate) struct Waiting {
    state: Mutex<State>,
    /// How many there may be.
    limit: usize,
}

#[derive(Default)]
struct State {
    /// Nobody will come to them.
    refusing: bool,
    calls: Vec<Arc<WaitingCall>>,
}

/// A call that is either served or refused, whichever comes first.
pub(crate) struct WaitingCall(Mutex<Option<Handed>>);

/// What a call came with.
pub(crate) type Handed = (call::Call<'static>, Box<dyn Answer + Send>);

impl Waiting {
    /// A child has one call on each lane, and those that were promised an answer. One that sends more is not honest.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { state: Mutex::default(), limit: usize::from(limits.max_lanes()) + limits.max_calls() }
    }

    /// Keeps a call until it is taken; `None` when it is refused at once.
    pub(crate) fn add(&self, call: call::Call<'static>, answer: Box<dyn Answer + Send>) -> Option<Arc<WaitingCall>> {
        let mut state = lock(&self.state);
        if state.refusing {
            drop(state);
            refuse((call, answer));
            return None;
        }
        if state.calls.len() >= self.limit {
            drop(state);
            let (method, reason) = (asked(&call.request), format!("{} calls wait to be served", self.limit));
            answer_refused(call.id, answer, CallError::Busy { method, reason });
            return None;
        }
        let waiting = Arc::new(WaitingCall(Mutex::new(Some((call, answer)))));
        state.calls.push(Arc::clone(&waiting));
        Some(waiting)
    }

    /// Takes a call to serve it; `None` when it has been refused.
    pub(crate) fn take(&self, call: &Arc<WaitingCall>) -> Option<Handed> {
        lock(&self.state).calls.retain(|other| !Arc::ptr_eq(other, call));
        lock(&call.0).take()
    }

    /// From now on nothing is served that has not begun.
    pub(crate) fn refuse(&self) {
        self.end().into_iter().for_each(refuse);
    }

    /// The same, when nobody waits for the answers.
    pub(crate) fn forget(&self) {
        drop(self.end());
    }

    fn end(&self) -> Vec<Handed> {
        let mut state = lock(&self.state);
        state.refusing = true;
        let calls = mem::take(&mut state.calls);
        drop(state);
        calls.iter().filter_map(|call| lock(&call.0).take()).collect()
    }
}

fn refuse((call, answer): Handed) {
    answer_refused(call.id, answer, CallError::Disconnected { method: asked(&call.request) });
}

fn answer_refused(call: CallId, mut answer: Box<dyn Answer + Send>, error: CallError) {
    // A child that is gone does not wait for it.
    let _ = answer.send(Return { call, outcome: Outcome::Refused(Box::new(error)) });
}

/// What a request asks for, as far as the process's connection can tell.
pub(crate) fn asked(request: &Request<'_>) -> String {
    match request {
        Request::Lookup { root, .. } => root.to_string(),
        Request::Method { object, .. } => format!("object {object}"),
        Request::Read { buffer, .. } | Request::Share { buffer } => format!("buffer {buffer}"),
    }
}
