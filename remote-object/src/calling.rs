//! A child's side: the proxies of the parent's objects, and the callbacks lent to it.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use hashbrown::hash_map::Entry;
use remote_protocol::call::{CallError, Outcome, Release, Request, Selector};
use remote_protocol::id::{CallId, FrameId, LentId};
use remote_protocol::limits::REVOKED;
use remote_protocol::link::BufferView;
use remote_protocol::payload::{Encoding, Location, Payload, Reference};
use remote_protocol::service::{CallFailure, Caller, LateReturns};

use crate::buffer::{HeldBuffer, RemoteBuffer};
use crate::callback::CallbackError;
use crate::function;
use crate::interface::{Interface, interfaces};
use crate::life::Life;
use crate::object::address;
use crate::proxy::Proxy;
use crate::scope::Arrival;
use crate::table::{Arrivals, Held, Lent};

mod started;

use started::Promised;
pub(crate) use started::{Answered, Started};

/// What one child holds of the parent, and what it has lent to it.
pub(crate) struct Calling {
    caller: Arc<dyn Caller>,
    looper: Arc<dyn Loop>,
    deadline_millis: AtomicU64,
    proxies: Mutex<Proxies>,
    callbacks: Mutex<Lent<()>>,
    /// Where buffers are seen, if the link has such memory.
    buffers: Option<Arc<dyn BufferView>>,
    /// What calls that were given up had sent: the parent may still come to it. Each has an entry until its return comes.
    late: Mutex<HashMap<CallId, Vec<Arrival>>>,
    promised: Mutex<Promised>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Proxies {
    held: Held<HeldProxy>,
    buffers: Held<HeldBuffer>,
}

/// How closures reach the loop thread, where they live.
pub(crate) trait Loop: Send + Sync {
    /// Calls a callback as if the parent had, after what is running there. `false` when the loop has ended.
    fn invoke(&self, id: LentId, form: Encoding, argument: Vec<u8>, arrivals: Vec<Arrival>) -> bool;

    /// Calls a function and waits for its result: on the loop thread at once. `name` is for errors.
    fn run(
        &self,
        id: LentId,
        name: String,
        form: Encoding,
        argument: Vec<u8>,
        arrivals: Vec<Arrival>,
        within: Duration,
    ) -> Result<Returned, CallError>;

    /// Drops the closure of a callback that nobody can call any more.
    fn forget(&self, id: LentId);
}

impl Calling {
    pub(crate) fn new(caller: Arc<dyn Caller>, looper: Arc<dyn Loop>, deadline: Duration) -> Arc<Self> {
        Arc::new(Self {
            buffers: caller.buffer_view(),
            caller,
            looper,
            deadline_millis: AtomicU64::new(millis(deadline)),
            proxies: Mutex::default(),
            // How many of them may be lent is another thing.
            callbacks: Mutex::new(Lent::new(usize::MAX)),
            late: Mutex::default(),
            promised: Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_millis.load(Ordering::Relaxed))
    }

    pub(crate) fn set_deadline(&self, deadline: Duration) {
        self.deadline_millis.store(millis(deadline), Ordering::Relaxed);
    }

    /// Sends a request, which refers to what `kept` gives, and gives its outcome to `take`. `name` is for errors.
    pub(crate) fn request<R>(
        &self,
        request: Request<'_>,
        kept: impl FnOnce() -> Vec<Arrival>,
        name: &str,
        take: impl FnOnce(Outcome<'_>) -> R,
    ) -> Result<R, RequestFailure> {
        let within = self.deadline();
        // By name, also a method that answers later may be called.
        let by_name = matches!(request, Request::Method { method: Selector::Named { .. }, .. });
        let mut take = Some(take);
        let mut result = None;
        let called = self.caller.call(request, within, &mut |outcome| {
            result = take.take().map(|take| take(outcome));
        });
        let method = || name.to_owned();
        let failed = |error| RequestFailure { error, sent: true };
        Err(match (called, result) {
            (Ok(()), Some(result)) => return Ok(result),
            (Err(CallFailure::Deadline(call)), _) => {
                // Unless the return has come meanwhile.
                if let Some(late) = lock(&self.late).get_mut(&call) {
                    *late = kept();
                }
                if by_name {
                    self.caller.cancel(call);
                }
                failed(CallError::Deadline { method: method(), after: within, waits: String::new() })
            }
            (Err(CallFailure::Busy), _) => {
                let error = CallError::Deadline { method: method(), after: within, waits: String::new() };
                RequestFailure { error, sent: false }
            }
            (Err(failure @ (CallFailure::TooLong { .. } | CallFailure::Unencodable)), _) => unsent(failure, name),
            (Ok(()) | Err(_), _) => failed(CallError::Disconnected { method: method() }),
        })
    }

    /// Resolves the references of a payload that arrived. From here on dropping them gives them back, whether or not anything
    /// looks at them.
    pub(crate) fn arrive(self: &Arc<Self>, references: Vec<Reference<'_>>) -> Result<Vec<Arrival>, String> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        let resolve = |reference: Reference<'_>| match reference {
            Reference::Object(id) => Ok(Arrival::Proxy(self.hold(id))),
            Reference::ObjectOf { id, interfaces } => {
                let held = self.hold(id);
                held.interfaces.get_or_init(|| Interfaces::Told(interfaces.into_iter().map(Cow::into_owned).collect()));
                Ok(Arrival::Proxy(held))
            }
            Reference::Buffer { id, length, copy, place } => {
                let copy = copy.as_ref().map(|copy| &*copy.0);
                let make = || HeldBuffer::new(Arc::clone(self), id, length, copy);
                let held = lock(&self.proxies).buffers.arrive(id, make);
                place.map_or(Ok(()), |place| held.show_at(place))?;
                Ok(Arrival::Buffer(RemoteBuffer::held(held)))
            }
            other => Err(format!("a {} of the parent's", other.kind())),
        };
        let resolved: Vec<_> = references.into_iter().map(resolve).collect();
        resolved.into_iter().collect()
    }

    fn hold(self: &Arc<Self>, id: LentId) -> Arc<HeldProxy> {
        let make = || HeldProxy {
            id,
            calling: Arc::clone(self),
            arrivals: Arrivals::default(),
            interfaces: OnceLock::new(),
            typed: Mutex::default(),
            address: AtomicUsize::new(0),
        };
        lock(&self.proxies).held.arrive(id, make)
    }

    /// Where buffers of the parent are seen, if the link has such memory.
    pub(crate) const fn buffer_view(&self) -> Option<&Arc<dyn BufferView>> {
        self.buffers.as_ref()
    }

    /// Nothing here can read a buffer any more.
    pub(crate) fn give_back_buffer(&self, id: LentId, arrivals: &Arrivals) {
        lock(&self.proxies).buffers.remove(id);
        self.caller.release(Release { id, count: arrivals.count() });
    }

    /// Takes the references out of an outcome, as [`arrive`](Self::arrive) does.
    pub(crate) fn receive<'a>(
        self: &Arc<Self>,
        mut outcome: Outcome<'a>,
    ) -> (Outcome<'a>, Result<Vec<Arrival>, String>) {
        let references = match &mut outcome {
            Outcome::Done(payload) | Outcome::Failed { error: payload, .. } => std::mem::take(&mut payload.references),
            Outcome::Refused(_) => Vec::new(),
        };
        let arrivals = self.arrive(references);
        (outcome, arrivals)
    }

    /// The proxy that lies at an address.
    pub(crate) fn proxy_at(&self, address: usize) -> Option<Arc<HeldProxy>> {
        typed_at(address).filter(|held| std::ptr::eq(&*held.calling, self))
    }

    /// Makes a callback, which ends with `life`; its closure is to be put under the id.
    pub(crate) fn make_callback(
        self: &Arc<Self>,
        life: &Arc<Life>,
        made_at: &'static std::panic::Location<'static>,
    ) -> Arc<MadeCallback> {
        let id = lock(&self.callbacks).insert(()).expect("memory ends long before slots do");
        Arc::new(MadeCallback { id, made_at: made_at.into(), life: Arc::clone(life), calling: Arc::clone(self) })
    }

    /// Counts a callback as lent.
    pub(crate) fn lend(self: &Arc<Self>, callback: &Arc<MadeCallback>) -> Result<LentId, String> {
        if !Arc::ptr_eq(self, &callback.calling) {
            return Err("this callback is another process's".to_owned());
        }
        let mut callbacks = lock(&self.callbacks);
        // Looked at under the lock: what is lent before the end is revoked, and after it nothing is.
        if callback.life.has_ended() {
            return Err(format!("the callback made at {} is gone with its frame or loader", callback.made_at));
        }
        let limit = self.caller.limits().max_lent();
        if callbacks.lent() >= limit && !callbacks.is_lent(callback.id) {
            return Err(format!(
                "more than {limit} callbacks and functions lent to the parent, which the loop has not taken back"
            ));
        }
        callbacks.lend(callback.id).map_err(|error| error.to_string())?;
        Ok(callback.id)
    }

    /// Takes back a reference to a callback that was not sent after all.
    pub(crate) fn take_back(&self, id: LentId) {
        // Fails only when the loop has ended meanwhile.
        let _ = self.release(Release { id, count: 1 });
    }

    /// The parent gives references to a callback back.
    pub(crate) fn release(&self, release: Release) -> Result<(), String> {
        let gone = lock(&self.callbacks).release(release.id, release.count).map_err(|error| error.to_string())?;
        if gone.is_some() {
            self.looper.forget(release.id);
        }
        Ok(())
    }

    /// Ends a life, and tells the parent of those of its callbacks that were lent.
    pub(crate) fn revoke(&self, life: &Life, callbacks: &[LentId]) {
        let table = lock(&self.callbacks);
        life.end();
        let lent: Vec<_> = callbacks.iter().copied().filter(|id| table.is_lent(*id)).collect();
        drop(table);
        for some in lent.chunks(REVOKED) {
            self.caller.revoke(some.to_vec());
        }
    }

    /// The parent called a callback that is dead: it got the reference, on another lane, after it had been told that it is.
    pub(crate) fn revoke_again(&self, id: LentId) {
        let lent = lock(&self.callbacks).is_lent(id);
        if lent {
            self.caller.revoke(vec![id]);
        }
    }

    /// What is held of the parent's objects.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn held(&self) -> std::collections::BTreeMap<LentId, u32> {
        lock(&self.proxies).held.counts()
    }

    /// What is held of the parent's buffers.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn held_buffers(&self) -> std::collections::BTreeMap<LentId, u32> {
        lock(&self.proxies).buffers.counts()
    }

    /// The callbacks, how many references the parent has to each, and whether this side can still send it.
    #[cfg(any(test, feature = "__fuzz"))]
    pub(crate) fn lent(&self) -> std::collections::BTreeMap<LentId, (u32, bool)> {
        lock(&self.callbacks).entries().map(|(id, (), count, kept)| (id, (count, kept))).collect()
    }

    /// The loop has ended: nothing can be called any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.break_promises();
        drop(lock(&self.callbacks).drain());
        let late = std::mem::take(&mut *lock(&self.late));
        drop(late);
    }
}

/// The result of a function, encoded, and what it refers to.
pub(crate) type Returned = (Vec<u8>, Vec<Arrival>);

/// What a call gave, or the error that any caller can read.
pub(crate) fn done(outcome: Outcome<'_>) -> Result<Payload<'_>, CallError> {
    match outcome {
        Outcome::Done(payload) => Ok(payload),
        Outcome::Failed { report, .. } => Err(CallError::Failed(*report)),
        Outcome::Refused(error) => Err(*error),
    }
}

/// Why a request has no outcome.
pub(crate) struct RequestFailure {
    pub(crate) error: CallError,
    /// Whether the parent may have it; if not, nothing that it refers to counts as lent.
    pub(crate) sent: bool,
}

impl From<RequestFailure> for CallError {
    fn from(failure: RequestFailure) -> Self {
        failure.error
    }
}

/// What it means that a request was not sent.
fn unsent(failure: CallFailure, name: &str) -> RequestFailure {
    let method = name.to_owned();
    let error = match failure {
        CallFailure::TooLong { length } => {
            CallError::Arguments { method, reason: format!("{length} bytes are too long for a message") }
        }
        CallFailure::Unencodable => CallError::Arguments { method, reason: "the message cannot be encoded".to_owned() },
        _ => CallError::Disconnected { method },
    };
    RequestFailure { error, sent: false }
}

/// Takes what was promised, and gives back what comes too late. A newtype, because that needs the `Arc`.
#[derive(Debug)]
pub(crate) struct Late(pub(crate) Arc<Calling>);

impl LateReturns for Late {
    fn given_up(&self, call: CallId) {
        lock(&self.0.late).insert(call, Vec::new());
    }

    fn late(&self, call: CallId, outcome: Outcome<'_>) {
        let Some(outcome) = self.0.returned(call, outcome) else { return };
        let kept = lock(&self.0.late).remove(&call);
        // Nobody looks at them, so they are given back.
        drop((kept, self.0.receive(outcome)));
    }

    fn disconnected(&self) {
        self.0.break_promises();
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// An object of the parent, as long as anything here can call it.
pub(crate) struct HeldProxy {
    id: LentId,
    pub(crate) calling: Arc<Calling>,
    arrivals: Arrivals,
    /// The name of its interface, and of those it inherits from, once something has said them.
    interfaces: OnceLock<Interfaces>,
    /// A `Weak<T>` of the typed proxy, whose `T` is of one interface.
    typed: Mutex<Option<Box<dyn Any + Send + Sync>>>,
    /// Where the typed proxy lies; 0 while there is none.
    address: AtomicUsize,
}

impl HeldProxy {
    pub(crate) const fn id(&self) -> LentId {
        self.id
    }

    /// The name of its interface; empty while nothing has said it.
    pub(crate) fn interface(&self) -> &str {
        match self.interfaces.get() {
            Some(Interfaces::Of { name, .. }) => name,
            Some(Interfaces::Told(names)) => names.first().map_or("", String::as_str),
            None => "",
        }
    }

    /// The typed proxy, if this is its interface or one that it inherits from; the name of its own if not.
    pub(crate) fn typed_if<T: Interface + ?Sized>(self: &Arc<Self>) -> Result<Arc<T>, String> {
        match self.interfaces.get() {
            Some(interfaces) if interfaces.contain(T::NAME) => Ok(self.typed()),
            _ => Err(self.interface().to_owned()),
        }
    }

    /// The typed proxy: the same one for as long as anybody holds it. It is of one interface, the one the object is lent by.
    pub(crate) fn typed<T: Interface + ?Sized>(self: &Arc<Self>) -> Arc<T> {
        // Held while one is made, so that two threads make one.
        let mut typed = lock(&self.typed);
        let cached = typed.as_ref().and_then(|typed| typed.downcast_ref::<Weak<T>>()).and_then(Weak::upgrade);
        cached.unwrap_or_else(|| {
            let made = self.make();
            *typed = Some(Box::new(Arc::downgrade(&made)));
            made
        })
    }

    fn make<T: Interface + ?Sized>(self: &Arc<Self>) -> Arc<T> {
        let made = T::proxy(Proxy::new(Arc::clone(self)));
        self.interfaces.get_or_init(|| Interfaces::Of { name: T::NAME, all: interfaces::<T> });
        let address = address(&made);
        let mut typed = lock(&TYPED);
        let old = self.address.swap(address, Ordering::Relaxed);
        if old != 0 {
            typed.remove(&old);
        }
        typed.insert(address, Arc::downgrade(self));
        made
    }
}

/// The name of an interface, and of those that it inherits from.
enum Interfaces {
    /// Those of a type of ours, which are not written down for each proxy of it.
    Of { name: &'static str, all: fn() -> Vec<&'static str> },
    /// Those that the parent told.
    Told(Vec<String>),
}

impl Interfaces {
    fn contain(&self, wanted: &str) -> bool {
        match self {
            Self::Of { name, all } => *name == wanted || all().contains(&wanted),
            Self::Told(names) => names.iter().any(|name| name == wanted),
        }
    }
}

impl AsRef<Arrivals> for HeldProxy {
    fn as_ref(&self) -> &Arrivals {
        &self.arrivals
    }
}

impl Drop for HeldProxy {
    fn drop(&mut self) {
        let mut proxies = lock(&self.calling.proxies);
        proxies.held.remove(self.id);
        drop(proxies);
        let address = self.address.load(Ordering::Relaxed);
        if address != 0 {
            let mut typed = lock(&TYPED);
            if let Entry::Occupied(place) = typed.entry(address)
                && place.get().strong_count() == 0
            {
                place.remove();
            }
        }
        self.calling.caller.release(Release { id: self.id, count: self.arrivals.count() });
    }
}

/// The object behind the typed proxy that lies at an address.
pub(crate) fn typed_at(address: usize) -> Option<Arc<HeldProxy>> {
    lock(&TYPED).get(&address).and_then(Weak::upgrade)
}

/// Where the typed proxies of this process lie, so that one that comes back as a plain `Arc<dyn Trait>` is recognised. What holds the
/// address keeps a weak handle to the proxy, so that nothing else can lie there.
static TYPED: LazyLock<Mutex<hashbrown::HashMap<usize, Weak<HeldProxy>>>> = LazyLock::new(Mutex::default);

/// A callback of this process, as long as it can still be sent.
pub(crate) struct MadeCallback {
    id: LentId,
    made_at: Location<'static>,
    life: Arc<Life>,
    calling: Arc<Calling>,
}

impl MadeCallback {
    pub(crate) const fn id(&self) -> LentId {
        self.id
    }

    pub(crate) const fn location(&self) -> &Location<'static> {
        &self.made_at
    }

    /// The frame whose context it ends with.
    pub(crate) fn frame(&self) -> Option<FrameId> {
        self.life.frame()
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.life.has_ended() && !self.calling.closed.load(Ordering::Acquire)
    }

    /// Calls it from within its own process.
    pub(crate) fn post(&self, form: Encoding, argument: Vec<u8>, arrivals: Vec<Arrival>) -> Result<(), CallbackError> {
        if self.is_alive() && self.calling.looper.invoke(self.id, form, argument, arrivals) {
            return Ok(());
        }
        Err(CallbackError::Detached { made_at: self.made_at.to_string() })
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.calling.deadline()
    }

    /// Calls it, as a function, from within its own process.
    pub(crate) fn run(
        &self,
        form: Encoding,
        argument: Vec<u8>,
        arrivals: Vec<Arrival>,
        within: Duration,
    ) -> Result<Returned, CallError> {
        let name = function::name(&self.made_at);
        if !self.is_alive() {
            return Err(CallError::NoSuchFunction { function: name });
        }
        self.calling.looper.run(self.id, name, form, argument, arrivals, within)
    }
}

impl Drop for MadeCallback {
    fn drop(&mut self) {
        if lock(&self.calling.callbacks).unkeep(self.id).is_some() {
            self.calling.looper.forget(self.id);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Locks a table of ours. No code of the application runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
