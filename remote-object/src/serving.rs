//! The parent's side: the objects lent to one process, and the callbacks held of it.

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use remote_protocol::call::{Call, CallError, Outcome, Release, Request, Return, Root, Selector, ShortCall, ToParent};
use remote_protocol::codec::{self, CowBytes};
use remote_protocol::contain::contain;
use remote_protocol::endpoint::OutletError;
use remote_protocol::id::{CallId, FrameId, LentId, ProcessId};
use remote_protocol::limits::{Limits, NAME_BYTES, RELEASES, REVOKED};
use remote_protocol::payload::{Encoding, Location, Payload, Reference};
use remote_protocol::service::{Abuse, Alive, Answer, ArrivedOutcome, Notify, Service};
use remote_protocol::value::{self, ReferenceKind, Value};
use serde::Serialize;

use crate::buffer::{LentMemory, Memory, READ, RemoteBuffer};
use crate::callback::AnyCallback;
use crate::calling::Returned;
use crate::exports::{self, FindFrame, Roots};
use crate::function::{AnyFunction, Returning};
use crate::invocation::{Arguments, Asker, Invocation};
use crate::leaks::{Census, Place, ProcessLeaks, Via};
use crate::object::{Object, Wanted};
use crate::policy::{Access, Decision, Filters};
use crate::scope::Arrival;
use crate::table::Arrivals;
use crate::waits::{self, Activity, Under, UnderWay};

mod held;
mod tables;
mod unanswered;

pub(crate) use held::HeldCallback;
use tables::{LentObject, Tables};
pub(crate) use unanswered::Room;
use unanswered::Unanswered;

/// What one process has been lent, and what is held of it.
pub(crate) struct Serving {
    process: ProcessId,
    /// Weak: what is exported may hold callbacks, and those hold us.
    roots: Weak<Roots>,
    /// Weak: they hold the parent.
    frames: Weak<dyn FindFrame>,
    /// What the application decides for this process alone.
    filters: Filters,
    child: Arc<dyn Notify>,
    tables: Mutex<Tables>,
    /// What the process may have.
    limits: Limits,
    under_way: UnderWay,
    unanswered: Unanswered,
    closed: AtomicBool,
}

impl Serving {
    pub(crate) fn new(
        process: ProcessId,
        roots: Weak<Roots>,
        frames: Weak<dyn FindFrame>,
        child: Arc<dyn Notify>,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            process,
            roots,
            frames,
            filters: Filters::default(),
            child,
            tables: Mutex::new(Tables::new(limits)),
            limits,
            under_way: UnderWay::default(),
            unanswered: Unanswered::default(),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) const fn process(&self) -> ProcessId {
        self.process
    }

    /// The frame of this id, if it is one of this process.
    pub(crate) fn find_frame(&self, frame: FrameId) -> Option<Box<dyn Any>> {
        self.frames.upgrade()?.find(self.process, frame)
    }

    pub(crate) const fn filters(&self) -> &Filters {
        &self.filters
    }

    /// Adds a filter for this process. `false` when it is gone.
    pub(crate) fn filter(&self, filter: Arc<dyn Fn(&Access<'_>) -> Decision + Send + Sync>) -> bool {
        self.filters.add(filter);
        if self.is_closed() {
            // It may have closed in between.
            self.filters.clear();
        }
        !self.is_closed()
    }

    /// What this process is given for a root.
    pub(crate) fn resolve(&self, root: &Root<'_>) -> Result<Arc<dyn Object>, CallError> {
        match self.roots.upgrade() {
            Some(roots) => roots.resolve(self, root),
            None => Err(CallError::NoSuchExport { root: root.to_string() }),
        }
    }

    /// An object that this process has been lent.
    pub(crate) fn object(&self, id: LentId) -> Option<Arc<dyn Object>> {
        self.tables().object(id).cloned()
    }

    /// Counts an object as lent: the same object, the same id.
    pub(crate) fn lend(&self, object: Arc<dyn Object>, via: &Via) -> Result<LentId, String> {
        // Where there is no room for it, it is dropped when nothing is locked any more: it may be the last.
        let kept = Arc::clone(&object);
        let mut tables = self.tables();
        let lent = if self.is_closed() { Err("the process is gone".to_owned()) } else { tables.lend(object, via) };
        drop(tables);
        drop(kept);
        lent
    }

    /// Counts a buffer as lent; gives also where the process sees its bytes, if it does.
    pub(crate) fn lend_buffer(&self, memory: &Memory, via: &Via) -> Result<(LentId, Option<u64>), String> {
        let id = self.lend(Arc::new(LentMemory::new(memory.clone())), via)?;
        let place = self.with_buffer(id, |lent| lent.place(|| self.child.buffer_space())).flatten();
        Ok((id, place))
    }

    /// Does something with a buffer that this process has been lent.
    fn with_buffer<R>(&self, id: LentId, act: impl FnOnce(&LentMemory) -> R) -> Option<R> {
        let object = self.object(id)?;
        object.as_any().downcast_ref().map(act)
    }

    /// A method begins to be served; it ends when what this gives is dropped.
    pub(crate) fn begin(&self, method: Cow<'static, str>) -> Begun<'_> {
        Begun { serving: self, under: self.under_way.serve(method) }
    }

    /// What the parent's threads do for the process.
    pub(crate) fn activities(&self) -> (ProcessId, Vec<Activity>) {
        (self.process, self.under_way.activities())
    }

    /// Who waits for whom, from a wait for a function of the process on.
    fn chain(&self, wait: u64) -> String {
        let processes = match self.roots.upgrade() {
            Some(roots) => roots.activities(),
            None => vec![self.activities()],
        };
        waits::chain(wait, &processes)
    }

    /// Takes back a reference that was not sent after all.
    pub(crate) fn take_back(&self, id: LentId) {
        // Fails only when the process has gone meanwhile.
        let _ = self.release(&[Release { id, count: 1 }]);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What the process has, and what of it is held.
    pub(crate) fn alive(&self) -> exports::Alive {
        let tables = self.tables();
        let callbacks = if self.is_closed() { 0 } else { tables.callbacks.len() };
        exports::Alive { objects: tables.len(), callbacks, buffer_bytes: tables.weight() }
    }

    /// The same by kind: objects by their interface, callbacks by where they were made.
    fn alive_by_kind(&self) -> Alive {
        let tables = self.tables();
        let mut objects: BTreeMap<&str, usize> = BTreeMap::new();
        for object in tables.objects() {
            *objects.entry(object.interface()).or_default() += 1;
        }
        let callbacks = tables.places.values().filter(|_| !self.is_closed());
        Alive {
            objects: objects.into_iter().map(|(interface, count)| (interface.to_owned(), count)).collect(),
            callbacks: callbacks.map(|place| (place.made_at.to_string(), place.live())).collect(),
        }
    }

    /// What is alive, and how it came to be; `None` when nothing is.
    pub(crate) fn leaks(&self) -> Option<ProcessLeaks> {
        if self.is_closed() {
            return None;
        }
        let mut census = Census::default();
        let tables = self.tables();
        tables.add_objects(&mut census);
        // Dropped when the table is not locked any more: one of them may be the last.
        let callbacks: Vec<_> = tables.callbacks.iter().collect();
        drop(tables);
        for held in &callbacks {
            census.add_callback(&held.place, held.frame, &held.via, held.since, !held.is_alive());
        }
        census.leaks(self.process.pid(), self.process.serial(), Instant::now())
    }

    /// Resolves the references of a payload that arrived. From here on dropping them gives them back, whether or not anything
    /// looks at them. `via` is what they came by.
    pub(crate) fn arrive(self: &Arc<Self>, references: Vec<Reference<'_>>, via: &Via) -> Result<Vec<Arrival>, String> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        // Those before an invalid one are given back with the rest.
        let resolve = |reference| match reference {
            Reference::Object(id) | Reference::ObjectOf { id, .. } => {
                let object = self.tables().object(id).cloned();
                object.map(Arrival::Object).ok_or_else(|| format!("there is no object {id} for this process"))
            }
            Reference::Buffer { id, .. } => {
                let memory = self.memory(id).ok_or_else(|| format!("there is no buffer {id} for this process"))?;
                Ok(Arrival::Buffer(RemoteBuffer::here(memory)))
            }
            Reference::Callback { id, frame, made_at } => {
                Ok(Arrival::Callback(AnyCallback::Held(self.hold(id, frame, made_at, via, false)?), Encoding::Typed))
            }
            Reference::Function { id, frame, made_at } => {
                Ok(Arrival::Function(AnyFunction::Held(self.hold(id, frame, made_at, via, true)?), Encoding::Typed))
            }
            Reference::Returning { result, made_at } => {
                let returning =
                    Returning { made_at: made_at.shortened().into_owned(), result: Ok(result.0.into_owned()) };
                Ok(Arrival::Function(AnyFunction::Returning(Arc::new(returning)), Encoding::Typed))
            }
        };
        let resolved: Vec<_> = references.into_iter().map(resolve).collect();
        resolved.into_iter().collect()
    }

    /// Counts a callback or function that has arrived.
    fn hold(
        self: &Arc<Self>,
        id: LentId,
        frame: Option<FrameId>,
        made_at: Location<'_>,
        via: &Via,
        returns: bool,
    ) -> Result<Arc<HeldCallback>, String> {
        let made_at = made_at.shortened();
        let mut tables = self.tables();
        let limit = self.limits.max_references();
        if tables.callbacks.len() >= limit && !tables.callbacks.contains(id) {
            drop(tables);
            self.child.release(Release { id, count: 1 });
            return Err(format!("more than {limit} callbacks of one process"));
        }
        let Tables { callbacks, places, .. } = &mut *tables;
        let mut many = None;
        let held = callbacks.arrive(id, || {
            let place = place(places, made_at);
            many = place.add();
            HeldCallback {
                id,
                frame,
                place,
                via: via.clone(),
                since: Instant::now(),
                revoked: AtomicBool::new(false),
                returns,
                serving: Arc::clone(self),
                arrivals: Arrivals::default(),
            }
        });
        drop(tables);
        if let Some(count) = many {
            let (process, made_at) = (self.process, held.location());
            tracing::warn!(%process, %made_at, count, "callbacks that were made at one place pile up");
        }
        if held.returns != returns {
            return Err(format!("{id} is a callback and a function"));
        }
        Ok(held)
    }

    fn call(self: &Arc<Self>, call: Call<'_>, answer: &mut dyn Answer) -> Result<(), Abuse> {
        match call.request {
            Request::Lookup { root, interface } => {
                let lengths = [root.name().map(str::len), interface.as_ref().map(|interface| interface.len())];
                if let Some(length) = lengths.into_iter().flatten().find(|length| *length > NAME_BYTES) {
                    return Err(Abuse::Name { length, limit: NAME_BYTES });
                }
                let outcome = self.look_up(&root, interface.as_deref());
                let outcome = outcome.unwrap_or_else(|error| Outcome::Refused(Box::new(error)));
                respond(answer, call.id, outcome);
            }
            Request::Method { object: id, method, arguments } => {
                let object = self.tables().object(id).cloned();
                match object {
                    Some(object) => {
                        let Payload { bytes, references } = arguments;
                        let dynamic = match method {
                            Selector::Typed(_) => Ok(None),
                            Selector::Named { .. } => codec::decode::<Value>(&bytes.0).map(Some),
                        };
                        match dynamic {
                            Ok(value) => {
                                let arguments = value.as_ref().map_or(Arguments::Typed(&bytes.0), Arguments::Dynamic);
                                let asker = Asker::Child { serving: self, call: call.id, references, answer };
                                object.dispatch(Invocation::new(method, arguments, asker));
                            }
                            Err(error) => {
                                // Nobody looks at them, so they are given back.
                                drop(self.arrive(references, &Via::unknown()));
                                let error =
                                    CallError::Arguments { method: method.to_string(), reason: error.to_string() };
                                respond(answer, call.id, Outcome::Refused(Box::new(error)));
                            }
                        }
                    }
                    None => self.refuse(call.id, id, &method, arguments.references, answer),
                }
            }
            Request::Read { buffer, offset, length } => self.read(call.id, buffer, offset, length, answer),
            Request::Share { buffer } => {
                let place = self.with_buffer(buffer, |lent| lent.share(|| self.child.buffer_space()));
                let outcome = place.map_or_else(|| no_such_buffer(buffer), |place| plain(&place));
                respond(answer, call.id, outcome);
            }
        }
        Ok(())
    }

    /// A buffer that this process has been lent.
    fn memory(&self, id: LentId) -> Option<Memory> {
        self.with_buffer(id, |lent| lent.memory().clone())
    }

    /// Answers with a piece of a buffer.
    fn read(&self, call: CallId, buffer: LentId, offset: u64, length: u64, answer: &mut dyn Answer) {
        let memory = self.memory(buffer);
        let outcome = match memory.as_ref().map(|memory| memory.piece(offset, length)) {
            Some(Ok(piece)) => Outcome::Done(Payload { bytes: CowBytes(Cow::Borrowed(piece)), references: Vec::new() }),
            Some(Err(error)) => Outcome::Refused(Box::new(error)),
            None => no_such_buffer(buffer),
        };
        respond(answer, call, outcome);
    }

    /// Answers a call of an object that is not there.
    fn refuse(
        self: &Arc<Self>,
        call: CallId,
        object: LentId,
        method: &Selector<'_>,
        references: Vec<Reference<'_>>,
        answer: &mut dyn Answer,
    ) {
        // Nobody looks at them, so they are given back.
        drop(self.arrive(references, &Via::unknown()));
        let error = CallError::NoSuchObject { id: object.to_string(), method: method.to_string() };
        respond(answer, call, Outcome::Refused(Box::new(error)));
    }

    fn look_up(&self, root: &Root<'_>, expected: Option<&str>) -> Result<Outcome<'static>, CallError> {
        let object = self.resolve(root)?;
        let found = object.interface();
        let object = match expected.filter(|expected| *expected != found) {
            None => object,
            Some(expected) => object.upcast(Wanted::Name(expected)).ok_or_else(|| CallError::WrongInterface {
                root: root.to_string(),
                expected: expected.to_owned(),
                found: found.to_owned(),
            })?,
        };
        let failed = |reason: String| CallError::Result { method: root.to_string(), reason };
        let interfaces = object.interfaces();
        let id = self.lend(object, &Via::Root(root.to_string().into())).map_err(failed)?;
        let lent = match expected {
            Some(_) => Reference::Object(id),
            None => Reference::ObjectOf { id, interfaces: interfaces.into_iter().map(Cow::Owned).collect() },
        };
        let mut bytes = Vec::new();
        let reference = value::Reference { kind: ReferenceKind::Object, index: 0 };
        codec::encode(&reference, &mut bytes).map_err(|error| failed(error.to_string()))?;
        let bytes = CowBytes(Cow::Owned(bytes));
        Ok(Outcome::Done(Payload { bytes, references: vec![lent] }))
    }

    /// Takes references back, those before an invalid one too.
    fn release(&self, releases: &[Release]) -> Result<(), Abuse> {
        let mut tables = self.tables();
        if self.is_closed() {
            // It has been let go of already.
            return Ok(());
        }
        let mut gone = Vec::new();
        let released = releases.iter().try_for_each(|one| {
            gone.extend(tables.release(*one)?);
            Ok(())
        });
        drop(tables);
        gone.into_iter().for_each(let_go);
        released
    }

    /// The child says that callbacks are dead. One that is not held has been let go of, or its reference is still under way; then the
    /// child says it again when it is called.
    fn revoke(&self, callbacks: &[LentId]) {
        let tables = self.tables();
        let held: Vec<_> = callbacks.iter().filter_map(|id| tables.callbacks.get(*id)).collect();
        drop(tables);
        for callback in &held {
            callback.revoked.store(true, Ordering::Release);
        }
    }

    /// What is held of the child's callbacks.
    #[cfg(test)]
    pub(crate) fn held(&self) -> BTreeMap<LentId, u32> {
        self.tables().callbacks.counts()
    }

    /// The objects, and how many references the child has to each.
    #[cfg(test)]
    pub(crate) fn lent(&self) -> BTreeMap<LentId, (Arc<dyn Object>, u32)> {
        self.tables().lent()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that a thread is in the midst of, until this is dropped.
pub(crate) struct Begun<'a> {
    serving: &'a Serving,
    under: Under,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.serving.under_way.end(self.under);
    }
}

/// What a process is served with. A newtype, because serving needs the `Arc`.
pub(crate) struct ProcessService(pub(crate) Arc<Serving>);

impl Service for ProcessService {
    fn handle(&self, message: ToParent<'_>, answer: &mut dyn Answer) -> Result<(), Abuse> {
        match message {
            ToParent::Call(call) => return self.0.call(call, answer),
            // Handed to `arrived` by whoever receives it.
            ToParent::Result(_) => {}
            ToParent::Release(releases) if releases.len() > RELEASES => {
                return Err(Abuse::Releases { count: releases.len(), limit: RELEASES });
            }
            ToParent::Release(releases) => return self.0.release(&releases),
            // The parent's own business.
            ToParent::Released { .. } => {}
            ToParent::Revoked { callbacks } if callbacks.len() > REVOKED => {
                return Err(Abuse::Revoked { count: callbacks.len(), limit: REVOKED });
            }
            ToParent::Revoked { callbacks } => self.0.revoke(&callbacks),
            ToParent::Cancel { call } => self.0.cancel(call),
        }
        Ok(())
    }

    fn call(&self, call: ShortCall<'_>, answer: &mut dyn Answer) -> Result<(), Abuse> {
        let Some(object) = self.0.object(call.object) else { return self.handle(ToParent::Call(call.into()), answer) };
        let asker = Asker::Child { serving: &self.0, call: call.id, references: Vec::new(), answer };
        object.dispatch(Invocation::new(Selector::Typed(call.method), Arguments::Typed(call.arguments), asker));
        Ok(())
    }

    fn alive(&self) -> Alive {
        self.0.alive_by_kind()
    }

    fn arrived(&self, outcome: Outcome<'_>) -> ArrivedOutcome {
        let returned: Arrived = match outcome {
            Outcome::Done(payload) => {
                let arrivals = self.0.arrive(payload.references, &Via::Result);
                Ok(arrivals.map(|arrivals| (payload.bytes.0.into_owned(), arrivals)))
            }
            // Functions return no error of their own; what such an error refers to is given back.
            Outcome::Failed { report, error } => {
                drop(self.0.arrive(error.references, &Via::Result));
                Err(CallError::Failed(*report))
            }
            Outcome::Refused(error) => Err(*error),
        };
        Box::new(returned)
    }

    fn under_way(&self) -> Vec<String> {
        let mut methods = self.0.under_way.methods();
        methods.extend(self.0.unanswered.methods());
        methods
    }

    fn disconnect(&self) {
        let mut tables = self.0.tables();
        self.0.closed.store(true, Ordering::Release);
        tables.let_go();
    }

    fn close(&self) {
        self.disconnect();
        let objects = self.0.tables().take_gone();
        self.0.unanswered.close();
        objects.into_iter().for_each(let_go);
        self.0.filters.clear();
        if let Some(roots) = self.0.roots.upgrade() {
            roots.forget(&self.0);
        }
    }
}

/// The place that is known as `made_at`.
fn place<'a>(places: &mut HashMap<Location<'static>, Arc<Place>>, made_at: Location<'a>) -> Arc<Place> {
    let known: &HashMap<Location<'a>, Arc<Place>> = places;
    if let Some(place) = known.get(&made_at) {
        return Arc::clone(place);
    }
    let made_at = made_at.into_owned();
    let place = Arc::new(Place::new(made_at.clone()));
    places.insert(made_at, Arc::clone(&place));
    place
}

/// Drops an object outside all locks: its destructor is the application's, and may panic.
fn let_go(object: LentObject) {
    if let Err(panic) = contain(|| drop(object)) {
        tracing::error!(%panic, "an object's destructor panicked");
    }
}

fn no_such_buffer(buffer: LentId) -> Outcome<'static> {
    Outcome::Refused(Box::new(CallError::NoSuchObject { id: buffer.to_string(), method: READ.to_owned() }))
}

/// The outcome of a request for something that refers to nothing.
fn plain<T: Serialize>(value: &T) -> Outcome<'static> {
    let mut bytes = Vec::new();
    match codec::encode(value, &mut bytes) {
        Ok(()) => Outcome::Done(Payload::plain(bytes)),
        Err(error) => {
            Outcome::Refused(Box::new(CallError::Result { method: READ.to_owned(), reason: error.to_string() }))
        }
    }
}

/// Answers with something that is short, or says how long it is. A child that is gone does not wait for it.
pub(crate) fn respond(answer: &mut dyn Answer, call: CallId, outcome: Outcome<'_>) {
    let answered = answer_with(outcome, |outcome| answer.send(Return { call, outcome }));
    if let Err(error) = answered {
        tracing::debug!(%error, "not answered");
    }
}

/// Answers through `send`. What is an answer itself and cannot be sent, an error that is longer than a message for example, is answered with
/// the reason of that, so that nobody waits for it in vain.
pub(crate) fn answer_with(
    outcome: Outcome<'_>,
    mut send: impl FnMut(Outcome<'_>) -> Result<(), OutletError>,
) -> Result<(), OutletError> {
    match send(outcome) {
        Err(error @ (OutletError::TooLong { .. } | OutletError::Encode(_))) => {
            let reason = format!("the error that it ended with cannot be sent: {error}");
            send(Outcome::Refused(Box::new(CallError::Result { method: "the call".to_owned(), reason })))
        }
        sent => sent,
    }
}

/// The outcome of a function: its result, unless that refers to what it cannot, or why there is none.
type Arrived = Result<Result<Returned, String>, CallError>;

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("process", &self.process).field("alive", &self.alive()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
