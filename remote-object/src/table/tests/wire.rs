//! What is on its way between the two sides: lanes, each in order, that are received from when the test says so.
//!
//! A call runs the rest of the script until its return is received, or it is given up. So calls nest, as they do where many threads
//! make them, but for the order in which they end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

use remote_protocol::call::{self, Call, CallError, Invoke, Outcome, Release, Request, Return};
use remote_protocol::codec;
use remote_protocol::endpoint::OutletError;
use remote_protocol::id::{CallId, LentId, LoaderId, ProcessId};
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::link::SendError;
use remote_protocol::message::{ToChild, ToParent};
use remote_protocol::payload::{Encoding, Payload, Reference};
use remote_protocol::releases::{Due, Releases};
use remote_protocol::sandbox::Report;
use remote_protocol::service::{
    Answer, ArrivedOutcome, CallFailure, Caller, LateReturns, Notify, NotifyError, RunError,
};
use remote_protocol::state::{child, parent};

use super::world::{Op, World};
use crate::calling::{Loop, Returned};
use crate::scope::Arrival;

/// The main lane and those for calls.
pub(crate) const LANES: usize = 5;

pub(crate) struct Wire {
    pub(crate) world: OnceLock<Weak<World>>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) to_parent: [VecDeque<Vec<u8>>; LANES],
    pub(crate) to_child: [VecDeque<Vec<u8>>; LANES],
    /// What came on the main lane while the loop waited for a return.
    pub(crate) deferred: VecDeque<Vec<u8>>,
    pub(crate) parent: parent::Session,
    pub(crate) child: child::Session,
    /// What the child has let go of.
    pub(crate) releases: Releases,
    /// What the parent has let go of and not sent.
    pub(crate) parent_releases: BTreeMap<LentId, u32>,
    /// The callbacks whose closures the child has.
    pub(crate) closures: BTreeSet<LentId>,
    /// Calls whose returns are waited for, innermost last.
    waiting: Vec<usize>,
    /// Lanes on which a return may come too late.
    late: BTreeSet<usize>,
    calls: u32,
    /// Whether the next call is the loop thread's, if that is in none.
    pub(crate) main: bool,
    pub(crate) closed: bool,
    pub(crate) child_finished: bool,
    pub(crate) parent_finished: bool,
}

impl Wire {
    /// Both sides have greeted each other.
    pub(crate) fn new() -> Arc<Self> {
        let process = ProcessId::new(7, 1);
        let mut parent = parent::Session::new(process, parent::Settings::default());
        let mut child = child::Session::new(child::Settings::default());
        assert_eq!(parent.open_loader(LoaderId::FIRST), None);
        child.greet(7);
        assert_eq!(parent.receive(child.poll().unwrap()), Ok(parent::Received::Ready { sandbox: Report::default() }));
        while let Some(message) = parent.poll() {
            let _ = child.receive(message).unwrap();
        }
        let state = State {
            to_parent: Default::default(),
            to_child: Default::default(),
            deferred: VecDeque::new(),
            parent,
            child,
            releases: Releases::new(),
            parent_releases: BTreeMap::new(),
            closures: BTreeSet::new(),
            waiting: Vec::new(),
            late: BTreeSet::new(),
            calls: 0,
            main: false,
            closed: false,
            child_finished: false,
            parent_finished: false,
        };
        Arc::new(Self { world: OnceLock::new(), state: Mutex::new(state) })
    }

    /// Never held while anything of the two sides runs.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn world(&self) -> Arc<World> {
        self.world.get().and_then(Weak::upgrade).expect("the world is there while something is called")
    }

    /// The child receives on a lane on which no call waits, or none that could.
    pub(crate) fn child_handles(&self, lane: usize) {
        let ended = lane == 0 && self.lock().child_finished;
        if ended || self.lock().waiting.contains(&lane) {
            return;
        }
        let message = {
            let mut state = self.lock();
            let deferred = if lane == 0 { state.deferred.pop_front() } else { None };
            deferred.or_else(|| state.to_child[lane].pop_front())
        };
        let Some(bytes) = message else { return };
        let message: ToChild<'_> = codec::decode(&bytes).unwrap();
        if lane > 0 {
            let ToChild::Object(call::ToChild::Return(answer)) = message else { panic!("{message:?} on lane {lane}") };
            assert!(self.lock().late.remove(&lane), "a return on lane {lane} that nobody expects");
            return self.world().late.late(answer.call, answer.outcome);
        }
        let cost = message.cost();
        let received = self.lock().child.receive(message).unwrap();
        match received {
            child::Received::Object(call::ToChild::Return(answer)) => {
                self.world().late.late(answer.call, answer.outcome);
            }
            child::Received::Object(call::ToChild::Invoke(invoke)) => self.world().invoked(invoke),
            child::Received::Object(call::ToChild::Release(releases)) => {
                let world = self.world();
                releases.iter().for_each(|release| world.calling.release(*release).unwrap());
                let mut state = self.lock();
                if let Some(message) = state.child.released() {
                    state.say(&message);
                }
            }
            child::Received::Object(call::ToChild::Released { batches }) => {
                self.lock().releases.acknowledged(batches).unwrap();
            }
            child::Received::Nothing => {}
            other => panic!("{other:?}"),
        }
        let mut state = self.lock();
        if let Some(message) = state.child.handled(cost) {
            state.say(&message);
        }
    }

    pub(crate) fn parent_handles(self: &Arc<Self>, lane: usize) {
        let bytes = {
            let mut state = self.lock();
            if lane == 0 && state.parent_finished { None } else { state.to_parent[lane].pop_front() }
        };
        let Some(bytes) = bytes else { return };
        let message: ToParent<'_> = codec::decode(&bytes).unwrap();
        let message = if lane == 0 {
            match self.lock().parent.receive(message).unwrap() {
                parent::Received::Object(message) => message,
                parent::Received::Acknowledged | parent::Received::Nothing => return,
                other => panic!("{other:?}"),
            }
        } else {
            let ToParent::Object(message @ call::ToParent::Call(_)) = message else { panic!("{message:?} on a lane") };
            message
        };
        let releases = matches!(message, call::ToParent::Release(_));
        let service = Arc::clone(&self.world().service);
        service.handle(message, &mut WireAnswer { wire: Arc::clone(self), lane }).unwrap();
        if releases {
            let mut state = self.lock();
            if let Some(message) = state.parent.released() {
                state.tell(&message);
            }
        }
    }

    /// Receives on the lane of the innermost call. Gives how the call has ended, if it has.
    fn receive_return(&self, id: CallId, lane: usize, take: &mut dyn FnMut(Outcome<'_>)) -> bool {
        let Some(bytes) = self.lock().to_child[lane].pop_front() else { return false };
        match codec::decode(&bytes).unwrap() {
            ToChild::Object(call::ToChild::Return(Return { call, outcome })) if call == id => {
                take(outcome);
                return true;
            }
            ToChild::Object(call::ToChild::Return(answer)) => self.world().late.late(answer.call, answer.outcome),
            ToChild::Object(call::ToChild::Released { batches }) if lane == 0 => {
                self.lock().releases.acknowledged(batches).unwrap();
            }
            message => {
                assert_eq!(lane, 0, "{message:?}");
                self.lock().deferred.push_back(bytes);
            }
        }
        false
    }

    pub(crate) fn child_rests(&self) {
        let mut state = self.lock();
        while !state.releases.rest() {
            state.send_releases_of_child();
        }
    }

    pub(crate) fn parent_rests(&self) {
        let mut state = self.lock();
        while !state.parent.rest() {
            state.send_releases_of_parent();
        }
    }
}

impl State {
    /// The child says something on the main lane.
    fn say(&mut self, message: &ToParent<'_>) {
        self.send_releases_of_child();
        self.push_to_parent(0, message);
    }

    /// The parent says something on the main lane.
    fn tell(&mut self, message: &ToChild<'_>) {
        self.send_releases_of_parent();
        self.push_to_child(0, message);
    }

    fn send_releases_of_child(&mut self) {
        let mut batch = Vec::new();
        while self.releases.take(&mut batch) {
            let releases = batch.as_slice().into();
            self.push_to_parent(0, &ToParent::Object(call::ToParent::Release(releases)));
        }
    }

    fn send_releases_of_parent(&mut self) {
        while let Some(message) = self.parent.releases() {
            let message = message.into_owned();
            let ToChild::Object(call::ToChild::Release(releases)) = &message else { panic!("{message:?}") };
            for release in releases.iter() {
                let pending = self.parent_releases.get_mut(&release.id).expect("it was let go of");
                *pending -= release.count;
            }
            self.parent_releases.retain(|_, count| *count > 0);
            self.push_to_child(0, &message);
        }
    }

    fn push_to_parent(&mut self, lane: usize, message: &ToParent<'_>) {
        if !self.closed {
            self.to_parent[lane].push_back(encoded(message));
        }
    }

    fn push_to_child(&mut self, lane: usize, message: &ToChild<'_>) {
        if !self.closed {
            self.to_child[lane].push_back(encoded(message));
        }
    }

    /// A lane for a call that begins.
    fn free_lane(&self) -> Option<usize> {
        let first = usize::from(!self.main);
        (first..LANES).find(|lane| !self.waiting.contains(lane) && !self.late.contains(lane))
    }

    /// The references to objects on their way to the child, and those given back on their way to the parent.
    pub(crate) fn objects(&self) -> BTreeMap<LentId, u32> {
        let mut counts = BTreeMap::new();
        let mut count = |id, number| *counts.entry(id).or_default() += number;
        for bytes in self.to_child.iter().flatten().chain(&self.deferred) {
            let message: ToChild<'_> = codec::decode(bytes).unwrap();
            let payload = match &message {
                ToChild::Object(call::ToChild::Return(answer)) => match &answer.outcome {
                    Outcome::Done(payload) | Outcome::Failed { error: payload, .. } => payload,
                    Outcome::Refused(_) => continue,
                },
                ToChild::Object(call::ToChild::Invoke(invoke)) => &invoke.argument,
                _ => continue,
            };
            for reference in &payload.references {
                let (Reference::Object(id) | Reference::ObjectOf { id, .. }) = reference else {
                    panic!("{reference:?} to the child")
                };
                count(*id, 1);
            }
        }
        self.releases.pending().for_each(|release| count(release.id, release.count));
        for bytes in self.to_parent.iter().flatten() {
            if let ToParent::Object(call::ToParent::Release(releases)) = codec::decode(bytes).unwrap() {
                releases.iter().for_each(|release| count(release.id, release.count));
            }
        }
        counts
    }

    /// The references to callbacks on their way to the parent, and those given back on their way to the child.
    pub(crate) fn callbacks(&self) -> BTreeMap<LentId, u32> {
        let mut counts = self.parent_releases.clone();
        let mut count = |id, number| *counts.entry(id).or_default() += number;
        for bytes in self.to_parent.iter().flatten() {
            let message: ToParent<'_> = codec::decode(bytes).unwrap();
            let ToParent::Object(call::ToParent::Call(Call { request, .. })) = message else { continue };
            let Request::Method { arguments: Payload { references, .. }, .. } = request else { continue };
            for reference in references {
                if let Reference::Callback { id, .. } = reference {
                    count(id, 1);
                }
            }
        }
        for bytes in self.to_child.iter().flatten().chain(&self.deferred) {
            if let ToChild::Object(call::ToChild::Release(releases)) = codec::decode(bytes).unwrap() {
                releases.iter().for_each(|release| count(release.id, release.count));
            }
        }
        counts
    }
}

fn encoded<M: serde::Serialize>(message: &M) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes).unwrap();
    bytes
}

impl Caller for Wire {
    fn call(
        &self,
        request: Request<'_>,
        _within: Duration,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        let world = self.world();
        let (id, lane) = {
            let mut state = self.lock();
            if state.closed {
                return Err(CallFailure::Disconnected);
            }
            let lane = state.free_lane().ok_or(CallFailure::Busy)?;
            let id = CallId(state.calls);
            state.calls += 1;
            let message = ToParent::Object(call::ToParent::Call(Call { id, during: None, request }));
            if lane == 0 {
                state.say(&message);
            } else {
                state.push_to_parent(lane, &message);
            }
            state.waiting.push(lane);
            (id, lane)
        };
        world.check();
        let result = loop {
            let op = world.next_op().unwrap_or_else(|| {
                let comes = !self.lock().to_child[lane].is_empty();
                let lane = u8::try_from(lane).unwrap();
                if comes { Op::ChildHandles(lane) } else { Op::ParentHandles(lane) }
            });
            match op {
                Op::GiveUp => {
                    if lane > 0 {
                        self.lock().late.insert(lane);
                    }
                    world.late.given_up(id);
                    break Err(CallFailure::Deadline(id));
                }
                Op::ChildHandles(on) if usize::from(on) == lane => {
                    if self.receive_return(id, lane, take) {
                        break Ok(());
                    }
                }
                op => world.perform(op),
            }
            world.check();
            let state = self.lock();
            if state.closed && state.to_child[lane].is_empty() {
                break Err(CallFailure::Disconnected);
            }
        };
        assert_eq!(self.lock().waiting.pop(), Some(lane));
        result
    }

    fn release(&self, release: Release) {
        let mut state = self.lock();
        match state.releases.add(release) {
            // The loop comes to it when the test says so.
            Due::Later | Due::Wake => {}
            Due::Now => state.send_releases_of_child(),
            Due::TooMany => unreachable!("the child trusts its parent"),
        }
    }

    fn revoke(&self, _callbacks: Vec<LentId>) {
        unreachable!("no context ends before its loop")
    }

    fn limits(&self) -> Limits {
        Limits::new()
    }

    fn next_call(&self) -> CallId {
        unreachable!("no call is promised")
    }

    fn start(&self, _call: CallId, _request: Request<'_>) -> Result<(), CallFailure> {
        unreachable!("no call is promised")
    }

    fn cancel(&self, _call: CallId) {
        unreachable!("no call is promised")
    }

    fn pump(&self, _deadline: Instant, _settled: &dyn Fn() -> bool) -> bool {
        unreachable!("no call is promised")
    }
}

impl Notify for Wire {
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError> {
        let mut state = self.lock();
        let message = state.parent.invoke(invoke)?;
        if let Some(message) = message {
            state.tell(&message);
        }
        Ok(())
    }

    fn run(
        &self,
        function: LentId,
        _form: Encoding,
        _argument: Payload<'_>,
        _deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError> {
        unreachable!("function {function} is not called")
    }

    fn call_deadline(&self) -> Duration {
        CALL
    }

    fn release(&self, release: Release) {
        let mut state = self.lock();
        if !state.parent_finished {
            *state.parent_releases.entry(release.id).or_default() += release.count;
        }
        match state.parent.release(release) {
            Due::Later | Due::Wake => {}
            Due::Now => state.send_releases_of_parent(),
            Due::TooMany => unreachable!("the child is honest"),
        }
    }
}

impl Loop for Wire {
    fn invoke(&self, _id: LentId, _form: Encoding, _argument: Vec<u8>, _arrivals: Vec<Arrival>) -> bool {
        unreachable!("no callback is called from within the child")
    }

    fn run(
        &self,
        _id: LentId,
        name: String,
        _form: Encoding,
        _argument: Vec<u8>,
        _arrivals: Vec<Arrival>,
        _within: Duration,
    ) -> Result<Returned, CallError> {
        unreachable!("{name} is not called from within the child")
    }

    fn forget(&self, id: LentId) {
        let mut state = self.lock();
        assert!(state.closures.remove(&id) || state.child_finished, "the closure of {id} is dropped twice");
    }
}

/// Answers what came on a lane.
struct WireAnswer {
    wire: Arc<Wire>,
    lane: usize,
}

impl Answer for WireAnswer {
    fn send(&mut self, answer: Return<'_>) -> Result<(), OutletError> {
        let mut state = self.wire.lock();
        if state.closed {
            return Err(OutletError::Link(SendError::Closed));
        }
        if let Outcome::Refused(error) = &answer.outcome {
            let lost = match &**error {
                CallError::NoSuchObject { .. } => true,
                CallError::Arguments { reason, .. } => reason.contains("there is no object"),
                _ => false,
            };
            assert!(!lost, "a release has overtaken a use: {error}");
        }
        let message = ToChild::Object(call::ToChild::Return(answer));
        if self.lane == 0 {
            state.tell(&message);
        } else {
            state.push_to_child(self.lane, &message);
        }
        Ok(())
    }

    fn later(&self) -> Box<dyn Answer + Send> {
        unreachable!("no call is promised")
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}
