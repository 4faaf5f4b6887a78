//! The receiving half of an end.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use ipc_channel::IpcError;
use ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender};
use remote_protocol::id::LaneId;
use remote_protocol::limits::RECORD_BYTES;
use remote_protocol::link::{Closure, Received};

use super::header::Header;
use super::nudge::Nudge;
use super::outbox::Outbox;
use super::turns::{Next, Step, Turn, Turns};
use crate::inbox::Inbox;
use crate::lock::{lock, wait};

/// Receives into the inbox, on the thread of whoever waits for something, or on the pump's.
pub(super) struct Reading {
    pub(super) inbox: Inbox,
    outbox: Arc<Outbox>,
    turns: Mutex<Turns<IpcBytesReceiver>>,
    /// For the pump: it has to look.
    changed: Condvar,
    nudge: Nudge,
    /// Nothing is sent on it. That it is gone tells the peer that this end is closed, or this process gone.
    alive: Mutex<Option<IpcBytesSender>>,
}

/// What a message was.
enum Sorted {
    /// The record that the reader waits for.
    Mine,
    /// One for another lane, for which somebody may have been waiting.
    Others {
        is_awaited: bool,
    },
    Nudge,
}

impl Reading {
    pub(super) fn new(
        outbox: &Arc<Outbox>,
        rx: IpcBytesReceiver,
        nudge: IpcBytesSender,
        alive: IpcBytesSender,
    ) -> Self {
        Self {
            inbox: Inbox::new(),
            outbox: Arc::clone(outbox),
            turns: Mutex::new(Turns::new(rx)),
            changed: Condvar::new(),
            nudge: Nudge::new(nudge),
            alive: Mutex::new(Some(alive)),
        }
    }

    /// As [`Receive::recv`](remote_protocol::link::Receive::recv), for the receiver of `lane`.
    pub(super) fn recv(&self, lane: LaneId, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        let mut is_following = false;
        loop {
            if let Some(received) = self.inbox.try_recv(lane, record, deadline) {
                if is_following {
                    let next = self.turns().stop_following(lane);
                    self.pass_on(next);
                }
                return received;
            }
            let turn = self.turns().begin(lane, deadline);
            match turn {
                Turn::Read { way, tell_pump } => {
                    is_following = false;
                    if tell_pump {
                        self.changed.notify_one();
                    }
                    if self.read(way, lane, record) {
                        return Received::Record;
                    }
                }
                Turn::Follow => {
                    is_following = true;
                    self.inbox.wait(lane, deadline);
                }
            }
        }
    }

    /// Has the receiver of `lane` come back.
    pub(super) fn wake(&self, lane: LaneId) {
        if self.inbox.wake(lane) {
            self.nudge.send();
        }
    }

    /// Reads until there is a record for `lane`, which it gives, or something else to look at.
    fn read(&self, way: IpcBytesReceiver, lane: LaneId, record: &mut Vec<u8>) -> bool {
        let way = Way { reading: self, way: Some(way) };
        if !self.inbox.begin_to_read(lane) {
            way.leave();
            return false;
        }
        let read = loop {
            let Some(message) = way.receive() else { break Err(Closure::Ended) };
            match self.sort(&message, Some((lane, record))) {
                Ok(Sorted::Mine) => break Ok(true),
                Ok(Sorted::Nudge) => break Ok(false),
                Ok(Sorted::Others { .. }) => {}
                Err(closure) => break Err(closure),
            }
        };
        self.inbox.end_reading(lane);
        match read {
            Ok(is_record) => {
                way.leave();
                is_record
            }
            Err(closure) => {
                way.finish(closure);
                false
            }
        }
    }

    /// What the pump's thread does: reads when nobody else does, and watches the clock for those who block, until the end.
    pub(super) fn pump(&self) {
        let mut turns = self.turns();
        loop {
            match turns.step(Instant::now()) {
                Step::Over => return,
                Step::Sleep(until) => turns = wait(&self.changed, turns, until),
                Step::Nudge => {
                    drop(turns);
                    self.nudge.send();
                    turns = self.turns();
                }
                Step::Read(way) => {
                    drop(turns);
                    self.read_for_others(Way { reading: self, way: Some(way) });
                    turns = self.turns();
                }
            }
        }
    }

    /// Reads until somebody has got what it was waiting for, who will be back.
    fn read_for_others(&self, way: Way<'_>) {
        loop {
            let Some(message) = way.receive() else { return way.finish(Closure::Ended) };
            match self.sort(&message, None) {
                Ok(Sorted::Mine | Sorted::Others { is_awaited: false }) => {}
                Ok(Sorted::Nudge | Sorted::Others { is_awaited: true }) => return way.leave(),
                Err(closure) => return way.finish(closure),
            }
        }
    }

    /// What the watching thread does: waits for the peer to close its end, or to go, and closes this one.
    pub(super) fn watch(&self, peer: &IpcBytesReceiver) {
        // What it says there means nothing.
        while receive(peer).is_some() {}
        self.end();
    }

    /// Closes this end, though the one who reads, if there is one, still receives what has arrived.
    pub(super) fn close(&self) {
        self.end();
        self.inbox.begin_to_close(Closure::Ended);
    }

    /// Closes this end when what has arrived is received; by the one who reads, if there is one.
    fn end(&self) {
        self.outbox.close();
        let alive = lock(&self.alive).take();
        drop(alive);
        let mut turns = self.turns();
        if turns.is_over() {
            return;
        }
        let way = turns.end();
        drop(turns);
        match way {
            Some(way) => Way { reading: self, way: Some(way) }.drain(),
            None => self.nudge.send(),
        }
    }

    /// Puts a message where it belongs, and a record of the reader's own lane, which is empty, right into its hands.
    ///
    /// A message has the capacity of the longest there could be, so its bytes are copied and it is dropped.
    fn sort(&self, message: &[u8], mine: Option<(LaneId, &mut Vec<u8>)>) -> Result<Sorted, Closure> {
        let (header, bytes) = match Header::split(message) {
            Some((header, bytes)) if bytes.len() <= RECORD_BYTES => (header, bytes),
            _ => return Err(Closure::Misused { length: message.len().saturating_sub(Header::BYTES) }),
        };
        if header.lane == Nudge::LANE {
            self.nudge.arrived();
            return Ok(Sorted::Nudge);
        }
        self.outbox.heard(header.received);
        match mine {
            Some((lane, record)) if lane == header.lane => {
                record.clear();
                record.extend_from_slice(bytes);
                Ok(Sorted::Mine)
            }
            _ => self.inbox.push(header.lane, bytes, None).map(|is_awaited| Sorted::Others { is_awaited }),
        }
    }

    fn pass_on(&self, next: Next<IpcBytesReceiver>) {
        match next {
            Next::Settled => {}
            Next::Follower(lane) => self.inbox.ask_to_read(lane),
            Next::Pump => self.changed.notify_one(),
            Next::End(way) => Way { reading: self, way: Some(way) }.drain(),
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns<IpcBytesReceiver>> {
        lock(&self.turns)
    }
}

/// The receiving end of the channel, in the hands of the one who reads. Without it the link is over: so it is if a handler panics.
struct Way<'a> {
    reading: &'a Reading,
    way: Option<IpcBytesReceiver>,
}

impl Way<'_> {
    /// Waits for a message; `None` when no more will come.
    fn receive(&self) -> Option<Vec<u8>> {
        receive(self.way.as_ref()?)
    }

    /// Lets others read.
    fn leave(mut self) {
        if let Some(way) = self.way.take() {
            let next = self.reading.turns().leave(way);
            self.reading.pass_on(next);
        }
    }

    /// Receives what is there, and closes.
    fn drain(self) {
        for _ in 0..MESSAGES {
            let Some(Ok(message)) = self.way.as_ref().map(IpcBytesReceiver::try_recv) else { break };
            if let Err(closure) = self.reading.sort(&message, None) {
                return self.finish(closure);
            }
        }
        self.finish(Closure::Ended);
    }

    /// Closes both halves.
    fn finish(mut self, closure: Closure) {
        self.over(closure);
    }

    fn over(&mut self, closure: Closure) {
        let Some(way) = self.way.take() else { return };
        let reading = self.reading;
        reading.turns().finish();
        drop(way);
        reading.inbox.close(closure);
        reading.end();
        reading.changed.notify_one();
    }
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        self.over(Closure::Ended);
    }
}

/// Waits for a message; `None` when no more will come.
fn receive(rx: &IpcBytesReceiver) -> Option<Vec<u8>> {
    loop {
        match rx.recv() {
            Ok(message) => return Some(message),
            Err(IpcError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::debug!(%error, "nothing more will be received");
                return None;
            }
        }
    }
}

/// More messages than a channel can hold, so that a peer that goes on sending is not received for ever.
const MESSAGES: usize = 4096;
