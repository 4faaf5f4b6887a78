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
    pub(super) closure: Option<Closure>,
}

pub(super) struct Record {
    pub(super) bytes: Vec<u8>,
    pub(super) due: Option<Instant>,
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn notify(&self, state: MutexGuard<'_, State>) {
        let is_waiting = state.is_waiting;
        drop(state);
        if is_waiting {
            self.changed.notify_one();
        }
    }

    pub(super) fn wait<'a>(&self, mut state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        state.is_waiting = true;
        let mut state = wait(&self.changed, state, until);
        state.is_waiting = false;
        state
    }
}
