use std::mem;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use remote_protocol::call::CallError;
use remote_protocol::contain::Panic;

use super::wake;

/// What a promise and its reply share. No code of the application runs under its lock.
pub(super) struct Cell<T, E> {
    state: Mutex<State<T, E>>,
    settled: Condvar,
    /// Shared by itself, so that others can cancel what they do not know the type of.
    cancellation: Arc<Cancellation>,
    origin: Origin,
    pub(super) made: Instant,
}

/// What a promise is called in errors.
pub(super) enum Origin {
    /// Whatever method returns it, it was made here.
    MadeAt(&'static Location<'static>),
    /// It is what this method answers.
    Method(String),
}

enum State<T, E> {
    /// Not answered; who is to be woken.
    Waiting(Option<Waker>),
    /// Not answered; what is to be done then.
    Forwarded(Box<dyn FnOnce(Settled<T, E>) + Send>),
    Settled(Settled<T, E>),
    /// The answer has been taken, or nobody will.
    Over,
}

/// The answer, or why there will be none.
pub(crate) type Settled<T, E> = Result<Result<T, E>, Broken>;

/// Why a promise has no answer of the method's own making.
pub(crate) enum Broken {
    /// The reply was dropped.
    Unanswered,
    /// What was to make the answer panicked.
    #[cfg_attr(not(feature = "async"), expect(dead_code, reason = "only futures are run by us"))]
    Panicked(Panic),
}

impl Broken {
    pub(crate) fn error(self, method: String) -> CallError {
        match self {
            Self::Unanswered => CallError::Unanswered { method },
            Self::Panicked(Panic { message, location, .. }) => CallError::Panicked { method, message, location },
        }
    }
}

impl<T, E> Cell<T, E> {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            state: Mutex::new(State::Waiting(None)),
            settled: Condvar::new(),
            cancellation: Arc::default(),
            origin,
            made: Instant::now(),
        }
    }

    pub(super) const fn cancellation(&self) -> &Arc<Cancellation> {
        &self.cancellation
    }

    /// The method, for errors, or what stands for it where it is not known.
    pub(super) fn name(&self) -> String {
        match &self.origin {
            Origin::MadeAt(place) => format!("the promise made at {place}"),
            Origin::Method(method) => method.clone(),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        !matches!(*self.state(), State::Waiting(_))
    }

    /// Answers, once.
    pub(super) fn settle(&self, settled: Settled<T, E>) {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Waiting(waker) => {
                *state = State::Settled(settled);
                drop(state);
                self.settled.notify_all();
                wake(waker);
            }
            State::Forwarded(then) => {
                drop(state);
                then(settled);
            }
            // Nobody waits: it is dropped when the lock is.
            State::Settled(_) | State::Over => drop(state),
        }
    }

    /// Waits for the answer and takes it. A loop thread runs the functions meanwhile that other threads of the process wait for: one of them
    /// may be what is to answer.
    pub(super) fn wait(&self, deadline: Instant) -> Option<Settled<T, E>> {
        #[cfg(feature = "child")]
        crate::child::serve_until(deadline, |waker| self.register(waker), || self.is_settled());
        let mut state = self.state();
        while matches!(*state, State::Waiting(_)) {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            (state, _) = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        match mem::replace(&mut *state, State::Over) {
            State::Settled(settled) => Some(settled),
            State::Waiting(_) | State::Forwarded(_) | State::Over => None,
        }
    }

    /// Has a task woken by the answer.
    pub(super) fn register(&self, waker: &Waker) {
        // Cloned and dropped outside the lock: it is the application's.
        let mut waker = Some(waker.clone());
        if let State::Waiting(registered) = &mut *self.state() {
            mem::swap(registered, &mut waker);
        }
    }

    /// Has `then` called with the answer; now, if it is there.
    pub(super) fn forward(&self, then: Box<dyn FnOnce(Settled<T, E>) + Send>) {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Waiting(waker) => {
                *state = State::Forwarded(then);
                drop(state);
                drop(waker);
            }
            State::Settled(settled) => {
                drop(state);
                then(settled);
            }
            State::Forwarded(_) | State::Over => drop(state),
        }
    }

    /// Nobody holds the promise any more.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        if matches!(*state, State::Forwarded(_)) {
            return;
        }
        let unheard = mem::replace(&mut *state, State::Over);
        drop(state);
        if matches!(unheard, State::Waiting(_)) {
            self.cancellation.cancel();
        }
        drop(unheard);
    }

    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether anybody still waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Cancellation {
    cancelled: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Cancellation {
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        let waker = self.waker().take();
        wake(waker);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        if !self.is_cancelled() {
            let waker = context.waker().clone();
            let old = self.waker().replace(waker);
            drop(old);
        }
        // It may have been cancelled before the waker was there.
        if self.is_cancelled() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is woken is cancelled: so one follows another.
impl Wake for Cancellation {
    fn wake(self: Arc<Self>) {
        self.cancel();
    }
}
