//! What every transport receives into.

use std::array;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use remote_protocol::id::LaneId;
use remote_protocol::limits::{LANES, Limits, MESSAGE_COST};
use remote_protocol::link::{Closure, OpenError, Received};

pub(crate) use self::lane::LaneReceiver;
use self::queue::{Queue, Record, State};
use crate::handlers::Handlers;

mod lane;
mod queue;
mod turn;

/// How much may lie in one end of a link, arrived and not received, unless the link is told otherwise. Each record
/// counts its length and [`MESSAGE_COST`]; a peer that sends more is a [`Closure::Overflow`].
///
/// A peer that keeps to the default [`Limits`] cannot get there.
pub const INBOX_BYTES: usize = Limits::new().inbox_bytes();

/// One end's received records: a queue for each lane.
///
/// Locks are taken in the order of [`Handlers`], which have a queue's between their own.
pub(crate) struct Inbox {
    queues: [Queue; LANES as usize],
    /// What the records in all queues cost.
    cost: AtomicUsize,
    limit: AtomicUsize,
    /// Every queue has the closure that these have, or will have it soon.
    handlers: Handlers,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            queues: array::from_fn(|_| Queue::default()),
            cost: AtomicUsize::new(0),
            limit: AtomicUsize::new(INBOX_BYTES),
            handlers: Handlers::default(),
        }
    }

    /// Changes the limit, for records still to come.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Marks a lane as taken by this side.
    ///
    /// The lane of a link that closed can be taken as long as something lies in it: a child's last words are
    /// received even if it was gone before anybody listened.
    pub(crate) fn open(&self, lane: LaneId) -> Result<(), OpenError> {
        let Some(queue) = self.queue(lane) else {
            return Err(OpenError::NoSuchLane(lane));
        };
        let is_closed = self.handlers.closure().is_some();
        let mut state = queue.lock();
        if state.taken {
            return Err(OpenError::Taken(lane));
        }
        if is_closed && state.records.is_empty() {
            return Err(OpenError::Closed);
        }
        state.taken = true;
        Ok(())
    }

    /// What is called when something happens to this end.
    pub(crate) const fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// Puts a record into its lane, from when it is `due` if that is later, and announces the lane if it is new. Gives whether somebody
    /// was waiting for it.
    ///
    /// # Errors
    ///
    /// The closure, also if this record is its cause.
    pub(crate) fn push(&self, lane: LaneId, record: &[u8], due: Option<Instant>) -> Result<bool, Closure> {
        let length = record.len();
        let Some(queue) = self.queue(lane) else {
            return Err(self.close(Closure::Misused { length }));
        };
        let mut state = queue.lock();
        if let Some(closure) = state.closure {
            return Err(closure);
        }
        let mut announce = None;
        if lane != LaneId::MAIN && !state.taken {
            announce = self.handlers.announce();
            if announce.is_none() {
                drop(state);
                return Err(self.close(Closure::Misused { length }));
            }
            state.taken = true;
        }
        let cost = length + MESSAGE_COST;
        let limit = self.limit.load(Ordering::Relaxed);
        if self.cost.fetch_add(cost, Ordering::Relaxed) + cost > limit {
            self.cost.fetch_sub(cost, Ordering::Relaxed);
            drop(state);
            return Err(self.close(Closure::Overflow { limit }));
        }
        let mut bytes = state.spare.take(length);
        bytes.extend_from_slice(record);
        state.records.push_back(Record { bytes, due });
        let is_awaited = queue.notify(state);
        if let Some(announce) = announce {
            announce(lane);
        }
        Ok(is_awaited)
    }

    /// Closes every lane, and gives the closure that counts: the first one.
    pub(crate) fn close(&self, closure: Closure) -> Closure {
        let first = self.handlers.close(closure, || self.seal(closure));
        self.seal(first);
        first
    }

    /// Closes, but for the lanes: what has arrived is still to be put there.
    pub(crate) fn begin_to_close(&self, closure: Closure) {
        self.handlers.close(closure, || {});
    }

    fn seal(&self, closure: Closure) {
        for queue in &self.queues {
            let mut state = queue.lock();
            if state.closure.is_none() {
                state.closure = Some(closure);
                queue.notify(state);
            }
        }
    }

    /// Closes, and lets go of what nobody will receive any more.
    pub(crate) fn discard(&self) {
        self.close(Closure::Ended);
        for queue in &self.queues {
            let records = mem::take(&mut queue.lock().records);
            drop(records);
        }
    }

    /// As [`Receive::recv`](remote_protocol::link::Receive::recv).
    fn recv(&self, queue: &Queue, record: &mut Vec<u8>, deadline: Option<Instant>) -> Received {
        let mut state = queue.lock();
        loop {
            if let Some(received) = self.look(&mut state, record, deadline) {
                return received;
            }
            let due = state.records.front().and_then(|front| front.due);
            let until = due.into_iter().chain(deadline).min();
            state = queue.wait(state, until);
        }
    }

    /// What a receiver comes back with, if it need not wait.
    ///
    /// A wake-up comes before records: several are one, so they delay no record by more than one call, whereas behind
    /// a flood of records a wake-up would never be seen.
    fn look(&self, state: &mut State, record: &mut Vec<u8>, deadline: Option<Instant>) -> Option<Received> {
        if mem::take(&mut state.woken) {
            return Some(Received::Woken);
        }
        let due = state.records.front().and_then(|front| front.due);
        let is_here = due.is_none_or(|due| due <= Instant::now());
        if is_here && let Some(front) = state.records.pop_front() {
            self.cost.fetch_sub(front.bytes.len() + MESSAGE_COST, Ordering::Relaxed);
            let used = mem::replace(record, front.bytes);
            state.spare.give(used);
            return Some(Received::Record);
        }
        if let (Some(closure), true) = (state.closure, state.records.is_empty()) {
            return Some(Received::Closed(closure));
        }
        deadline.is_some_and(|deadline| deadline <= Instant::now()).then_some(Received::TimedOut)
    }

    fn queue(&self, lane: LaneId) -> Option<&Queue> {
        self.queues.get(usize::from(lane.0))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("cost", &self.cost.load(Ordering::Relaxed))
            .field("limit", &self.limit.load(Ordering::Relaxed))
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
