//! Records: pieces of messages, small enough for every transport.
//!
//! The first byte of a record says whether its message goes on in the next record of the same lane. The rest is a piece
//! of the message. We split and join ourselves because a transport that does it holds its sender meanwhile.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits::{Limits, RECORD_BYTES};

/// Empties `buffer` and begins a message in it, to which the rest is appended, for [`split`].
#[inline]
pub fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.push(LAST);
}

/// How many bytes [`begin`] puts before a message.
pub const BEGINNING_BYTES: usize = 1;

/// Splits a message that was [begun](begin) into records and gives each to `send`, until that fails. A short one is a record as it is; `scratch` is
/// overwritten for a longer one.
///
/// # Errors
///
/// What `send` says.
pub fn split<E>(begun: &[u8], scratch: &mut Vec<u8>, mut send: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    if begun.len() <= RECORD_BYTES {
        return send(begun);
    }
    let message = begun.get(BEGINNING_BYTES..).unwrap_or_default();
    let mut pieces = message.chunks(PIECE_BYTES).peekable();
    while let Some(piece) = pieces.next() {
        scratch.clear();
        scratch.push(if pieces.peek().is_some() { MORE } else { LAST });
        scratch.extend_from_slice(piece);
        send(scratch)?;
    }
    Ok(())
}

/// Joins the records of one lane into messages.
#[derive(Debug)]
pub struct Joiner {
    /// The pieces of a message whose last one has not come; all of them are charged to `budget`.
    pieces: Vec<u8>,
    budget: Budget,
}

impl Joiner {
    /// A joiner that shares `budget` with the other lanes of its link.
    #[must_use]
    pub const fn new(budget: Budget) -> Self {
        Self { pieces: Vec::new(), budget }
    }

    /// Takes the next record; gives the message it completes, if it does. A record that is a whole message is taken out of `record`.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; the lane cannot be used further.
    #[inline]
    pub fn join(&mut self, record: &mut Vec<u8>) -> Result<Option<Message>, JoinError> {
        if self.pieces.is_empty() && matches!(record.as_slice(), [LAST, ..]) {
            return Ok(Some(Message { bytes: std::mem::take(record), start: 1, charge: None }));
        }
        self.join_piece(record)
    }

    /// [`join`](Self::join) for a record that is a piece of a message.
    fn join_piece(&mut self, record: &[u8]) -> Result<Option<Message>, JoinError> {
        let (more, piece) = match record {
            // A message that goes on and on in empty pieces would never be too long.
            [] | [MORE] => return Err(JoinError::Empty),
            [MORE, piece @ ..] => (true, piece),
            [LAST, piece @ ..] => (false, piece),
            [first, ..] => return Err(JoinError::Unknown { first: *first }),
        };
        if self.pieces.len().saturating_add(piece.len()) > self.budget.longest {
            return Err(JoinError::TooLong { limit: self.budget.longest });
        }
        if !self.budget.take(piece.len()) {
            return Err(JoinError::TooMuch { limit: self.budget.limit });
        }
        self.pieces.extend_from_slice(piece);
        if more {
            return Ok(None);
        }
        let bytes = std::mem::take(&mut self.pieces);
        let charge = Charge { held: Arc::clone(&self.budget.held), bytes: bytes.len() };
        Ok(Some(Message { bytes, start: 0, charge: Some(charge) }))
    }
}

impl Drop for Joiner {
    fn drop(&mut self) {
        self.budget.refund(self.pieces.len());
    }
}

/// A whole message, still encoded.
#[derive(Debug)]
pub struct Message {
    bytes: Vec<u8>,
    /// Where in `bytes` the message begins: after the first byte of the record it came in, if it came in one.
    start: usize,
    /// What it was charged if it was joined, until it has been handled.
    charge: Option<Charge>,
}

impl Message {
    /// Whether its budget is still charged for it: one that came in one record is not.
    #[must_use]
    pub const fn is_charged(&self) -> bool {
        self.charge.is_some()
    }

    /// Gives back memory that it does not need: it may lie in that of a longer one from before, and is to be kept.
    pub fn shrink(&mut self) {
        if self.bytes.capacity() / 2 > self.bytes.len() {
            self.bytes.shrink_to_fit();
        }
    }

    /// The memory it lies in, to be used again.
    #[inline]
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

impl Deref for Message {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// What all that arrived from one peer and is kept may take together: messages that are being joined, on all lanes that share it, those
/// that wait to be handled, and those that were joined and are being handled.
#[derive(Clone, Debug)]
pub struct Budget {
    held: Arc<AtomicUsize>,
    limit: usize,
    /// The longest message.
    longest: usize,
}

impl Budget {
    /// A budget of `limit` bytes, for messages of `longest` bytes at most.
    #[must_use]
    pub fn new(limit: usize, longest: usize) -> Self {
        Self { held: Arc::default(), limit, longest }
    }

    /// The budget of a side that trusts its peer.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Takes `bytes` until what this gives is dropped. `None` when there are not so many left.
    #[must_use]
    pub fn charge(&self, bytes: usize) -> Option<Charge> {
        self.take(bytes).then(|| Charge { held: Arc::clone(&self.held), bytes })
    }

    fn take(&self, bytes: usize) -> bool {
        let charged = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.limit);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged).is_ok()
    }

    fn refund(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl From<Limits> for Budget {
    fn from(limits: Limits) -> Self {
        Self::new(limits.inbox_bytes(), limits.max_message_bytes())
    }
}

/// A part of a [`Budget`], which goes back into it when this is dropped.
#[derive(Debug)]
pub struct Charge {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Charge {
    /// How many bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// It has no bytes, or its message goes on and it has nothing of that.
    #[error("an empty record")]
    Empty,
    /// It begins with something else than a record does.
    #[error("a record that begins with {first:#04x}")]
    Unknown {
        /// The first byte.
        first: u8,
    },
    /// The message it belongs to is too long.
    #[error("a message of more than {limit} bytes")]
    TooLong {
        /// How long it may be.
        limit: usize,
    },
    /// The messages that are being joined, and those that wait to be handled, are too much together.
    #[error("messages of more than {limit} bytes together")]
    TooMuch {
        /// How long they may be.
        limit: usize,
    },
}

const LAST: u8 = 0;
const MORE: u8 = 1;
const PIECE_BYTES: usize = RECORD_BYTES - 1;

#[cfg(test)]
mod tests;
