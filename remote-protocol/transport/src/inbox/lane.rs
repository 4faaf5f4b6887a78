//! The receiving half of a lane of any transport.

use std::sync::Arc;
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::link::{Closure, Receive, Received, Waker};

use crate::inbox::Inbox;

/// Receives the records of one lane. It keeps its end of the link, `E`, from closing.
pub(crate) struct LaneReceiver<E> {
    inbox: Arc<Inbox>,
    lane: LaneId,
    _end: Arc<E>,
}

impl<E> LaneReceiver<E> {
    pub(crate) fn new(inbox: &Arc<Inbox>, lane: LaneId, end: &Arc<E>) -> Self {
        Self { inbox: Arc::clone(inbox), lane, _end: Arc::clone(end) }
    }
}

impl<E: Send + Sync> Receive for LaneReceiver<E> {
    fn recv(&mut self, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        match self.inbox.queue(self.lane) {
            Some(queue) => self.inbox.recv(queue, record, deadline),
            None => Received::Closed(Closure::Ended),
        }
    }

    fn waker(&self) -> Waker {
        let (inbox, lane) = (Arc::downgrade(&self.inbox), self.lane);
        Waker::new(move || {
            let Some(inbox) = inbox.upgrade() else { return };
            if let Some(queue) = inbox.queue(lane) {
                let mut state = queue.lock();
                state.woken = true;
                queue.notify(state);
            }
        })
    }
}
