//! The lanes for calls of threads other than the loop's.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use remote_protocol::id::{CallId, LaneId};

use super::call_lane::CallLane;

/// Lanes that no thread calls on just now, and who waits for one.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// Notified when something has come back that is waited for.
    came_back: Condvar,
}

#[derive(Default)]
struct State {
    free: Vec<CallLane>,
    opened: u8,
    /// The call that has the right to be long. The parent joins the messages of all these lanes within one budget, so that there is one
    /// at a time, until its return.
    long: Option<CallId>,
    /// How many threads wait for a lane or for that right: to tell nobody would be a system call for each call.
    waiting: usize,
}

impl Pool {
    /// Takes a free lane, or has one opened if there are fewer than `most`, or waits for one. `None` at the deadline, or when none can be
    /// opened.
    pub(super) fn take(
        &self,
        deadline: Instant,
        most: u8,
        open: impl FnOnce(LaneId) -> Option<CallLane>,
    ) -> Option<CallLane> {
        let mut state = self.lock();
        loop {
            if let Some(lane) = state.free.pop() {
                return Some(lane);
            }
            if state.opened < most {
                state.opened += 1;
                return open(LaneId(state.opened));
            }
            state = self.wait(state, deadline)?;
        }
    }

    pub(super) fn put_back(&self, lane: CallLane) {
        let mut state = self.lock();
        state.free.push(lane);
        self.tell(state);
    }

    /// Waits for the right to send a long message; `None` at the deadline.
    pub(super) fn take_long(&self, call: CallId, deadline: Instant) -> Option<Long<'_>> {
        let mut state = self.lock();
        while state.long.is_some() {
            state = self.wait(state, deadline)?;
        }
        state.long = Some(call);
        Some(Long { pool: self, call })
    }

    /// The parent has the whole of a long message, if this call's was one.
    pub(super) fn end_long(&self, call: CallId) {
        let mut state = self.lock();
        if state.long == Some(call) {
            state.long = None;
            self.tell(state);
        }
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, deadline: Instant) -> Option<MutexGuard<'a, State>> {
        let left = deadline.checked_duration_since(Instant::now())?;
        state.waiting += 1;
        (state, _) = self.came_back.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        Some(state)
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        let is_waited_for = state.waiting > 0;
        drop(state);
        if is_waited_for {
            self.came_back.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to send a long message, until the call returns or what is called with the return panics.
pub(super) struct Long<'a> {
    pool: &'a Pool,
    call: CallId,
}

impl Long<'_> {
    /// The message may still be on its way: [`Pool::end_long`] ends it.
    pub(super) fn leave(self) {
        mem::forget(self);
    }
}

impl Drop for Long<'_> {
    fn drop(&mut self) {
        self.pool.end_long(self.call);
    }
}
