//! Links inside one process: what the main process hosts itself, and tests without processes.
//!
//! There are no threads: a record is put straight where the peer receives, by the sender, on whose thread also the
//! peer's [`on_lane`](Link::on_lane) handler runs. An end closes when its link and all its lanes are dropped;
//! a handler that keeps one of them must be ended with [`close`](Link::close).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::{CloseHandler, Closure, Lane, LaneHandler, Link, OpenError, SendError, Transmit};

pub use self::faults::Faults;
use self::faults::Wire;
use crate::inbox::{Inbox, LaneReceiver};

mod faults;

/// Two ends joined: the first is the parent's, the second the child's.
#[must_use]
pub fn pair(faults: Faults) -> (MemoryLink, MemoryLink) {
    let (inbox, peer) = (Arc::new(Inbox::new()), Arc::new(Inbox::new()));
    let wire = Arc::new(Wire::new(faults));
    let parent = End { inbox: Arc::clone(&inbox), peer: Arc::clone(&peer), wire: Arc::clone(&wire) };
    let child = End { inbox: peer, peer: inbox, wire };
    if child.wire.is_dead() {
        child.close();
    }
    (MemoryLink { end: Arc::new(parent) }, MemoryLink { end: Arc::new(child) })
}

/// One end of a link in memory, made by [`pair`].
pub struct MemoryLink {
    end: Arc<End>,
}

impl MemoryLink {
    /// Changes how much may lie at this end, arrived and not received, from [`INBOX_BYTES`](crate::INBOX_BYTES).
    pub fn set_inbox_bytes(&self, bytes: usize) {
        self.end.inbox.set_limit(bytes);
    }
}

impl Link for MemoryLink {
    fn open(&self, lane: LaneId) -> Result<Lane, OpenError> {
        self.end.inbox.open(lane)?;
        Ok(End::lane(&self.end, lane))
    }

    fn on_lane(&self, handler: LaneHandler) {
        let end = Arc::downgrade(&self.end);
        self.end.inbox.handlers().on_announce(Arc::new(move |lane| {
            if let Some(end) = end.upgrade() {
                handler(lane, End::lane(&end, lane));
            }
        }));
    }

    fn on_close(&self, handler: CloseHandler) {
        self.end.inbox.handlers().on_close(handler);
    }

    /// Never waits: what was sent is with the peer. `false` if a record was lost by [`Faults::die_after`].
    fn flush(&self, _deadline: Instant) -> bool {
        !self.end.wire.is_dead()
    }

    fn close(&self) {
        self.end.close();
    }
}

impl fmt::Debug for MemoryLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLink").field("inbox", &self.end.inbox).finish_non_exhaustive()
    }
}

/// What the link and all lanes of one side share. Neither inbox holds an end, so that the last of them to be
/// dropped closes the link.
struct End {
    inbox: Arc<Inbox>,
    peer: Arc<Inbox>,
    wire: Arc<Wire>,
}

impl End {
    fn lane(this: &Arc<Self>, lane: LaneId) -> Lane {
        Lane {
            tx: Box::new(LaneSender { end: Arc::clone(this), lane }),
            rx: Box::new(LaneReceiver::new(&this.inbox, lane, this)),
        }
    }

    fn close(&self) {
        self.peer.close(Closure::Ended);
        self.inbox.close(Closure::Ended);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
        self.inbox.discard();
    }
}

struct LaneSender {
    end: Arc<End>,
    lane: LaneId,
}

impl Transmit for LaneSender {
    fn send(&mut self, record: &[u8]) -> Result<(), SendError> {
        let end = &self.end;
        if record.len() > RECORD_BYTES {
            return Err(SendError::TooLong { length: record.len(), limit: RECORD_BYTES });
        }
        if end.wire.is_dead() {
            return Err(SendError::Closed);
        }
        if end.wire.loses_this() {
            end.close();
            return Ok(());
        }
        if end.peer.push(self.lane, record, end.wire.due()).is_err() {
            end.close();
            return Err(SendError::Closed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
