//! What was sent and waits for the writer thread.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use ipc_channel::ipc::IpcBytesSender;
use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::SendError;

use crate::lock::{lock, wait};
use crate::spare::Spare;

/// The records of all lanes in the order they were sent. It does not bound itself: the windows above the link do.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// For the writer: there is a message, or the end.
    filled: Condvar,
    /// For those who flush: the system took a message, or the end.
    taken: Condvar,
}

#[derive(Default)]
struct State {
    /// Messages as they are sent: the lane's number, then the record.
    messages: VecDeque<Vec<u8>>,
    spare: Spare,
    /// The length of `messages` and of the one that the writer is sending.
    queued_bytes: usize,
    /// How many messages were sent to this outbox, ever.
    sent: u64,
    /// How many of them the system took. Behind `sent` for good once closed.
    handed_over: u64,
    is_closed: bool,
    /// Whether the writer waits: notifying costs a system call even if it does not.
    is_writer_waiting: bool,
    /// How many threads wait for `taken`.
    flushing: usize,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), taken: Condvar::new() }
    }

    /// Queues a record. Never blocks.
    pub(super) fn send(&self, lane: LaneId, record: &[u8]) -> Result<(), SendError> {
        if record.len() > RECORD_BYTES {
            return Err(SendError::TooLong { length: record.len(), limit: RECORD_BYTES });
        }
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(SendError::Closed);
        }
        let mut message = state.spare.take(record.len() + 1);
        message.push(lane.0);
        message.extend_from_slice(record);
        state.queued_bytes += message.len();
        state.sent += 1;
        state.messages.push_back(message);
        let is_writer_waiting = state.is_writer_waiting;
        drop(state);
        if is_writer_waiting {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits until the system has taken what was sent before this call.
    pub(super) fn flush(&self, deadline: Instant) -> bool {
        let mut state = lock(&self.state);
        let last = state.sent;
        loop {
            if state.handed_over >= last {
                return true;
            }
            if state.is_closed || deadline <= Instant::now() {
                return false;
            }
            state.flushing += 1;
            state = wait(&self.taken, state, Some(deadline));
            state.flushing -= 1;
        }
    }

    pub(super) fn queued_bytes(&self) -> usize {
        lock(&self.state).queued_bytes
    }

    /// Refuses what is sent from now on, drops what was queued, and lets the writer end.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        if state.is_closed {
            return;
        }
        state.is_closed = true;
        let messages = mem::take(&mut state.messages);
        state.queued_bytes -= messages.iter().map(Vec::len).sum::<usize>();
        drop(state);
        self.filled.notify_one();
        self.taken.notify_all();
        drop(messages);
    }

    /// What the writer thread does: sends until the outbox is closed or the peer is gone, and then closes.
    ///
    /// A peer that is gone may have sent something before it went. So this closes the outbox alone; the pump ends the
    /// link when it has received the last of it.
    pub(super) fn write(&self, tx: &IpcBytesSender) {
        while let Some(message) = self.next() {
            let result = loop {
                match tx.send(&message) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            };
            let mut state = lock(&self.state);
            state.queued_bytes -= message.len();
            if let Err(error) = result {
                drop(state);
                tracing::debug!(%error, "nothing more can be sent");
                self.close();
                return;
            }
            state.handed_over += 1;
            state.spare.give(message);
            let is_awaited = state.flushing > 0;
            drop(state);
            if is_awaited {
                self.taken.notify_all();
            }
        }
    }

    /// Waits for the next message; `None` at the end.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(message) = state.messages.pop_front() {
                return Some(message);
            }
            if state.is_closed {
                return None;
            }
            state.is_writer_waiting = true;
            state = wait(&self.filled, state, None);
            state.is_writer_waiting = false;
        }
    }
}
