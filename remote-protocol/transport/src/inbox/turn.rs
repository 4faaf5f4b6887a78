//! Receiving where those who wait take turns in reading the channel.

use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::link::{Closure, Received};

use super::Inbox;
use super::queue::Queue;

impl Inbox {
    /// What the receiver of `lane` comes back with, if it need not wait.
    #[inline]
    pub(crate) fn try_recv(&self, lane: LaneId, record: &mut Vec<u8>) -> Option<Received> {
        match self.queue(lane) {
            Some(queue) if queue.has_something() => self.take(queue, record),
            Some(_) => None,
            None => Some(Received::Closed(Closure::Ended)),
        }
    }

    fn take(&self, queue: &Queue, record: &mut Vec<u8>) -> Option<Received> {
        let mut state = queue.lock();
        let received = self.look(&mut state, record, None);
        queue.settle(&state);
        received
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
        self.queue(lane).is_some_and(Queue::begin_to_read)
    }

    /// It does not read any more.
    pub(crate) fn end_reading(&self, lane: LaneId) {
        if let Some(queue) = self.queue(lane) {
            queue.end_reading();
        }
    }

    /// Wakes the receiver of `lane`; gives whether that reads, and has to be told otherwise.
    pub(crate) fn wake(&self, lane: LaneId) -> bool {
        self.queue(lane).is_some_and(|queue| {
            let mut state = queue.lock();
            state.woken = true;
            queue.notify(state);
            queue.is_reading()
        })
    }
}
