//! What is sent, by whoever sends it when that cannot block, and else by the writer thread.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use ipc_channel::ipc::IpcBytesSender;
use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::SendError;

use super::header::Header;
use crate::lock::{lock, wait};
use crate::spare::Spare;

/// The records of all lanes in the order they were sent. It does not bound itself: the windows above the link do.
pub(super) struct Outbox {
    state: Mutex<State>,
    /// How many of the messages that were handed over the peer says it has received.
    received_by_peer: AtomicU32,
    /// How many messages of the peer were received here, which is what it is told.
    received: AtomicU32,
    /// For the writer: there is a message, or the end.
    filled: Condvar,
    /// For those who flush: the system took a message, or the end.
    taken: Condvar,
}

struct State {
    /// The way out. A thread that sends has it, so that only one does; after the end nobody has.
    tx: Option<IpcBytesSender>,
    /// Messages as they are sent.
    messages: VecDeque<Vec<u8>>,
    spare: Spare,
    /// The length of `messages` and of the one that is being sent.
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
    pub(super) fn new(tx: IpcBytesSender) -> Self {
        Self {
            state: Mutex::new(State {
                tx: Some(tx),
                messages: VecDeque::new(),
                spare: Spare::default(),
                queued_bytes: 0,
                sent: 0,
                handed_over: 0,
                is_closed: false,
                is_writer_waiting: false,
                flushing: 0,
            }),
            received_by_peer: AtomicU32::new(0),
            received: AtomicU32::new(0),
            filled: Condvar::new(),
            taken: Condvar::new(),
        }
    }

    /// Sends a record, or queues it for the writer. Never blocks.
    pub(super) fn send(&self, lane: LaneId, record: &[u8]) -> Result<(), SendError> {
        if record.len() > RECORD_BYTES {
            return Err(SendError::TooLong { length: record.len(), limit: RECORD_BYTES });
        }
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(SendError::Closed);
        }
        let mut message = state.spare.take(Header::BYTES + record.len());
        message.extend_from_slice(&Header { lane, received: 0 }.to_bytes());
        message.extend_from_slice(record);
        state.queued_bytes += message.len();
        state.sent += 1;
        if record.len() <= AT_ONCE_BYTES
            && state.messages.is_empty()
            && self.unread(&state) <= AT_ONCE_UNREAD
            && let Some(tx) = state.tx.take()
        {
            let state = self.hand_over(state, tx, message);
            let is_left_to_writer = state.is_writer_waiting && !state.messages.is_empty();
            drop(state);
            if is_left_to_writer {
                self.filled.notify_one();
            }
            return Ok(());
        }
        state.messages.push_back(message);
        // Whoever sends just now looks for more, or tells the writer.
        let is_writer_needed = state.is_writer_waiting && state.tx.is_some();
        drop(state);
        if is_writer_needed {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes note of what the peer says with a message of its own, which was received.
    pub(super) fn heard(&self, received_by_peer: u32) {
        self.received_by_peer.store(received_by_peer, Ordering::Relaxed);
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages the system may still hold. A peer that says nonsense makes them many.
    fn unread(&self, state: &State) -> u32 {
        (state.handed_over as u32).wrapping_sub(self.received_by_peer.load(Ordering::Relaxed))
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
        self.close_locked(lock(&self.state));
    }

    fn close_locked(&self, mut state: MutexGuard<'_, State>) {
        if state.is_closed {
            return;
        }
        state.is_closed = true;
        let messages = mem::take(&mut state.messages);
        state.queued_bytes -= messages.iter().map(Vec::len).sum::<usize>();
        let tx = state.tx.take();
        drop(state);
        self.filled.notify_one();
        self.taken.notify_all();
        drop((tx, messages));
    }

    /// What the writer thread does: sends what others queued, until the outbox is closed or the peer is gone.
    pub(super) fn write(&self) {
        let mut state = lock(&self.state);
        while !state.is_closed {
            // Who has `tx` tells when there is something left to do.
            if state.tx.is_some()
                && let Some(message) = state.messages.pop_front()
                && let Some(tx) = state.tx.take()
            {
                state = self.hand_over(state, tx, message);
            } else {
                state.is_writer_waiting = true;
                state = wait(&self.filled, state, None);
                state.is_writer_waiting = false;
            }
        }
    }

    /// Gives a message to the system, and `tx` back when it took it.
    ///
    /// A peer that is gone may have said something before it went. So this closes the outbox alone; the pump ends the
    /// link when it has received the last of it.
    fn hand_over<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        tx: IpcBytesSender,
        mut message: Vec<u8>,
    ) -> MutexGuard<'a, State> {
        drop(state);
        Header::set_received(&mut message, self.received.load(Ordering::Relaxed));
        let result = loop {
            match tx.send(&message) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let mut state = lock(&self.state);
        state.queued_bytes -= message.len();
        if result.is_err() {
            self.close_locked(state);
            return lock(&self.state);
        }
        state.handed_over += 1;
        state.spare.give(message);
        if !state.is_closed {
            state.tx = Some(tx);
        }
        if state.flushing > 0 {
            self.taken.notify_all();
        }
        state
    }
}

/// The longest record that is sent at once, and how many messages the system may hold unread then. Every system keeps so
/// little without making the sender wait. A call and its return, which says that the call was read, stay within it.
const AT_ONCE_BYTES: usize = 4 * 1024;
const AT_ONCE_UNREAD: u32 = 2;
