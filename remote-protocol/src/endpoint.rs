//! Messages in and out of a lane: what both sides put between a state machine and a transport.

use std::fmt;
use std::time::Instant;

use crate::codec::EncodeError;
use crate::link::{Closure, Receive, Received, SendError, Transmit};
use crate::message::Message as ToBytes;
use crate::record::{self, Budget, Joiner, Message};
use crate::state::Violation;

/// The sending end of a lane, and the buffers it encodes into.
pub struct Outlet {
    tx: Box<dyn Transmit>,
    message: Vec<u8>,
    record: Vec<u8>,
    limit: usize,
}

impl Outlet {
    /// Sends messages of at most `limit` bytes on `tx`.
    #[must_use]
    pub const fn new(tx: Box<dyn Transmit>, limit: usize) -> Self {
        Self { tx, message: Vec::new(), record: Vec::new(), limit }
    }

    /// Changes how long a message may be.
    pub const fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Sends a message, in as many records as it takes. Never blocks.
    ///
    /// # Errors
    ///
    /// [`OutletError`]; nothing of the message was sent, unless the link is closed.
    pub fn send<M: ToBytes>(&mut self, message: &M) -> Result<(), OutletError> {
        self.send_after(message, |_length| {})
    }

    /// Sends a message as [`send`](Self::send) does, after `log` has been told its length in bytes: so the peer cannot answer before it is
    /// logged.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_after<M: ToBytes>(&mut self, message: &M, log: impl FnOnce(usize)) -> Result<(), OutletError> {
        // With room for what makes a record of it, so that a short message is copied no more before it is sent.
        record::begin(&mut self.message);
        message.encode(&mut self.message)?;
        let length = self.message.len() - record::BEGINNING_BYTES;
        let result = if length > self.limit {
            Err(OutletError::TooLong { length, limit: self.limit })
        } else {
            log(length);
            record::split(&self.message, &mut self.record, |record| self.tx.send(record)).map_err(OutletError::Link)
        };
        if length > KEPT_BYTES {
            self.message = Vec::new();
        }
        result
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutletError {
    /// It cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It is longer than a message may be.
    #[error("a message of {length} bytes is longer than {limit}")]
    TooLong {
        /// Its length.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The link does not take it.
    #[error(transparent)]
    Link(SendError),
}

/// The receiving end of a lane.
pub struct Inlet {
    rx: Box<dyn Receive>,
    record: Vec<u8>,
    joiner: Joiner,
}

impl Inlet {
    /// Receives from `rx`; `budget` is shared by all inlets it was cloned for.
    #[must_use]
    pub const fn new(rx: Box<dyn Receive>, budget: Budget) -> Self {
        Self { rx, record: Vec::new(), joiner: Joiner::new(budget) }
    }

    /// Waits for the next message. Give it back with [`recycle`](Self::recycle) when it has been handled.
    ///
    /// # Blocking
    ///
    /// Until a message, a wake-up, the end of the link or `deadline`.
    ///
    /// # Errors
    ///
    /// [`Pause`] when there is no message.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Message, Pause> {
        for pieces in 1_usize.. {
            let received = self.rx.recv(&mut self.record, deadline);
            if let Some(next) = self.take(received) {
                return next;
            }
            // Whoever receives looks at the clock only when there is nothing, and a peer can send a long message in pieces of a byte.
            if pieces.is_multiple_of(LOOKED) && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
        }
        Err(Pause::TimedOut)
    }

    /// What [`next`](Self::next) gives without waiting; `None` where it would wait.
    #[inline]
    pub fn now(&mut self) -> Option<Result<Message, Pause>> {
        loop {
            let received = self.rx.recv_now(&mut self.record)?;
            if let Some(next) = self.take(received) {
                return Some(next);
            }
        }
    }

    /// What [`next`](Self::next) gives in a moment, if that can be had for so little as [`recv_soon`](Receive::recv_soon) says; `None` else.
    #[inline]
    pub fn soon(&mut self) -> Option<Result<Message, Pause>> {
        loop {
            let received = self.rx.recv_soon(&mut self.record)?;
            if let Some(next) = self.take(received) {
                return Some(next);
            }
        }
    }

    /// `None` where it is the piece of a message.
    #[inline]
    fn take(&mut self, received: Received) -> Option<Result<Message, Pause>> {
        match received {
            Received::Record => match self.joiner.join(&mut self.record) {
                Ok(None) => None,
                Ok(Some(message)) => Some(Ok(message)),
                Err(error) => Some(Err(Pause::Violation(error.into()))),
            },
            Received::Woken => Some(Err(Pause::Woken)),
            Received::TimedOut => Some(Err(Pause::TimedOut)),
            Received::Closed(Closure::Ended) => Some(Err(Pause::Closed)),
            Received::Closed(closure) => Some(Err(Pause::Violation(Violation::Link(closure)))),
        }
    }

    /// Takes the memory of a message back, for the next one.
    #[inline]
    pub fn recycle(&mut self, message: Message) {
        let buffer = message.into_buffer();
        if self.record.capacity() < buffer.capacity() && buffer.capacity() <= KEPT_BYTES {
            self.record = buffer;
        }
    }
}

/// After how many pieces of a message a wait looks at the clock; an honest peer never sends so many.
const LOOKED: usize = 1024;

impl fmt::Debug for Inlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet").finish_non_exhaustive()
    }
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Somebody woke us.
    Woken,
    /// The deadline passed.
    TimedOut,
    /// The link is closed, and everything that arrived has been received.
    Closed,
    /// The peer broke the protocol.
    Violation(Violation),
}

/// A longer message's buffer is not kept for the next one.
const KEPT_BYTES: usize = 256 * 1024;
