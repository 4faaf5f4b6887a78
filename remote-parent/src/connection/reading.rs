//! Who reads what a process says on its main lane.
//!
//! Whoever waits: the driver, while it has nothing else to do; while that runs code of the application, any thread that waits for a
//! function of the process. One reads at a time, and sees to it that every other gets what it waits for; what nobody waits for is kept
//! for the driver, in order. A reader that stops reading hands on to another. So a thread that waits never depends on one that is busy.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use remote_protocol::call::{self, Call, FunctionResult};
use remote_protocol::endpoint::{Inlet, Pause};
use remote_protocol::id::InvocationId;
use remote_protocol::limits::{Limits, MESSAGE_COST};
use remote_protocol::link::Closure;
use remote_protocol::message::ToParent;
use remote_protocol::record::{Budget, Charge, Message};
use remote_protocol::service::ArrivedOutcome;
use remote_protocol::state::Violation;

use super::invocations::Invocations;
use crate::hub::lock;

/// The receiving end of the main lane, and those who wait for what arrives there. No code of the application runs under its lock, and
/// nobody reads under it.
pub(crate) struct Reading {
    state: Mutex<State>,
    /// For the driver: there is something for it, or it is its turn.
    driver: Condvar,
    /// For what is kept for the driver; more is an overflow, as it is where it would have lain otherwise.
    budget: Budget,
}

#[derive(Default)]
struct State {
    /// Here while nobody reads, until the driver has ended.
    inlet: Option<Box<Inlet>>,
    /// Nothing more comes.
    closed: bool,
    ended: bool,
    /// What is for the driver, in order.
    deferred: VecDeque<Deferred>,
    /// The driver was to be woken.
    woken: bool,
    driver_sleeps: bool,
    invocations: Invocations,
    /// The kind of the last message that was handled.
    last: Option<&'static str>,
}

/// Something that is kept for the driver.
enum Deferred {
    Message(Message, Option<Charge>),
    /// Of a function that nobody waits for any more.
    Call(Call<'static>, Charge),
}

/// A message that the driver has handled.
pub(crate) struct Handled {
    /// Its memory is used again.
    pub(crate) message: Message,
    pub(crate) kind: &'static str,
}

/// What there is for the driver.
pub(crate) enum ForDriver<'a> {
    /// A message that another thread has read.
    Deferred(Message),
    /// A call of a function, which the thread that waited for that has not served, and what it cost.
    Call(Call<'static>, usize),
    /// It is the driver's turn to read.
    Turn(Turn<'a>),
    /// Somebody woke it.
    Woken,
    /// Another reads, and there is nothing yet.
    Nothing,
    /// Nothing more comes.
    Closed,
}

/// What there is for a thread that waits for a function.
pub(crate) enum ForWaiter<'a> {
    /// The function was answered, and is no longer waited for.
    Outcome(ArrivedOutcome),
    /// A call of the function, to be served.
    Call(Call<'static>),
    /// It is this thread's turn to read.
    Turn(Turn<'a>),
    /// [`Reading::alarm`] was called.
    Alarm,
    /// The deadline has passed, and the function is no longer waited for.
    TimedOut,
    /// Nothing more comes.
    Closed,
}

impl Reading {
    pub(crate) fn new(limits: Limits, budget: Budget) -> Self {
        let state = State { invocations: Invocations::new(limits.max_calls()), ..State::default() };
        Self { state: Mutex::new(state), driver: Condvar::new(), budget }
    }

    /// The driver begins.
    pub(crate) fn start(&self, inlet: Inlet) {
        lock(&self.state).inlet = Some(Box::new(inlet));
    }

    /// The driver has ended: nobody reads any more.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        self.close(&mut state);
        let inlet = state.inlet.take();
        drop(state);
        drop(inlet);
    }

    /// What there is for the driver, which has `handled` the one before; it waits for that if it `may_wait`.
    pub(crate) fn next(&self, may_wait: bool, handled: Option<Handled>) -> ForDriver<'_> {
        let mut state = lock(&self.state);
        if let Some(Handled { message, kind }) = handled {
            state.last = Some(kind);
            if let Some(inlet) = &mut state.inlet {
                inlet.recycle(message);
            }
        }
        loop {
            if std::mem::take(&mut state.woken) {
                self.hand_on(&state);
                return ForDriver::Woken;
            }
            if let Some(deferred) = state.deferred.pop_front() {
                self.hand_on(&state);
                return match deferred {
                    Deferred::Message(message, _charge) => ForDriver::Deferred(message),
                    Deferred::Call(call, charge) => ForDriver::Call(call, charge.bytes()),
                };
            }
            if state.closed {
                return ForDriver::Closed;
            }
            if let Some(inlet) = state.inlet.take() {
                return ForDriver::Turn(Turn { reading: self, inlet: Some(inlet) });
            }
            if !may_wait {
                return ForDriver::Nothing;
            }
            state.driver_sleeps = true;
            state = self.driver.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.driver_sleeps = false;
        }
    }

    /// A message of this kind has been handled, whose memory is not used again.
    pub(crate) fn note(&self, kind: &'static str) {
        lock(&self.state).last = Some(kind);
    }

    /// The kind of the last message that was handled.
    pub(crate) fn last(&self) -> Option<&'static str> {
        lock(&self.state).last
    }

    /// A function is about to be called. `None` when too many are unanswered.
    pub(crate) fn begin(&self) -> Option<InvocationId> {
        lock(&self.state).invocations.begin()
    }

    /// It was not called after all.
    pub(crate) fn cancel(&self, id: InvocationId) {
        lock(&self.state).invocations.end(id);
    }

    /// Has the thread that waits for a function look at something else, from any thread. Never blocks.
    pub(crate) fn alarm(&self, id: InvocationId) {
        let mut state = lock(&self.state);
        if let Some(waiter) = state.invocations.waiter(id) {
            waiter.alarmed = true;
            if waiter.sleeps {
                waiter.changed.notify_one();
            }
        }
    }

    /// What there is for the thread that waits for a function.
    ///
    /// # Blocking
    ///
    /// While another thread reads, until there is something, or `deadline`.
    pub(crate) fn next_for(&self, id: InvocationId, deadline: Instant) -> ForWaiter<'_> {
        let mut state = lock(&self.state);
        loop {
            let closed = state.closed;
            let Some(waiter) = state.invocations.waiter(id) else { return ForWaiter::Closed };
            if let Some((outcome, _charge)) = waiter.outcome.take() {
                self.leave_calls(&mut state, id);
                state.invocations.end(id);
                self.hand_on(&state);
                return ForWaiter::Outcome(outcome);
            }
            if closed {
                state.invocations.end(id);
                return ForWaiter::Closed;
            }
            if std::mem::take(&mut waiter.alarmed) {
                self.hand_on(&state);
                return ForWaiter::Alarm;
            }
            // First, for a process may make calls faster than they are served.
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                self.leave_calls(&mut state, id);
                state.invocations.give_up(id);
                self.hand_on(&state);
                return ForWaiter::TimedOut;
            };
            if let Some((call, _charge)) = waiter.calls.pop_front() {
                self.hand_on(&state);
                return ForWaiter::Call(call);
            }
            if state.inlet.is_some() {
                return ForWaiter::Turn(Turn { reading: self, inlet: state.inlet.take() });
            }
            let Some(waiter) = state.invocations.waiter(id) else { return ForWaiter::Closed };
            let changed = Arc::clone(&waiter.changed);
            waiter.sleeps = true;
            (state, _) = changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            if let Some(waiter) = state.invocations.waiter(id) {
                waiter.sleeps = false;
            }
        }
    }

    /// Somebody wants the driver to look at something.
    pub(crate) fn wake_driver(&self) {
        let mut state = lock(&self.state);
        state.woken = true;
        self.notify_driver(&state);
    }

    /// Takes what a thread other than the driver waits for; gives back what is the driver's. By whoever reads, before it hands on.
    ///
    /// # Errors
    ///
    /// A [`Violation`] when it is for a function that was not called, or there is too much of it.
    pub(crate) fn sort<'m>(&self, message: ToParent<'m>, length: usize) -> Result<Sorted<'m>, Violation> {
        match message {
            ToParent::Object(call::ToParent::Result(result)) => {
                lock(&self.state).invocations.check(result.invocation)?;
                Ok(Sorted::Result(result))
            }
            ToParent::Object(call::ToParent::Call(call @ Call { during: Some(id), .. })) => {
                let mut state = lock(&self.state);
                state.invocations.check(id)?;
                if state.invocations.waiter(id).is_none() {
                    // Nobody waits for the function any more, but the function waits for this.
                    return Ok(Sorted::Driver(ToParent::Object(call::ToParent::Call(call))));
                }
                let charge = charge(&self.budget, length.saturating_add(call.kept_beside()))?;
                if let Some(waiter) = state.invocations.waiter(id) {
                    waiter.calls.push_back((call.into_owned(), charge));
                    if waiter.sleeps {
                        waiter.changed.notify_one();
                    }
                }
                Ok(Sorted::Taken)
            }
            message => Ok(Sorted::Driver(message)),
        }
    }

    /// The outcome of a function has come, in a message of this length, which [`sort`](Self::sort) has let through. It is given back when
    /// nobody waits for it any more.
    ///
    /// # Errors
    ///
    /// A [`Violation`] when too much is kept, and the outcome, to be dropped where nothing is locked.
    pub(crate) fn answer(
        &self,
        id: InvocationId,
        outcome: ArrivedOutcome,
        length: usize,
    ) -> Result<Option<ArrivedOutcome>, (Violation, ArrivedOutcome)> {
        let mut state = lock(&self.state);
        // A thread that sleeps takes it at once.
        let is_kept = state.invocations.waiter(id).is_some_and(|waiter| !waiter.sleeps);
        let charged = is_kept.then(|| charge(&self.budget, length)).transpose();
        match charged {
            Ok(charge) => Ok(state.invocations.answer(id, (outcome, charge))),
            Err(violation) => Err((violation, outcome)),
        }
    }

    /// The thread that waits for a function stops doing so: the calls of the function that it has not served are the driver's.
    fn leave_calls(&self, state: &mut State, id: InvocationId) {
        let Some(waiter) = state.invocations.waiter(id) else { return };
        let calls = std::mem::take(&mut waiter.calls);
        if !calls.is_empty() {
            state.deferred.extend(calls.into_iter().map(|(call, charge)| Deferred::Call(call, charge)));
            self.notify_driver(state);
        }
    }

    /// Lets another read, if nobody does and somebody waits.
    fn hand_on(&self, state: &State) {
        if state.inlet.is_none() || state.invocations.is_empty() {
            return;
        }
        if state.driver_sleeps {
            self.driver.notify_one();
        } else if let Some(waiter) = state.invocations.sleeper() {
            waiter.changed.notify_one();
        }
    }

    fn notify_driver(&self, state: &State) {
        if state.driver_sleeps {
            self.driver.notify_one();
        }
    }

    fn close(&self, state: &mut State) {
        state.closed = true;
        self.notify_driver(state);
        state.invocations.waiters().filter(|waiter| waiter.sleeps).for_each(|waiter| waiter.changed.notify_one());
    }
}

/// Whose a message is.
pub(crate) enum Sorted<'m> {
    /// Another thread has got it.
    Taken,
    /// The result of a function, to be given to [`Reading::answer`].
    Result(FunctionResult<'m>),
    /// The driver's.
    Driver(ToParent<'m>),
}

/// The right to read, until it is dropped; then it is another's.
pub(crate) struct Turn<'a> {
    reading: &'a Reading,
    /// `None` only while it is dropped.
    inlet: Option<Box<Inlet>>,
}

impl Turn<'_> {
    /// Waits for the next message, as [`Inlet::next`] does.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Message, Pause> {
        self.inlet.as_mut().map_or(Err(Pause::Closed), |inlet| inlet.next(deadline))
    }

    /// The next message, if there is one, as [`Inlet::now`] gives it.
    pub(crate) fn now(&mut self) -> Option<Result<Message, Pause>> {
        self.inlet.as_mut().map_or(Some(Err(Pause::Closed)), |inlet| inlet.now())
    }

    /// Keeps a message for the driver.
    ///
    /// # Errors
    ///
    /// A [`Violation`] when too much is kept.
    pub(crate) fn defer(&self, mut message: Message) -> Result<(), Violation> {
        message.shrink();
        let charge = match message.is_charged() {
            true => None,
            false => Some(charge(&self.reading.budget, message.len())?),
        };
        let mut state = lock(&self.reading.state);
        state.deferred.push_back(Deferred::Message(message, charge));
        self.reading.notify_driver(&state);
        Ok(())
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.reading.close(&mut lock(&self.reading.state));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let inlet = self.inlet.take();
        let mut state = lock(&self.reading.state);
        if state.ended {
            // Not under the lock: the last one of a link closes it.
            drop(state);
            drop(inlet);
            return;
        }
        state.inlet = inlet;
        self.reading.hand_on(&state);
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// Charges a message that is kept, as it was charged where it lay before.
pub(super) fn charge(budget: &Budget, length: usize) -> Result<Charge, Violation> {
    let overflow = Violation::Link(Closure::Overflow { limit: budget.limit() });
    budget.charge(length.saturating_add(MESSAGE_COST)).ok_or(overflow)
}

#[cfg(test)]
mod tests;
