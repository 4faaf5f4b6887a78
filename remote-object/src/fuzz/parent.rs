//! The parent, and what it has sent and been given back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use remote_protocol::call::{CallError, Outcome, Release, Report, Request};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::id::{CallId, LentId};
use remote_protocol::limits::{Limits, REVOKED};
use remote_protocol::link::{BufferView, Shown};
use remote_protocol::payload::{Encoding, Payload, Reference};
use remote_protocol::service::{CallFailure, Caller, LateReturns};
use remote_protocol::value::{self, ReferenceKind, Value};
use serde::{Deserialize, Serialize};

use super::objects::{Thing, Vault};
use crate::calling::{Calling, Late, Loop, Returned};
use crate::interface::Interface;
use crate::scope::Arrival;

/// A parent, seen from its child's side: the tables of the child, and what stands for the other end of the link and for the child's loop.
pub(super) struct Parent {
    pub(super) calling: Arc<Calling>,
    pub(super) end: Arc<End>,
}

/// The other end of the link, and the loop.
#[derive(Debug, Default)]
pub(super) struct End {
    calling: OnceLock<Weak<Calling>>,
    ledger: Mutex<Ledger>,
}

/// What was sent either way.
#[derive(Debug, Default)]
struct Ledger {
    /// References to what is the parent's that the child has.
    given: BTreeMap<LentId, u64>,
    /// References to what is the child's that the parent has.
    lent: BTreeMap<LentId, u64>,
    /// Closures that are on the loop, and those that were.
    closures: BTreeSet<LentId>,
    forgotten: BTreeSet<LentId>,
    /// What the parent says when it is called next.
    answers: VecDeque<Result<Outcome<'static>, Failure>>,
    /// Calls that were made and have not returned.
    open: BTreeMap<CallId, Open>,
    calls: u32,
    is_closed: bool,
}

/// A call that has not returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Open {
    /// No thread waits for it, or has waited.
    is_started: bool,
    is_cancelled: bool,
}

/// A reference that a parent sends. A number is the slot of what it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Given<'a> {
    Object(u8),
    Thing(u8),
    Vault(u8),
    Buffer {
        slot: u8,
        length: u32,
    },
    Copied(u8),
    Shown {
        slot: u8,
        place: u8,
    },
    #[serde(borrow)]
    Any(Reference<'a>),
}

/// What a parent says when it is called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answered<'a> {
    Done {
        #[serde(borrow)]
        bytes: &'a [u8],
        #[serde(borrow)]
        references: Vec<Given<'a>>,
    },
    /// One thing, as it was asked for by its interface or by name.
    One(Encoding, #[serde(borrow)] Given<'a>),
    /// A list of them.
    Many(Encoding, #[serde(borrow)] Vec<Given<'a>>),
    /// So many bytes of a buffer.
    Piece(u8),
    Failed {
        #[serde(borrow)]
        bytes: &'a [u8],
        #[serde(borrow)]
        references: Vec<Given<'a>>,
    },
    Refused,
    Never(Failure),
}

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    Deadline,
    Disconnected,
    Busy,
    TooLong,
    Unencodable,
}

impl Parent {
    pub(super) fn new() -> Self {
        let end = Arc::new(End::default());
        let (caller, looper) = (Arc::clone(&end) as Arc<dyn Caller>, Arc::clone(&end) as Arc<dyn Loop>);
        let calling = Calling::new(caller, looper, Duration::ZERO);
        end.calling.set(Arc::downgrade(&calling)).expect("it is called once");
        Self { calling, end }
    }

    /// What it says of a call that no thread is blocked in.
    pub(super) fn say(&self, call: CallId, outcome: Outcome<'_>) {
        self.end.ledger().give(&outcome);
        self.end.ledger().open.remove(&call);
        Late(Arc::clone(&self.calling)).late(call, outcome);
    }

    /// Gives a callback or function back.
    pub(super) fn release(&self, release: Release) {
        let mut ledger = self.end.ledger();
        let lent = ledger.lent.get_mut(&release.id).filter(|lent| **lent >= u64::from(release.count));
        let is_honest = lent.is_some();
        if let Some(lent) = lent {
            *lent -= u64::from(release.count);
        }
        drop(ledger);
        let released = self.calling.release(release);
        // Of what was never lent, nothing can be given back.
        assert!(released.is_ok() == is_honest || release.count == 0, "{release:?}: {released:?}");
    }

    /// References that come in something that is no outcome.
    pub(super) fn give(&self, references: Vec<Reference<'_>>) -> Result<Vec<Arrival>, String> {
        let payload = Payload { bytes: CowBytes::default(), references };
        self.end.ledger().count(&payload);
        self.calling.arrive(payload.references)
    }

    /// The link or the loop ends.
    pub(super) fn close(&self) {
        let mut ledger = self.end.ledger();
        ledger.is_closed = true;
        ledger.lent.clear();
        ledger.closures.clear();
        ledger.open.clear();
        drop(ledger);
        self.calling.close();
    }

    pub(super) fn disconnect(&self) {
        self.end.ledger().open.clear();
        Late(Arc::clone(&self.calling)).disconnected();
    }

    /// What is counted is what there is.
    pub(super) fn check(&self) {
        let (mut held, lent) = (self.calling.held(), self.calling.lent());
        for (id, count) in self.calling.held_buffers() {
            *held.entry(id).or_default() += count;
        }
        let ledger = self.end.ledger();
        let there = |counts: &BTreeMap<LentId, u64>| -> BTreeMap<_, _> {
            counts.iter().filter(|(_, count)| **count > 0).map(|(id, count)| (*id, *count)).collect()
        };
        let held: BTreeMap<_, _> = held.into_iter().map(|(id, count)| (id, u64::from(count))).collect();
        assert_eq!(there(&ledger.given), there(&held), "{ledger:?}");
        let counts = lent.iter().map(|(id, (count, _))| (*id, u64::from(*count))).collect();
        assert_eq!(there(&ledger.lent), there(&counts), "{ledger:?}");
        // What the parent can still call, or the child still send, has not been forgotten.
        assert!(lent.keys().all(|id| !ledger.forgotten.contains(id)), "{ledger:?}");
    }

    /// Nobody waits for an answer any more.
    pub(super) fn check_cancelled(&self) {
        let ledger = self.end.ledger();
        assert!(ledger.open.values().all(|open| open.is_cancelled || !open.is_started), "{ledger:?}");
    }

    /// Nothing of the parent's is here any more.
    pub(super) fn check_end(&self) {
        let ledger = self.end.ledger();
        assert!(ledger.given.values().all(|count| *count == 0), "{ledger:?}");
        assert!(self.calling.lent().is_empty(), "{ledger:?}");
        assert_eq!(Arc::strong_count(&self.calling), 1, "something is kept that nobody can reach");
    }
}

impl End {
    /// What the next call gets.
    pub(super) fn will_say(&self, answer: &Answered<'_>) {
        self.ledger().answers.push_back(outcome(answer));
    }

    /// A closure is on the loop.
    pub(super) fn remember(&self, id: LentId) {
        self.ledger().closures.insert(id);
    }

    pub(super) fn has_closure(&self, id: LentId) -> bool {
        self.ledger().closures.contains(&id)
    }

    /// Closures go with what they were made for.
    pub(super) fn drop_closures(&self, ids: &[LentId]) {
        self.ledger().closures.retain(|id| !ids.contains(id));
    }

    /// What the child has lent: callbacks and functions, there or not.
    pub(super) fn lent(&self, number: u8) -> LentId {
        let ledger = self.ledger();
        let count = ledger.lent.len().max(1);
        let nothing = LentId { slot: number.into(), generation: 0 };
        ledger.lent.keys().nth(usize::from(number) % count).copied().unwrap_or(nothing)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it is locked")
    }

    fn late(&self) -> Option<Late> {
        self.calling.get().and_then(Weak::upgrade).map(Late)
    }
}

impl Ledger {
    fn give(&mut self, outcome: &Outcome<'_>) {
        if let Outcome::Done(payload) | Outcome::Failed { error: payload, .. } = outcome {
            self.count(payload);
        }
    }

    /// The parent gives something.
    fn count(&mut self, payload: &Payload<'_>) {
        for reference in &payload.references {
            if let Reference::Object(id) | Reference::ObjectOf { id, .. } | Reference::Buffer { id, .. } = reference {
                *self.given.entry(*id).or_default() += 1;
            }
        }
    }

    /// The child lends something.
    fn lend(&mut self, request: &Request<'_>) {
        let Request::Method { arguments, .. } = request else { return };
        for reference in &arguments.references {
            match reference {
                Reference::Callback { id, .. } | Reference::Function { id, .. } => {
                    *self.lent.entry(*id).or_default() += 1;
                }
                Reference::Object(id) | Reference::ObjectOf { id, .. } | Reference::Buffer { id, .. } => {
                    assert!(self.given.get(id) > Some(&0), "{id} is not the child's to send");
                }
                Reference::Returning { .. } => {}
            }
        }
    }

    fn next(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }
}

impl Caller for End {
    fn call(
        &self,
        request: Request<'_>,
        _within: Duration,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        let mut ledger = self.ledger();
        let answer = ledger.answers.pop_front().unwrap_or(Err(Failure::Disconnected));
        if matches!(answer, Ok(_) | Err(Failure::Deadline | Failure::Disconnected)) {
            ledger.lend(&request);
        }
        match answer {
            Ok(outcome) => {
                ledger.give(&outcome);
                drop(ledger);
                take(outcome);
                Ok(())
            }
            Err(Failure::Deadline) => {
                let call = ledger.next();
                ledger.open.insert(call, Open::default());
                drop(ledger);
                if let Some(late) = self.late() {
                    late.given_up(call);
                }
                Err(CallFailure::Deadline(call))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn release(&self, release: Release) {
        let mut ledger = self.ledger();
        let given = ledger.given.entry(release.id).or_default();
        let left = given.checked_sub(release.count.into());
        *given = left.unwrap_or_else(|| panic!("{release:?}, which were {given}"));
    }

    fn revoke(&self, callbacks: Vec<LentId>) {
        assert!(callbacks.len() <= REVOKED);
        let ledger = self.ledger();
        assert!(callbacks.iter().all(|id| ledger.lent.get(id) > Some(&0)), "{callbacks:?}: {ledger:?}");
    }

    fn limits(&self) -> Limits {
        Limits::new().calls(4)
    }

    fn next_call(&self) -> CallId {
        self.ledger().next()
    }

    fn start(&self, call: CallId, request: Request<'_>) -> Result<(), CallFailure> {
        let mut ledger = self.ledger();
        match ledger.answers.front() {
            Some(Err(failure)) if *failure != Failure::Deadline => {
                let failure = *failure;
                ledger.answers.pop_front();
                Err(failure.into())
            }
            _ => {
                ledger.lend(&request);
                let before = ledger.open.insert(call, Open { is_started: true, is_cancelled: false });
                assert_eq!(before, None, "{call:?} names two calls");
                Ok(())
            }
        }
    }

    fn cancel(&self, call: CallId) {
        let mut ledger = self.ledger();
        let open = ledger.open.get_mut(&call).expect("only what was called is cancelled");
        assert!(!std::mem::replace(&mut open.is_cancelled, true), "it is cancelled once");
    }

    /// What arrives is the answer to the oldest call that has not returned, at once or never.
    fn pump(&self, _deadline: Instant, settled: &dyn Fn() -> bool) -> bool {
        while !settled() {
            let mut ledger = self.ledger();
            let oldest = ledger.open.keys().next().copied();
            let (Some(call), Some(late)) = (oldest, self.late()) else { break };
            match ledger.answers.pop_front() {
                Some(Ok(outcome)) => {
                    ledger.open.remove(&call);
                    ledger.give(&outcome);
                    drop(ledger);
                    late.late(call, outcome);
                }
                Some(Err(Failure::Disconnected)) => {
                    ledger.open.clear();
                    drop(ledger);
                    late.disconnected();
                }
                Some(Err(_)) | None => break,
            }
        }
        true
    }

    fn buffer_view(&self) -> Option<Arc<dyn BufferView>> {
        Some(Arc::new(Shelf))
    }
}

impl Loop for End {
    fn invoke(&self, _id: LentId, _form: Encoding, _argument: Vec<u8>, _arrivals: Vec<Arrival>) -> bool {
        !self.ledger().is_closed
    }

    /// Every function gives what it is given.
    fn run(
        &self,
        id: LentId,
        name: String,
        _form: Encoding,
        argument: Vec<u8>,
        arrivals: Vec<Arrival>,
        _within: Duration,
    ) -> Result<Returned, CallError> {
        if self.has_closure(id) { Ok((argument, arrivals)) } else { Err(CallError::NoSuchFunction { function: name }) }
    }

    fn forget(&self, id: LentId) {
        let mut ledger = self.ledger();
        ledger.closures.remove(&id);
        assert!(ledger.forgotten.insert(id), "{id} named two closures");
    }
}

/// The memory where a parent shows buffers.
#[derive(Debug)]
struct Shelf;

impl BufferView for Shelf {
    fn show(&self, offset: u64, length: u64) -> Option<Shown> {
        let end = offset.checked_add(length).filter(|end| *end <= SHELF_BYTES)?;
        Some(Arc::new((offset..end).map(|at| at as u8).collect::<Vec<_>>()))
    }
}

impl From<Failure> for CallFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            // Said of nothing: a call that was started has its own deadline.
            Failure::Deadline | Failure::Busy => Self::Busy,
            Failure::Disconnected => Self::Disconnected,
            Failure::TooLong => Self::TooLong { length: 1 << 30 },
            Failure::Unencodable => Self::Unencodable,
        }
    }
}

pub(super) fn references<'a>(given: &[Given<'a>]) -> Vec<Reference<'a>> {
    let id = |slot: u8| LentId { slot: slot.into(), generation: 0 };
    let of = |slot, interface: &'static str| Reference::ObjectOf { id: id(slot), interfaces: vec![interface.into()] };
    let buffer = |slot, length: u64| Reference::Buffer { id: id(slot), length, copy: None, place: None };
    let reference = |given: &Given<'a>| match given {
        Given::Object(slot) => Reference::Object(id(*slot)),
        Given::Thing(slot) => of(*slot, <dyn Thing>::NAME),
        Given::Vault(slot) => of(*slot, <dyn Vault>::NAME),
        Given::Buffer { slot, length } => buffer(*slot, (*length).into()),
        Given::Copied(slot) => {
            let copy = Some(CowBytes(vec![7; (*slot).into()].into()));
            Reference::Buffer { id: id(*slot), length: (*slot).into(), copy, place: None }
        }
        Given::Shown { slot, place } => {
            Reference::Buffer { id: id(*slot), length: 9, copy: None, place: Some((*place).into()) }
        }
        Given::Any(reference) => reference.clone(),
    };
    given.iter().map(reference).collect()
}

/// What stands for each of them in a payload.
fn named(given: &[Given<'_>]) -> Vec<value::Reference> {
    let kind = |reference: &Reference<'_>| match reference {
        Reference::Object(_) | Reference::ObjectOf { .. } => ReferenceKind::Object,
        Reference::Buffer { .. } => ReferenceKind::Buffer,
        Reference::Callback { .. } | Reference::Function { .. } | Reference::Returning { .. } => {
            ReferenceKind::Function
        }
    };
    (0..).zip(&references(given)).map(|(index, of)| value::Reference { kind: kind(of), index }).collect()
}

pub(super) fn outcome(answer: &Answered<'_>) -> Result<Outcome<'static>, Failure> {
    let payload = |bytes: &[u8], given: &[Given<'_>]| {
        Payload { bytes: CowBytes(bytes.into()), references: references(given) }.into_owned()
    };
    Ok(match answer {
        Answered::Done { bytes, references } => Outcome::Done(payload(bytes, references)),
        Answered::One(form, given) => {
            let given = std::slice::from_ref(given);
            let [one] = named(given)[..] else { unreachable!("one is given") };
            let bytes = match form {
                Encoding::Typed => encoded(&one),
                Encoding::Dynamic => encoded(&Value::from(one)),
            };
            Outcome::Done(payload(&bytes, given))
        }
        Answered::Many(form, given) => {
            let bytes = match form {
                Encoding::Typed => encoded(&named(given)),
                Encoding::Dynamic => encoded(&Value::List(named(given).into_iter().map(Value::from).collect())),
            };
            Outcome::Done(payload(&bytes, given))
        }
        Answered::Piece(length) => Outcome::Done(payload(&vec![3; (*length).into()], &[])),
        Answered::Failed { bytes, references } => {
            let report =
                Report { kind: String::new(), message: String::new(), causes: Vec::new(), method: String::new() };
            Outcome::Failed { report: Box::new(report), error: payload(bytes, references) }
        }
        Answered::Refused => Outcome::Refused(Box::new(CallError::NoSuchFunction { function: "f".to_owned() })),
        Answered::Never(failure) => return Err(*failure),
    })
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes).expect("it can be sent");
    bytes
}

const SHELF_BYTES: u64 = 64;
