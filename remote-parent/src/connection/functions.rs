//! Calling functions of the process, and waiting for them.

use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::time::Instant;

use remote_child::Duty;
use remote_protocol::call::{self, Run};
use remote_protocol::contain::contain;
use remote_protocol::endpoint::{OutletError, Pause};
use remote_protocol::id::{InvocationId, LentId};
use remote_protocol::message::ToParent;
use remote_protocol::payload::{Encoding, Payload};
use remote_protocol::record::Message;
use remote_protocol::service::{ArrivedOutcome, NotifyError, RunError};
use remote_protocol::state::Violation;

use super::Connection;
use super::reading::{ForWaiter, Sorted, Turn};
use crate::hub::lock;
use crate::lane::{self, MainAnswer};
use crate::log;

impl Connection {
    /// Calls a function of the process and waits for its outcome. The calls that it makes are served meanwhile, on this thread; and while
    /// nobody else reads what the process says, this thread does.
    pub(crate) fn run(
        self: &Arc<Self>,
        function: LentId,
        form: Encoding,
        argument: Payload<'_>,
        deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError> {
        let _nested = Nested::begin(self.limits.max_nested_functions())?;
        let invocation = self.reading.begin().ok_or_else(|| RunError::Busy { limit: self.limits.max_calls() })?;
        if let Err(error) = self.send_run(Run { invocation, function, form, argument }) {
            self.reading.cancel(invocation);
            return Err(error.into());
        }
        self.wait_for(invocation, deadline)
    }

    fn send_run(&self, run: Run<'_>) -> Result<(), NotifyError> {
        let mut state = lock(&self.state);
        let message = state.session.run(run)?;
        self.send_releases(&mut state);
        let (Some(message), Some(outlet)) = (message, &mut state.outlet) else { return Err(NotifyError::Gone) };
        outlet.send_after(&message, |bytes| log::sent(self.id, &message, bytes)).map_err(|error| match error {
            OutletError::TooLong { length, limit } => NotifyError::TooLong { length, limit },
            _ => NotifyError::Gone,
        })
    }

    fn wait_for(self: &Arc<Self>, id: InvocationId, deadline: Instant) -> Result<ArrivedOutcome, RunError> {
        let weak = Weak::clone(&self.weak);
        let duty = Duty::of_this_thread(move || {
            if let Some(connection) = weak.upgrade() {
                connection.reading.alarm(id);
                // It may be the one that reads.
                connection.wake();
            }
        });
        loop {
            if let Some(duty) = &duty {
                duty.serve();
            }
            match self.reading.next_for(id, deadline) {
                ForWaiter::Outcome(outcome) => return Ok(outcome),
                ForWaiter::Call(call) => {
                    let mut answer = MainAnswer(Arc::clone(self));
                    lane::handle_alone(self, call::ToParent::Call(call), &mut answer);
                }
                ForWaiter::Turn(mut turn) => {
                    if let Err(violation) = self.read(&mut turn, deadline) {
                        // First, so that the driver, which ends then, gives this as the reason.
                        self.violated(violation);
                        turn.close();
                    }
                }
                ForWaiter::Alarm => {}
                ForWaiter::TimedOut => return Err(RunError::Deadline),
                ForWaiter::Closed => return Err(RunError::Disconnected),
            }
        }
    }

    /// Reads one message, in place of the driver, which is busy.
    fn read(&self, turn: &mut Turn<'_>, deadline: Instant) -> Result<(), Violation> {
        self.rest();
        let message = match turn.next(Some(deadline)) {
            Ok(message) => message,
            Err(Pause::Woken) => {
                // What it was woken for is the driver's, or our alarm.
                self.reading.wake_driver();
                return Ok(());
            }
            Err(Pause::TimedOut) => return Ok(()),
            Err(Pause::Closed) => {
                turn.close();
                return Ok(());
            }
            Err(Pause::Violation(violation)) => return Err(violation),
        };
        if self.take(&message)? { Ok(()) } else { turn.defer(message) }
    }

    /// Takes a message if it need not wait for the driver.
    fn take(&self, message: &Message) -> Result<bool, Violation> {
        let decoded = ToParent::decode(message)?;
        log::received(self.id, &decoded, message.len());
        match self.sort(decoded, message.len())? {
            // It says nothing but that there is room.
            Some(handled @ ToParent::Handled { .. }) => {
                self.with_session(|session| session.receive(handled).map(drop))?;
                self.recovered();
                Ok(true)
            }
            Some(_) => Ok(false),
            None => Ok(true),
        }
    }

    /// Gives a message to the thread that waits for a function, if it is for one; else it is the driver's. By whoever reads.
    pub(crate) fn sort<'m>(&self, message: ToParent<'m>, length: usize) -> Result<Option<ToParent<'m>>, Violation> {
        let kind = message.kind();
        match self.reading.sort(message, length)? {
            Sorted::Driver(message) => return Ok(Some(message)),
            Sorted::Taken => {}
            Sorted::Result(result) => {
                let service = self.service().ok_or(Violation::NoSuchInvocation(result.invocation))?;
                let outcome = contain(|| service.arrived(result.outcome)).unwrap_or_else(|panic| {
                    tracing::error!(process = %self.id, %panic, "a destructor of the application panicked");
                    Box::new(())
                });
                match self.reading.answer(result.invocation, outcome, length) {
                    Ok(None) => {}
                    Ok(Some(late)) => self.let_go(late, length)?,
                    Err((violation, outcome)) => {
                        self.let_go(outcome, length)?;
                        return Err(violation);
                    }
                }
            }
        }
        self.reading.note(kind);
        Ok(None)
    }

    /// Gives back what came too late, where the application's code runs.
    fn let_go(&self, late: ArrivedOutcome, length: usize) -> Result<(), Violation> {
        let (id, charge) = (self.id, self.hand_over(length)?);
        let let_go = move || {
            let _charge = charge;
            if let Err(panic) = contain(|| drop(late)) {
                tracing::error!(process = %id, %panic, "a destructor of the application panicked");
            }
        };
        match self.pump() {
            Some(pump) => pump.execute(let_go),
            None => let_go(),
        }
        Ok(())
    }
}

/// A function that this thread waits for. A child decides how deep they nest: each call that one makes may call another.
struct Nested;

impl Nested {
    fn begin(limit: usize) -> Result<Self, RunError> {
        let depth = DEPTH.get();
        if depth >= limit {
            return Err(RunError::TooDeep { limit });
        }
        DEPTH.set(depth + 1);
        Ok(Self)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

thread_local! {
    /// How many functions this thread waits for.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}
