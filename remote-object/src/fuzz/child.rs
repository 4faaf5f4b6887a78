//! The child, and what it has been given and has given back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use remote_protocol::call::{Call, CallError, Invoke, Outcome, Release, Request, Return, ToParent};
use remote_protocol::codec::CowBytes;
use remote_protocol::endpoint::OutletError;
use remote_protocol::id::{CallId, FrameId, LentId, ProcessId};
use remote_protocol::limits::{CALL, Limits, RELEASES, REVOKED};
use remote_protocol::link::SendError;
use remote_protocol::payload::{Encoding, Location, Payload, Reference};
use remote_protocol::service::{Answer, ArrivedOutcome, Notify, NotifyError, RunError, Service};
use serde::{Deserialize, Serialize};

use crate::exports::{Alive, Exports, FindFrame};
use crate::serving::{ProcessService, Serving};

/// A process, seen from its parent's side: what serves it, and what stands for the other end of the link.
pub(super) struct Child {
    pub(super) service: ProcessService,
    pub(super) end: Arc<End>,
    _exports: Exports,
}

/// The other end of the link.
#[derive(Debug, Default)]
pub(super) struct End {
    service: OnceLock<Weak<Serving>>,
    ledger: Mutex<Ledger>,
}

/// What was sent either way.
#[derive(Debug, Default)]
struct Ledger {
    /// References to what is the parent's that the child has; what it had is here with 0.
    lent: BTreeMap<LentId, u64>,
    /// References to what is the child's that it sent, and those that came back.
    arrived: BTreeMap<LentId, u64>,
    released: BTreeMap<LentId, u64>,
    /// What the child says when its functions are called.
    results: VecDeque<Result<Outcome<'static>, RunError>>,
    is_cut_off: bool,
}

/// A reference that a child sends. Numbers pick from what it was given, or name what it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Sent<'a> {
    Object(u8),
    Buffer(u8),
    Callback(u8),
    Function(u8),
    #[serde(borrow)]
    Returning(&'a [u8]),
    #[serde(borrow)]
    Any(Reference<'a>),
}

impl Child {
    /// A child that is served what `exports` has, and may have so many objects and callbacks.
    pub(super) fn new(exports: Exports, references: usize) -> Self {
        let end = Arc::new(End::default());
        let limits = Limits::new().references(references).buffer_bytes(32 * 1024).calls(4);
        let (roots, notify) = (Arc::downgrade(exports.roots()), Arc::clone(&end) as Arc<dyn Notify>);
        let serving = Serving::new(ProcessId::new(7, 1), roots, Weak::<NoFrames>::new(), notify, limits);
        end.service.set(Arc::downgrade(&serving)).expect("it is served once");
        Self { service: ProcessService(serving), end, _exports: exports }
    }

    /// The child says something. `None` when that ends it.
    pub(super) fn say(&self, message: ToParent<'_>) -> Option<()> {
        let is_look_up = matches!(message, ToParent::Call(Call { request: Request::Lookup { .. }, .. }));
        if is_look_up && self.end.ledger().is_cut_off {
            // What that lends goes with the process, for there is no other reason not to be answered.
            return Some(());
        }
        let mut is_abuse = false;
        match &message {
            ToParent::Call(Call { request: Request::Method { arguments, .. }, .. }) => {
                self.end.ledger().arrive(arguments)
            }
            ToParent::Release(releases) => {
                is_abuse = releases.len() > RELEASES || self.end.ledger().give_back(releases)
            }
            ToParent::Revoked { callbacks } => is_abuse = callbacks.len() > REVOKED,
            _ => {}
        }
        let call = if let ToParent::Call(call) = &message { Some(call.id) } else { None };
        let mut way = Way { end: Arc::clone(&self.end), call, is_used: Arc::default() };
        let handled = self.service.handle(message, &mut way);
        assert_eq!(handled.is_err(), is_abuse, "{handled:?}");
        handled.is_ok().then_some(())
    }

    /// A call of an object; gives what was answered at once.
    pub(super) fn call(&self, request: Request<'_>) -> Option<()> {
        self.say(ToParent::Call(Call { id: CallId(1), during: None, request }))
    }

    /// Everything of the parent's is given back.
    pub(super) fn release_all(&self) {
        let lent: Vec<_> = self.end.ledger().lent.iter().map(|(id, count)| (*id, *count)).collect();
        for (id, count) in lent {
            let release = |count| ToParent::Release(vec![Release { id, count }].into());
            if let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) {
                assert_eq!(self.say(release(count)), Some(()));
            }
            assert_eq!(self.say(release(1)), None, "{id} was given back");
        }
    }

    /// What is counted is what there is.
    pub(super) fn check(&self) {
        let Alive { objects, callbacks, .. } = self.service.0.alive();
        let ledger = self.end.ledger();
        assert_eq!(objects, ledger.lent.values().filter(|count| **count > 0).count(), "{ledger:?}");
        assert!(ledger.released.iter().all(|(id, count)| ledger.arrived.get(id) >= Some(count)), "{ledger:?}");
        let held = ledger.arrived.iter().filter(|(id, count)| ledger.released.get(id) != Some(count));
        assert_eq!(callbacks, held.count(), "{ledger:?}");
    }
}

impl End {
    /// How the next function that is called ends.
    pub(super) fn will_return(&self, result: Result<Outcome<'static>, RunError>) {
        self.ledger().results.push_back(result);
    }

    /// Nothing reaches the child any more.
    pub(super) fn cut_off(&self) {
        self.ledger().is_cut_off = true;
    }

    /// What the child was given: objects and buffers, there or not.
    pub(super) fn lent(&self, number: u8) -> LentId {
        let ledger = self.ledger();
        let count = ledger.lent.len().max(1);
        ledger.lent.keys().nth(usize::from(number) % count).copied().unwrap_or(NOTHING)
    }

    pub(super) fn references<'a>(&self, sent: &[Sent<'a>]) -> Vec<Reference<'a>> {
        let made_at = |line: u8| Location { file: "src/remote.rs".into(), line: line.into(), column: 1 };
        let own = |slot: u8| LentId { slot: slot.into(), generation: 0 };
        let reference = |sent: &Sent<'a>| match sent {
            Sent::Object(number) => Reference::Object(self.lent(*number)),
            Sent::Buffer(number) => Reference::Buffer { id: self.lent(*number), length: 3, copy: None, place: None },
            Sent::Callback(slot) => Reference::Callback { id: own(*slot), frame: None, made_at: made_at(*slot % 4) },
            Sent::Function(slot) => {
                Reference::Function { id: own(*slot), frame: Some(FrameId::opened(1)), made_at: made_at(*slot % 4) }
            }
            Sent::Returning(result) => Reference::Returning { result: CowBytes((*result).into()), made_at: made_at(9) },
            Sent::Any(reference) => reference.clone(),
        };
        sent.iter().map(reference).collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it is locked")
    }

    /// Something goes to the child, unless that has been cut off.
    fn send(&self, payload: Option<&Payload<'_>>) -> bool {
        let mut ledger = self.ledger();
        if !ledger.is_cut_off {
            payload.into_iter().for_each(|payload| ledger.lend(payload));
        }
        !ledger.is_cut_off
    }
}

impl Ledger {
    /// The child is given something.
    fn lend(&mut self, payload: &Payload<'_>) {
        for reference in &payload.references {
            if let Reference::Object(id) | Reference::ObjectOf { id, .. } | Reference::Buffer { id, .. } = reference {
                *self.lent.entry(*id).or_default() += 1;
            }
        }
    }

    /// The child gives something.
    fn arrive(&mut self, payload: &Payload<'_>) {
        for reference in &payload.references {
            if let Reference::Callback { id, .. } | Reference::Function { id, .. } = reference {
                *self.arrived.entry(*id).or_default() += 1;
            }
        }
    }

    /// The child gives back what it was given. Gives whether it was not.
    fn give_back(&mut self, releases: &[Release]) -> bool {
        let give_back = |Release { id, count }: &Release| {
            let lent = self.lent.get_mut(id).filter(|lent| **lent > 0)?;
            *lent = lent.checked_sub(u64::from(*count))?;
            Some(())
        };
        releases.iter().try_for_each(give_back).is_none()
    }
}

impl Notify for End {
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError> {
        if self.send(Some(&invoke.argument)) { Ok(()) } else { Err(NotifyError::Gone) }
    }

    fn run(
        &self,
        _function: LentId,
        _form: Encoding,
        argument: Payload<'_>,
        _deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError> {
        let mut ledger = self.ledger();
        let result = ledger.results.pop_front().unwrap_or(Err(RunError::Deadline));
        if matches!(result, Ok(_) | Err(RunError::Deadline | RunError::Disconnected)) {
            ledger.lend(&argument);
        }
        let outcome = result?;
        if let Outcome::Done(payload) | Outcome::Failed { error: payload, .. } = &outcome {
            ledger.arrive(payload);
        }
        drop(ledger);
        let serving = self.service.get().and_then(Weak::upgrade).expect("who calls is served");
        Ok(ProcessService(serving).arrived(outcome))
    }

    fn call_deadline(&self) -> Duration {
        CALL
    }

    fn release(&self, release: Release) {
        *self.ledger().released.entry(release.id).or_default() += u64::from(release.count);
    }
}

/// The way to answer what was said.
struct Way {
    end: Arc<End>,
    /// The call, if it was one.
    call: Option<CallId>,
    is_used: Arc<Mutex<bool>>,
}

impl Answer for Way {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        assert_eq!(Some(answer.call), self.call, "an answer to what was not asked");
        let payload = match &answer.outcome {
            Outcome::Done(payload) | Outcome::Failed { error: payload, .. } => Some(payload),
            Outcome::Refused(error) => {
                assert!(!matches!(**error, CallError::Panicked { .. }), "{error}");
                None
            }
        };
        if !self.end.send(payload) {
            return Err(OutletError::Link(SendError::Closed));
        }
        let was_used = std::mem::replace(&mut *self.is_used.lock().expect("nothing panics while it is locked"), true);
        assert!(!was_used, "a second answer");
        Ok(())
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        Box::new(Self { end: Arc::clone(&self.end), call: self.call, is_used: Arc::clone(&self.is_used) })
    }
}

struct NoFrames;

impl FindFrame for NoFrames {
    fn find(&self, _process: ProcessId, _frame: FrameId) -> Option<Box<dyn std::any::Any>> {
        None
    }
}

const NOTHING: LentId = LentId { slot: 0, generation: 0 };
