//! Receiving where those who wait take turns in reading the channel.

use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::link::{Closure, Received};

use super::Inbox;

impl Inbox {
    /// What the receiver of `lane` comes back with, if it need not wait.
    pub(crate) fn try_recv(&self, lane: LaneId, record: &mut Vec<u8>, deadline: Option<Instant>) -> Option<Received> {
        match self.queue(lane) {
            Some(queue) => self.look(&mut queue.lock(), record, deadline),
            None => Some(Received::Closed(Closure::Ended)),
        }
    }

    /// Waits, as the receiver of `lane`, for something in it, for [`ask_to_read`](Self::ask_to_read), or until the deadline.
    pub(crate) fn wait(&self, lane: LaneId, deadline: Option<Instant>) {
        let Some(queue) = self.queue(lane) else { return };
        let mut state = queue.lock();
        if !state.has_something() && !state.is_asked_to_read {
            state = queue.wait(state, deadline);
        }
        state.is_asked_to_read = false;
    }

    /// Has the receiver of `lane` that waits come back to read.
    pub(crate) fn ask_to_read(&self, lane: LaneId) {
        if let Some(queue) = self.queue(lane) {
            let mut state = queue.lock();
            state.is_asked_to_read = true;
            queue.notify(state);
        }
    }

    /// The receiver of `lane` is about to read; not when there is something for it.
    pub(crate) fn begin_to_read(&self, lane: LaneId) -> bool {
        self.queue(lane).is_some_and(|queue| {
            let mut state = queue.lock();
            state.is_reading = !state.has_something();
            state.is_reading
        })
    }

    /// It does not read any more.
    pub(crate) fn end_reading(&self, lane: LaneId) {
        if let Some(queue) = self.queue(lane) {
            queue.lock().is_reading = false;
        }
    }

    /// Wakes the receiver of `lane`; gives whether that reads, and has to be told otherwise.
    pub(crate) fn wake(&self, lane: LaneId) -> bool {
        self.queue(lane).is_some_and(|queue| {
            let mut state = queue.lock();
            state.woken = true;
            let is_reading = state.is_reading;
            queue.notify(state);
            is_reading
        })
    }
}
