//! One end of a link.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::link::{BufferSpace, BufferView, CloseHandler, Closure, Lane, LaneHandler, Link, OpenError};

use super::end::Shared;
use super::layout::Side;
use super::receiver::LaneReceiver;
use super::ring::{Consumer, Producer};
use super::sender::LaneSender;

/// One end of a link over shared memory: the child's from [`connect`](super::connect), the parent's from
/// [`Server::listen`](super::Server::listen).
///
/// It closes when the link and all its lanes are dropped. An [`on_lane`](Link::on_lane) handler that keeps one of them
/// must be ended with [`close`](Link::close).
pub struct LaneLink {
    pub(super) end: Arc<End>,
}

impl LaneLink {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { end: Arc::new(End { shared: Arc::clone(shared) }) }
    }

    /// At the parent, changes how much may lie unhandled at either end on one lane, from [`INBOX_BYTES`](crate::INBOX_BYTES).
    /// At the child it changes nothing.
    pub fn set_inbox_bytes(&self, bytes: usize) {
        if self.end.shared.side() == Side::Parent {
            self.end.shared.set_limit(bytes);
        }
    }
}

impl Link for LaneLink {
    fn open(&self, lane: LaneId) -> Result<Lane, OpenError> {
        self.end.shared.open(lane)?;
        End::lane(&self.end, lane).ok_or(OpenError::NoSuchLane(lane))
    }

    fn on_lane(&self, handler: LaneHandler) {
        let end = Arc::downgrade(&self.end);
        self.end.shared.handlers().on_announce(Arc::new(move |id| {
            if let Some(end) = end.upgrade()
                && let Some(lane) = End::lane(&end, id)
            {
                handler(id, lane);
            }
        }));
    }

    fn on_close(&self, handler: CloseHandler) {
        self.end.shared.handlers().on_close(handler);
    }

    /// Waits until what was sent lies in the shared memory, from where the peer takes it also when this process is gone.
    fn flush(&self, deadline: Instant) -> bool {
        self.end.shared.flush(deadline)
    }

    /// Ends the link now: what was sent and found no room yet is lost, unless [`flush`](Link::flush) came first.
    fn close(&self) {
        self.end.shared.close(Closure::Ended);
    }

    fn buffer_space(&self) -> Option<Arc<dyn BufferSpace>> {
        self.end.shared.space().map(|space| Arc::clone(space) as _)
    }

    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        self.end.shared.view().map(|view| Arc::clone(view) as _)
    }
}

impl fmt::Debug for LaneLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneLink").field("shared", &self.end.shared).finish_non_exhaustive()
    }
}

/// What the link and all lanes of one side share. The watching thread does not hold it, so that the last of them to be dropped closes
/// the link.
pub(super) struct End {
    pub(super) shared: Arc<Shared>,
}

impl End {
    /// Both halves of a lane, which this side has taken, so that there are no others.
    fn lane(this: &Arc<Self>, lane: LaneId) -> Option<Lane> {
        let side = this.shared.side();
        let state = this.shared.state(lane)?;
        let producer = Producer::new(this.shared.ring(lane, side.other())?);
        let consumer = Consumer::new(this.shared.ring(lane, side)?);
        let is_new = side == Side::Child && lane != LaneId::MAIN;
        Some(Lane {
            tx: Box::new(LaneSender::new(Arc::clone(this), lane, Arc::clone(&state), producer, is_new)),
            rx: Box::new(LaneReceiver::new(Arc::clone(this), lane, state, consumer)),
        })
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shared.close(Closure::Ended);
    }
}
