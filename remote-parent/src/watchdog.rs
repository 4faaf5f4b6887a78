use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::hub::{Hub, lock};

/// Looks after processes that leave what they are sent unhandled. It sleeps without a timer while nothing is outstanding anywhere.
pub(crate) struct Watchdog {
    hub: Weak<Hub>,
    /// Whether `state` is awake or ended, so that whoever sends need not lock it.
    awake: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No thread yet.
    #[default]
    Unborn,
    /// Nothing is outstanding.
    Asleep,
    /// Something may be.
    Awake,
    /// The parent is closed.
    Ended,
}

impl Watchdog {
    pub(crate) fn new(hub: Weak<Hub>) -> Arc<Self> {
        Arc::new(Self { hub, awake: AtomicBool::new(false), state: Mutex::default(), changed: Condvar::new() })
    }

    /// Something has been sent and is outstanding. Whoever calls holds no lock of a hub or a connection that it would wait for.
    pub(crate) fn wake(&self) {
        if self.awake.load(Ordering::SeqCst) {
            return;
        }
        let mut state = lock(&self.state);
        match *state {
            State::Unborn => {
                let Some(watched) = self.hub.upgrade() else { return };
                *state = State::Awake;
                self.awake.store(true, Ordering::SeqCst);
                if let Err(error) = thread::Builder::new().name("remote-watchdog".into()).spawn(move || run(&watched)) {
                    // The next one tries again.
                    *state = State::Unborn;
                    self.awake.store(false, Ordering::SeqCst);
                    drop(state);
                    tracing::error!(%error, "no thread to look after unresponsive processes");
                }
            }
            State::Asleep => {
                *state = State::Awake;
                self.awake.store(true, Ordering::SeqCst);
                self.changed.notify_all();
            }
            State::Awake | State::Ended => {}
        }
    }

    pub(crate) fn end(&self) {
        *lock(&self.state) = State::Ended;
        self.awake.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Sleeps for one round; `false` when it is over.
    fn sleep(&self, round: Duration) -> bool {
        let on = |state: &mut State| *state != State::Ended;
        let waited = self.changed.wait_timeout_while(lock(&self.state), round, on);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *state != State::Ended
    }

    /// Nothing was outstanding at the last look: sleeps until something is, unless `outstanding` now; `false` when it is over.
    fn doze(&self, outstanding: impl FnOnce() -> bool) -> bool {
        if !self.change(State::Awake, State::Asleep) {
            return false;
        }
        // What was sent since the last look found us awake, and woke nobody.
        if outstanding() {
            self.change(State::Asleep, State::Awake);
        }
        let asleep = |state: &mut State| *state == State::Asleep;
        let state = self.changed.wait_while(lock(&self.state), asleep).unwrap_or_else(PoisonError::into_inner);
        *state != State::Ended
    }

    /// Goes from one state to another, if it is in that one; `false` when it is over.
    fn change(&self, from: State, to: State) -> bool {
        let mut state = lock(&self.state);
        if *state == from {
            *state = to;
            self.awake.store(to == State::Awake, Ordering::SeqCst);
        }
        *state != State::Ended
    }
}

/// Looks twice within the time that a process may leave something unhandled. It holds the hub: closing the parent ends it.
fn run(hub: &Arc<Hub>) {
    let after = hub.deadlines().unresponsive;
    loop {
        let connections = hub.all_connections();
        // All are looked at, also when the first is outstanding already.
        let outstanding = connections.iter().filter(|connection| connection.look_after(after)).count() > 0;
        drop(connections);
        let on = if outstanding {
            hub.watchdog.sleep(after / 2)
        } else {
            hub.watchdog.doze(|| hub.all_connections().iter().any(|connection| connection.is_outstanding()))
        };
        if !on {
            return;
        }
    }
}
