//! The callbacks and functions of a child that this process holds.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use remote_protocol::call::{CallError, Invoke, Release};
use remote_protocol::codec::CowBytes;
use remote_protocol::id::{FrameId, LentId};
use remote_protocol::limits;
use remote_protocol::payload::{Encoding, Location, Payload};
use remote_protocol::service::{ArrivedOutcome, NotifyError, RunError};

use super::{Arrived, Begun, Serving};
use crate::callback::CallbackError;
use crate::calling::Returned;
use crate::function;
use crate::leaks::{Place, Via};
use crate::scope::{Receiver, Sending, copied, undo};
use crate::table::Arrivals;

/// A callback or function of a child.
pub(crate) struct HeldCallback {
    pub(super) id: LentId,
    /// The frame whose context it ends with, as the child says.
    pub(super) frame: Option<FrameId>,
    pub(super) place: Arc<Place>,
    pub(super) via: Via,
    pub(super) since: Instant,
    /// The child has said that its closure is gone.
    pub(super) revoked: AtomicBool,
    /// Whether it is a function.
    pub(super) returns: bool,
    pub(super) serving: Arc<Serving>,
    pub(super) arrivals: Arrivals,
}

impl HeldCallback {
    pub(crate) fn location(&self) -> &Location<'static> {
        &self.place.made_at
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.serving.is_closed() && !self.revoked.load(Ordering::Acquire)
    }

    /// Whom its argument is written for.
    pub(crate) fn receiver(&self) -> Receiver {
        Receiver::Child(Arc::clone(&self.serving), Via::Callback(Arc::clone(&self.place)))
    }

    /// Sends the child an argument that is encoded in this form.
    pub(crate) fn invoke(&self, form: Encoding, bytes: &[u8], sending: Sending) -> Result<(), CallbackError> {
        let Sending { receiver, references, kept: _kept, .. } = sending;
        let lent = copied(&references);
        let argument = Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references };
        let sent = if self.is_alive() {
            self.serving.child.invoke(Invoke { callback: self.id, form, argument })
        } else {
            Err(NotifyError::Gone)
        };
        sent.map_err(|error| {
            undo(receiver.as_ref(), lent);
            match error {
                NotifyError::Backlog(full) => CallbackError::Backlog { unhandled: full.unhandled, limit: full.limit },
                NotifyError::TooLong { .. } => CallbackError::Unsendable { reason: error.to_string() },
                _ => CallbackError::Detached { made_at: self.location().to_string() },
            }
        })
    }

    /// How long to wait for it when nothing is said.
    pub(crate) fn deadline(&self) -> Duration {
        self.serving.child.call_deadline()
    }

    /// Sends the child an encoded argument and waits for the result.
    pub(crate) fn run(
        &self,
        form: Encoding,
        bytes: &[u8],
        sending: Sending,
        within: Duration,
    ) -> Result<Returned, CallError> {
        let serving = &self.serving;
        let Sending { receiver, references, kept: _kept, .. } = sending;
        if self.revoked.load(Ordering::Acquire) {
            undo(receiver.as_ref(), references);
            return Err(CallError::NoSuchFunction { function: function::name(self.location()) });
        }
        let lent = copied(&references);
        let argument = Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references };
        let waiting = Begun { serving, under: serving.under_way.wait(self.location()) };
        let deadline = limits::deadline(Instant::now(), within);
        let name = || function::name(self.location());
        let error = match serving.child.run(self.id, form, argument, deadline) {
            Ok(outcome) => return self.read(outcome),
            Err(error) => error,
        };
        if !matches!(error, RunError::Disconnected | RunError::Deadline) {
            undo(receiver.as_ref(), lent);
        }
        Err(match error {
            RunError::Deadline => {
                CallError::Deadline { method: name(), after: within, waits: serving.chain(waiting.under.number) }
            }
            RunError::TooDeep { limit } => CallError::TooDeep { function: name(), limit },
            RunError::Busy { .. } => CallError::Busy { method: name(), reason: error.to_string() },
            RunError::Unsent(NotifyError::TooLong { .. }) => {
                CallError::Arguments { method: name(), reason: error.to_string() }
            }
            _ => CallError::Disconnected { method: name() },
        })
    }

    fn read(&self, outcome: ArrivedOutcome) -> Result<Returned, CallError> {
        let failed = |reason| CallError::Result { method: function::name(self.location()), reason };
        let outcome: Box<dyn Any> = outcome;
        let Ok(arrived) = outcome.downcast::<Arrived>() else {
            return Err(failed("what it refers to cannot be resolved".to_owned()));
        };
        arrived
            .map_err(|error| match error {
                // The child may not know it any more; we do. Had it been told of, it would not have been called, unless the reference was
                // still under way on another lane then.
                CallError::NoSuchFunction { .. } => {
                    self.revoked.store(true, Ordering::Release);
                    CallError::NoSuchFunction { function: function::name(self.location()) }
                }
                error => error,
            })?
            .map_err(failed)
    }
}

impl AsRef<Arrivals> for HeldCallback {
    fn as_ref(&self) -> &Arrivals {
        &self.arrivals
    }
}

impl Drop for HeldCallback {
    fn drop(&mut self) {
        let mut tables = self.serving.tables();
        tables.callbacks.remove(self.id);
        if self.place.remove() {
            tables.places.remove(&self.place.made_at);
        }
        drop(tables);
        if !self.serving.is_closed() {
            self.serving.child.release(Release { id: self.id, count: self.arrivals.count() });
        }
    }
}
