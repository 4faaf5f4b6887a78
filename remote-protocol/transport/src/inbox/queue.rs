//! The records of one lane.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use remote_protocol::link::Closure;

use crate::lock::{lock, wait};
use crate::spare::Spare;

/// One lane's records, and the one thread that may wait for them.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether `state` has something, for the thread that receives, so that it takes no lock to learn that there is nothing. Changed
    /// under the lock.
    has_something: AtomicBool,
    /// Whether that thread reads the channel itself, so that it takes no notice of `changed`.
    is_reading: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) records: VecDeque<Record>,
    pub(super) spare: Spare,
    pub(super) taken: bool,
    pub(super) woken: bool,
    /// Whether a thread waits for `changed`: notifying costs a system call even if there is none.
    is_waiting: bool,
    /// Whether its thread is to read the channel.
    pub(super) is_asked_to_read: bool,
    pub(super) closure: Option<Closure>,
}

impl State {
    /// Whether there is anything that ends a wait.
    pub(super) fn has_something(&self) -> bool {
        self.woken || !self.records.is_empty() || self.closure.is_some()
    }
}

pub(super) struct Record {
    pub(super) bytes: Vec<u8>,
    pub(super) due: Option<Instant>,
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether there may be something for the thread that receives. What comes later finds that it [reads](Self::begin_to_read).
    pub(super) fn has_something(&self) -> bool {
        self.has_something.load(Ordering::SeqCst)
    }

    /// Takes note of what is left.
    pub(super) fn settle(&self, state: &State) {
        self.has_something.store(state.has_something(), Ordering::SeqCst);
    }

    /// The thread that receives is about to read; not when there is something for it.
    ///
    /// It says so before it looks, and whoever has something for it looks after having put that there: so at least one sees the other.
    pub(super) fn begin_to_read(&self) -> bool {
        self.is_reading.store(true, Ordering::SeqCst);
        let begins = !self.has_something();
        if !begins {
            self.end_reading();
        }
        begins
    }

    /// It does not read any more.
    pub(super) fn end_reading(&self) {
        self.is_reading.store(false, Ordering::Release);
    }

    /// Whether it reads, or is about to. To be asked after having [notified](Self::notify) it.
    pub(super) fn is_reading(&self) -> bool {
        self.is_reading.load(Ordering::SeqCst)
    }

    /// Has the thread that receives see what there is now, and wakes it if it waits; gives whether it did.
    pub(super) fn notify(&self, state: MutexGuard<'_, State>) -> bool {
        self.settle(&state);
        let is_waiting = state.is_waiting;
        drop(state);
        if is_waiting {
            self.changed.notify_one();
        }
        is_waiting
    }

    pub(super) fn wait<'a>(&self, mut state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        state.is_waiting = true;
        let mut state = wait(&self.changed, state, until);
        state.is_waiting = false;
        state
    }
}
