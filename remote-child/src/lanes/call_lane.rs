//! Calls of threads other than the loop's, each on a lane of its own for as long as it takes.

use std::thread;
use std::time::Instant;

use remote_protocol::call::{self, Call, Outcome, Request, Return, ShortCall, ShortReturn};
use remote_protocol::endpoint::{Inlet, Outlet, Pause};
use remote_protocol::id::CallId;
use remote_protocol::limits::{Limits, RECORD_BYTES};
use remote_protocol::link::Lane;
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::record::Budget;
use remote_protocol::service::CallFailure;

use super::{Lanes, failure};

impl Lanes {
    /// Calls from a thread that is not the loop's.
    pub(super) fn call_elsewhere(
        &self,
        call: Call<'_>,
        deadline: Instant,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        let right = match is_long(&call.request) {
            true => Some(self.pool.take_long(call.id, deadline).ok_or(CallFailure::Busy)?),
            false => None,
        };
        let result = self.call_on_lane(call, deadline, take);
        if let (Some(right), Err(CallFailure::Deadline(_))) = (right, &result) {
            right.leave();
        }
        result
    }

    fn call_on_lane(
        &self,
        call: Call<'_>,
        deadline: Instant,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        let limits = self.limits();
        let open = |id| Some(CallLane::new(self.link.open(id).ok()?, limits));
        // One is the loop's.
        let most = limits.max_lanes().saturating_sub(1);
        let Some(lane) = self.pool.take(deadline, most, open) else {
            // No lane became free, or the link is closed.
            let closed = Instant::now() < deadline;
            return Err(if closed { CallFailure::Disconnected } else { CallFailure::Busy });
        };
        let mut taken = Taken { lanes: self, lane: Some(lane) };
        let Some(lane) = &mut taken.lane else { return Err(CallFailure::Disconnected) };
        let id = call.id;
        let sent = match ShortCall::new(id, call.during, &call.request) {
            Some(call) => lane.outlet.send(&call),
            None => lane.outlet.send(&ToParent::Object(call::ToParent::Call(call))),
        };
        sent.map_err(failure)?;
        let result = lane.wait_for_return(id, Some(deadline), take, self);
        if result == Err(CallFailure::Deadline(id)) {
            self.given_up(id);
            taken.wait_for_late_return(id);
        }
        result
    }
}

/// A lane in use, which goes back into the pool also when what is called with a return panics.
struct Taken<'a> {
    lanes: &'a Lanes,
    /// `None` once somebody else waits on it.
    lane: Option<CallLane>,
}

impl Taken<'_> {
    /// Nobody waits for the return any more, but what it refers to has to be given back, and a long message is on its way until
    /// then: a thread of ours waits for it, and puts the lane back.
    fn wait_for_late_return(mut self, call: CallId) {
        let (Some(lanes), Some(mut lane)) = (self.lanes.this.upgrade(), self.lane.take()) else { return };
        let waiting = thread::Builder::new().name("remote-late".into()).spawn(move || {
            let late = lane.wait_for_return(call, None, &mut |outcome| lanes.late(call, outcome), &lanes);
            if late.is_ok() {
                lanes.pool.put_back(lane);
            }
        });
        if let Err(error) = waiting {
            tracing::error!(%error, "no thread to wait for a late return, its lane is lost");
            // Others may be long, though the parent may not have all of this one yet.
            self.lanes.pool.end_long(call);
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.lanes.pool.put_back(lane);
        }
    }
}

/// A lane while one thread calls on it.
pub(super) struct CallLane {
    outlet: Outlet,
    inlet: Inlet,
}

impl CallLane {
    pub(super) fn new(lane: Lane, limits: Limits) -> Self {
        // The parent is trusted with our memory.
        let inlet = Inlet::new(lane.rx, Budget::unlimited());
        Self { outlet: Outlet::new(lane.tx, limits.max_message_bytes()), inlet }
    }

    /// Only returns come on these lanes.
    fn wait_for_return(
        &mut self,
        id: CallId,
        deadline: Option<Instant>,
        take: &mut dyn FnMut(Outcome<'_>),
        lanes: &Lanes,
    ) -> Result<(), CallFailure> {
        loop {
            let message = match self.inlet.next(deadline) {
                Ok(message) => message,
                Err(Pause::Woken) => continue,
                Err(Pause::TimedOut) => return Err(CallFailure::Deadline(id)),
                Err(Pause::Closed) => return Err(CallFailure::Disconnected),
                Err(Pause::Violation(violation)) => {
                    tracing::error!(%violation, "the parent broke the protocol");
                    lanes.link.close();
                    return Err(CallFailure::Disconnected);
                }
            };
            let answer = match ShortReturn::read(&message) {
                Some(answer) => Return { call: answer.call, outcome: answer.outcome() },
                None => match ToChild::decode(&message) {
                    Ok(ToChild::Object(call::ToChild::Return(answer))) => answer,
                    Ok(_) | Err(_) => {
                        tracing::error!("the parent sent something else than a return on a lane for calls");
                        lanes.link.close();
                        return Err(CallFailure::Disconnected);
                    }
                },
            };
            let returned = answer.call == id;
            match returned {
                true => take(answer.outcome),
                false => lanes.late(answer.call, answer.outcome),
            }
            self.inlet.recycle(message);
            if returned {
                return Ok(());
            }
        }
    }
}

/// Whether a call takes more than one record, or nearly.
fn is_long(request: &Request<'_>) -> bool {
    match request {
        Request::Method { arguments, .. } => arguments.weight() > RECORD_BYTES / 2,
        Request::Lookup { .. } | Request::Read { .. } | Request::Share { .. } => false,
    }
}
