//! One end of a link.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::link::{
    CloseHandler, Lane, LaneHandler, Link, OpenError, Receive, Received, SendError, Transmit, Waker,
};

use super::bootstrap::Channels;
use super::outbox::Outbox;
use super::reading::Reading;
use crate::inbox::Inbox;

/// One end of a link over ipc-channel: the child's from [`connect`](super::connect), the parent's from
/// [`Acceptance::wait`](super::Acceptance::wait).
///
/// It closes when the link and all its lanes are dropped. An [`on_lane`](Link::on_lane) handler that keeps one of them
/// must be ended with [`close`](Link::close).
pub struct IpcLink {
    end: Arc<End>,
}

impl IpcLink {
    /// Starts the threads of an end.
    pub(super) fn start(channels: Channels) -> io::Result<Self> {
        let Channels { tx, rx, nudge, alive, peer } = channels;
        let outbox = Arc::new(Outbox::new(tx));
        let reading = Arc::new(Reading::new(&outbox, rx, nudge, alive));
        let end = Arc::new(End { reading, outbox });

        // If one cannot be started, dropping `end` ends the others.
        let outbox = Arc::clone(&end.outbox);
        thread::Builder::new().name("remote-writer".to_owned()).spawn(move || outbox.write())?;
        let reading = Arc::clone(&end.reading);
        thread::Builder::new().name("remote-pump".to_owned()).spawn(move || reading.pump())?;
        let reading = Arc::clone(&end.reading);
        thread::Builder::new().name("remote-watch".to_owned()).spawn(move || reading.watch(&peer))?;
        Ok(Self { end })
    }

    /// Changes how much may lie at this end, arrived and not received, from [`INBOX_BYTES`](crate::INBOX_BYTES).
    pub fn set_inbox_bytes(&self, bytes: usize) {
        self.end.inbox().set_limit(bytes);
    }

    /// How many bytes were sent that the system has not taken yet, because the peer is slow to read.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.end.outbox.queued_bytes()
    }
}

impl Link for IpcLink {
    fn open(&self, lane: LaneId) -> Result<Lane, OpenError> {
        self.end.inbox().open(lane)?;
        Ok(End::lane(&self.end, lane))
    }

    fn on_lane(&self, handler: LaneHandler) {
        let end = Arc::downgrade(&self.end);
        self.end.inbox().handlers().on_announce(Arc::new(move |lane| {
            if let Some(end) = end.upgrade() {
                handler(lane, End::lane(&end, lane));
            }
        }));
    }

    fn on_close(&self, handler: CloseHandler) {
        self.end.inbox().handlers().on_close(handler);
    }

    fn flush(&self, deadline: Instant) -> bool {
        self.end.outbox.flush(deadline)
    }

    /// Ends the link now: what was sent and not taken by the system yet may be lost, unless
    /// [`flush`](Link::flush) came first.
    fn close(&self) {
        self.end.close();
    }
}

impl fmt::Debug for IpcLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpcLink")
            .field("inbox", self.end.inbox())
            .field("queued_bytes", &self.queued_bytes())
            .finish_non_exhaustive()
    }
}

/// What the link and all lanes of one side share. The threads do not hold it, so that the last of them to be dropped
/// closes the link.
struct End {
    reading: Arc<Reading>,
    outbox: Arc<Outbox>,
}

impl End {
    fn lane(this: &Arc<Self>, lane: LaneId) -> Lane {
        Lane {
            tx: Box::new(LaneSender { end: Arc::clone(this), lane }),
            rx: Box::new(LaneReceiver { end: Arc::clone(this), lane }),
        }
    }

    fn inbox(&self) -> &Inbox {
        &self.reading.inbox
    }

    fn close(&self) {
        self.reading.close();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
        self.inbox().discard();
    }
}

struct LaneSender {
    end: Arc<End>,
    lane: LaneId,
}

impl Transmit for LaneSender {
    fn send(&mut self, record: &[u8]) -> Result<(), SendError> {
        self.end.outbox.send(self.lane, record)
    }
}

struct LaneReceiver {
    end: Arc<End>,
    lane: LaneId,
}

impl Receive for LaneReceiver {
    fn recv(&mut self, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        self.end.reading.recv(self.lane, record, deadline)
    }

    fn waker(&self) -> Waker {
        let (reading, lane) = (Arc::downgrade(&self.end.reading), self.lane);
        Waker::new(move || {
            if let Some(reading) = reading.upgrade() {
                reading.wake(lane);
            }
        })
    }
}
