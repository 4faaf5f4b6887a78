use std::sync::{Arc, Mutex};
use std::thread;

use remote_protocol::call::{self, Outcome, Release, Return, ShortCall, ShortReturn};
use remote_protocol::contain::contain;
use remote_protocol::endpoint::{Inlet, Outlet, OutletError, Pause};
use remote_protocol::id::{LaneId, ProcessId};
use remote_protocol::link::Lane;
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::service::{Abuse, Answer};
use remote_protocol::state::Violation;
use remote_protocol::state::parent::Session;

use crate::connection::{Connection, waiting};
use crate::hub::lock;
use crate::log;

/// Serves a lane other than the main one, on a thread of its own, until the link is closed.
pub(crate) fn serve(connection: Arc<Connection>, id: LaneId, lane: Lane) {
    let name = format!("remote-lane-{}-{id}", connection.id());
    let serving = Arc::clone(&connection);
    let started = thread::Builder::new().name(name).spawn(move || {
        if let Err(violation) = run(&serving, id, lane) {
            serving.violated(violation);
        }
    });
    if let Err(error) = started {
        // The caller would wait in vain.
        tracing::error!(process = %connection.id(), %error, "no thread for a lane, ending the process");
        connection.kill();
    }
}

fn run(connection: &Arc<Connection>, id: LaneId, lane: Lane) -> Result<(), Violation> {
    let mut inlet = Inlet::new(lane.rx, connection.budget());
    let outlet = Outlet::new(lane.tx, connection.limits().max_message_bytes());
    let mut answer = LaneAnswer { process: connection.id(), outlet: Arc::new(Mutex::new(outlet)) };
    loop {
        let message = match inlet.next(None) {
            Ok(message) => message,
            Err(Pause::Woken | Pause::TimedOut) => continue,
            Err(Pause::Closed) => return Ok(()),
            Err(Pause::Violation(violation)) => return Err(violation),
        };
        match ShortCall::read(&message) {
            Some(short) if connection.is_served_here() => call(connection, short, &mut answer)?,
            _ => {
                let decoded = ToParent::decode(&message)?;
                log::received(connection.id(), &decoded, message.len());
                match decoded {
                    ToParent::Object(call @ call::ToParent::Call(_)) if connection.is_running() => {
                        receive(connection, call, message.len(), &mut answer)?;
                    }
                    message => return Err(Violation::WrongLane { message: message.kind(), lane: id }),
                }
            }
        }
        inlet.recycle(message);
    }
}

/// Hands a short call to what serves it.
pub(crate) fn call(connection: &Connection, call: ShortCall<'_>, answer: &mut dyn Answer) -> Result<(), Violation> {
    match connection.service() {
        Some(service) if !connection.is_cut_off() => contained(connection, || service.call(call, answer)),
        _ => handle(connection, call::ToParent::Call(call.into()), answer),
    }
}

/// Has a message about objects handled: on this thread or, where there is one, on the executor.
pub(crate) fn receive(
    connection: &Arc<Connection>,
    message: call::ToParent<'_>,
    length: usize,
    answer: &mut (impl Answer + Clone + Send + 'static),
) -> Result<(), Violation> {
    let Some(pump) = connection.pump() else { return handle(connection, message, answer) };
    let (on_pump, charge) =
        (Arc::clone(connection), connection.hand_over(length.saturating_add(message.kept_beside()))?);
    match message.into_owned() {
        call::ToParent::Call(call) => {
            let Some(waiting) = connection.waiting.add(call, Box::new(answer.clone())) else { return Ok(()) };
            pump.execute(move || {
                if let Some((call, mut answer)) = on_pump.waiting.take(&waiting) {
                    handle_alone(&on_pump, call::ToParent::Call(call), &mut *answer);
                }
                drop(charge);
            });
        }
        // Each is sorted out before it comes here.
        call::ToParent::Result(result) => return Err(Violation::NoSuchInvocation(result.invocation)),
        message @ (call::ToParent::Release(_)
        | call::ToParent::Released { .. }
        | call::ToParent::Revoked { .. }
        | call::ToParent::Cancel { .. }) => {
            let mut answer = answer.clone();
            pump.execute(move || {
                handle_alone(&on_pump, message, &mut answer);
                drop(charge);
            });
        }
    }
    Ok(())
}

/// Handles a message where nobody else would see a violation.
pub(crate) fn handle_alone(connection: &Connection, message: call::ToParent<'_>, answer: &mut dyn Answer) {
    if let Err(violation) = handle(connection, message, answer) {
        connection.violated(violation);
    }
}

/// Hands a message about objects to what serves them.
pub(crate) fn handle(
    connection: &Connection,
    message: call::ToParent<'_>,
    answer: &mut dyn Answer,
) -> Result<(), Violation> {
    match (connection.service(), message) {
        // It lay there when the process went, which nobody has to wait for.
        (_, call::ToParent::Call(_)) if connection.is_cut_off() => Ok(()),
        (Some(service), message) => {
            let releases = matches!(message, call::ToParent::Release(_));
            contained(connection, || service.handle(message, answer))?;
            if releases {
                connection.command(Session::released);
            }
            Ok(())
        }
        (None, call::ToParent::Call(call)) => {
            let asked = waiting::asked(&call.request);
            let error = Box::new(call::CallError::NotServed { asked });
            // A child that is gone does not wait for it.
            let _ = answer.send(Return { call: call.id, outcome: Outcome::Refused(error) });
            Ok(())
        }
        (None, call::ToParent::Result(result)) => Err(Violation::NoSuchInvocation(result.invocation)),
        // Nothing was lent.
        (None, call::ToParent::Release(releases)) => match releases.first() {
            Some(Release { id, count }) => Err(Abuse::Release { id: *id, count: *count, lent: 0 }.into()),
            None => Ok(()),
        },
        // The session has taken it.
        (None, call::ToParent::Released { .. }) => Ok(()),
        // Nobody holds any.
        (None, call::ToParent::Revoked { .. }) => Ok(()),
        // The call has been answered.
        (None, call::ToParent::Cancel { .. }) => Ok(()),
    }
}

/// Serves something. Methods are contained one by one; what is left are destructors of their results.
fn contained(connection: &Connection, serve: impl FnOnce() -> Result<(), Abuse>) -> Result<(), Violation> {
    match contain(serve) {
        Ok(served) => Ok(served?),
        Err(panic) => {
            tracing::error!(process = %connection.id(), %panic, "a destructor of the application panicked");
            Ok(())
        }
    }
}

/// Answers the calls of one lane.
#[derive(Clone)]
struct LaneAnswer {
    process: ProcessId,
    outlet: Arc<Mutex<Outlet>>,
}

impl Answer for LaneAnswer {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        if let Some(short) = ShortReturn::new(&answer)
            && !log::is_on()
        {
            return lock(&self.outlet).send(&short);
        }
        let message = ToChild::Object(call::ToChild::Return(answer));
        lock(&self.outlet).send_after(&message, |bytes| log::sent(self.process, &message, bytes))
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        Box::new(self.clone())
    }
}

/// Answers the calls of the loop thread.
#[derive(Clone)]
pub(crate) struct MainAnswer(pub(crate) Arc<Connection>);

impl Answer for MainAnswer {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        self.0.send_return(answer)
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        Box::new(self.clone())
    }
}
