//! What a transport gives the two sides: links of numbered lanes, each an ordered stream of records.
//!
//! A *link* joins the parent and one child. A *lane* is a numbered stream of a link, joining one thread of the
//! child and one thread of the parent: what is sent on a lane arrives in order, and nothing is promised between lanes.
//! Lane 0, [`LaneId::MAIN`], exists from the start; its end in the child is the loop thread.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::id::LaneId;

/// One end of the connection between the parent and one child.
///
/// Every implementation keeps three promises. Sending never blocks: what the peer has not taken yet is queued, and
/// how much may be queued is decided by the windows above this trait. Receiving blocks no longer than its
/// deadline. After [`close`](Self::close), or once the peer is gone, every receiver gives what had arrived
/// before and then [`Received::Closed`].
pub trait Link: fmt::Debug + Send + Sync {
    /// Takes this side's end of a lane. Each can be taken once.
    ///
    /// The child opens lanes; at the parent only [`LaneId::MAIN`] is taken so, the others are announced to the
    /// handler given to [`on_lane`](Self::on_lane).
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the lane is taken already, its number is too high, or the link is closed.
    fn open(&self, lane: LaneId) -> Result<Lane, OpenError>;

    /// Sets what is called when the peer's first record on a further lane arrives. It runs on a thread of the
    /// transport and must not block. Without a handler a further lane is a [`Closure::Misused`] link.
    fn on_lane(&self, handler: LaneHandler);

    /// Waits until everything sent so far has been handed to the peer or the system, so that ending the process now
    /// loses nothing. Gives `false` when the deadline passed or the link closed first.
    ///
    /// # Blocking
    ///
    /// Until `deadline` at the latest.
    fn flush(&self, deadline: Instant) -> bool;

    /// Sets what is called once when the link is closed, by whichever side, or at once if it is. What has arrived may not have been
    /// received yet. It runs on a thread of the transport, or on the one that closes or calls this.
    fn on_close(&self, handler: CloseHandler);

    /// Ends the link. Never blocks; both sides' receivers give what has arrived and then [`Received::Closed`].
    fn close(&self);

    /// At the parent: where it puts copies of buffers for the child to read in place. `None` over a transport that has no such memory.
    fn buffer_space(&self) -> Option<Arc<dyn BufferSpace>> {
        None
    }

    /// At the child: the same memory, to be read.
    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        None
    }
}

/// What [`Link::on_lane`] takes.
pub type LaneHandler = Box<dyn Fn(LaneId, Lane) + Send + Sync>;

/// What [`Link::on_close`] takes.
pub type CloseHandler = Box<dyn FnOnce(Closure) + Send>;

/// The parent's end of memory that is for buffers. The child can read it, and nothing else; the parent never reads it.
///
/// When the link is closed, nothing is put there any more, and what is there stays until the child has ended.
pub trait BufferSpace: fmt::Debug + Send + Sync {
    /// Copies bytes to where the child can see them, and lends them once. `None` when there is no room.
    fn put(&self, bytes: &[u8]) -> Option<Placed>;

    /// Lends once more what was put, and gives where it is. `None` when it has gone meanwhile, which it may while it is not lent.
    fn lend(&self, place: PlaceId) -> Option<u64>;

    /// The child has given it back once. When it is not lent at all, it goes when there is no room for others.
    fn give_back(&self, place: PlaceId);

    /// It will not be lent again: it goes as soon as it is not lent.
    fn remove(&self, place: PlaceId);
}

/// A copy of bytes in a [`BufferSpace`]. No two have the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlaceId(pub u64);

/// Where a copy of bytes was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it is called there.
    pub id: PlaceId,
    /// Where the child finds it.
    pub offset: u64,
}

/// The child's end of memory that is for buffers.
pub trait BufferView: fmt::Debug + Send + Sync {
    /// The bytes that the parent has put there, which is to be asked for only while they are lent: then they do not change. `None` where
    /// there are none.
    fn show(&self, offset: u64, length: u64) -> Option<Shown>;
}

/// Bytes that somebody else keeps.
pub type Shown = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// This side's end of one lane.
pub struct Lane {
    /// Where records are sent.
    pub tx: Box<dyn Transmit>,
    /// Where records arrive.
    pub rx: Box<dyn Receive>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

/// The sending half of a lane.
pub trait Transmit: Send {
    /// Sends one record of at most [`RECORD_BYTES`](crate::limits::RECORD_BYTES). Never blocks.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the record is dropped.
    fn send(&mut self, record: &[u8]) -> Result<(), SendError>;
}

/// The receiving half of a lane.
pub trait Receive: Send {
    /// Waits for the next record and puts it into `record`, replacing what was there.
    ///
    /// # Blocking
    ///
    /// Until a record, a wake-up, the end of the link or `deadline`; without a deadline for as long as it takes.
    fn recv(&mut self, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received;

    /// What [`recv`](Self::recv) gives without waiting; `None` where it would wait.
    fn recv_now(&mut self, record: &mut Vec<u8>) -> Option<Received> {
        match self.recv(record, Some(Instant::now())) {
            Received::TimedOut => None,
            received => Some(received),
        }
    }

    /// What [`recv`](Self::recv) gives within the moment that an answer takes which comes at once, if that can be had without asking the
    /// system or the clock; `None` else. Only worth calling before a `recv`.
    fn recv_soon(&mut self, _record: &mut Vec<u8>) -> Option<Received> {
        None
    }

    /// What other threads wake a waiting [`recv`](Self::recv) with.
    fn waker(&self) -> Waker;
}

/// What [`Receive::recv`] came back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Received {
    /// A record is in the buffer.
    Record,
    /// [`Waker::wake`] was called since the last `recv`.
    Woken,
    /// The deadline passed.
    TimedOut,
    /// Everything that arrived has been received, and nothing more will come.
    Closed(Closure),
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closure {
    /// The peer is gone, or one side closed the link.
    #[error("the link is closed")]
    Ended,
    /// The peer sent more than may lie unhandled.
    #[error("more than {limit} bytes lay unhandled")]
    Overflow {
        /// How many bytes may lie unhandled.
        limit: usize,
    },
    /// The peer sent a record with no or an unknown lane, or one longer than a record may be.
    #[error("malformed record of {length} bytes")]
    Misused {
        /// The record's length.
        length: usize,
    },
    /// The peer wrote what makes no sense into memory that it shares with us.
    #[error("corrupted shared memory: {what}")]
    Corrupted {
        /// What makes no sense.
        what: &'static str,
    },
}

/// Why a record could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The link is closed.
    #[error("the link is closed")]
    Closed,
    /// The record is longer than a record may be.
    #[error("a record of {length} bytes is longer than {limit}")]
    TooLong {
        /// The record's length.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// Why a lane could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The link is closed.
    #[error("the link is closed")]
    Closed,
    /// This end of the lane was taken before.
    #[error("lane {0} is taken")]
    Taken(LaneId),
    /// The link has no lane of this number.
    #[error("there is no lane {0}")]
    NoSuchLane(LaneId),
}

/// Wakes the thread that waits in [`Receive::recv`], or makes its next `recv` return at once.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that does `wake`, which must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Makes the receiver's current or next `recv` give [`Received::Woken`]. Several calls may be seen as one.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
