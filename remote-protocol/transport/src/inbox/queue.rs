//! The records of one lane.

use std::collections::VecDeque;
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
}

#[derive(Default)]
pub(super) struct State {
    pub(super) records: VecDeque<Record>,
    pub(super) spare: Spare,
    pub(super) taken: bool,
    pub(super) woken: bool,
    /// Whether a thread waits for `changed`: notifying costs a system call even if there is none.
    is_waiting: bool,
    /// Whether its thread reads the channel itself, so that it takes no notice of `changed`.
    pub(super) is_reading: bool,
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

    /// Wakes the thread that waits; gives whether there is one.
    pub(super) fn notify(&self, state: MutexGuard<'_, State>) -> bool {
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
