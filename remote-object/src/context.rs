use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use remote_child::Child;
use remote_protocol::call::{CallError, Invoke, Outcome, Release, Request, Root, Run};
use remote_protocol::codec::CowBytes;
use remote_protocol::contain::{Panic, contain, contain_and_locate};
use remote_protocol::id::{FrameId, LentId};
use remote_protocol::limits::NAME_BYTES;
use remote_protocol::payload::{Encoding, Payload};
use remote_protocol::service::{Callbacks, Respond};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::callback::{AnyCallback, Callback};
use crate::calling::{Calling, MadeCallback, Returned, done};
use crate::dynamic::{Place, RemoteObject};
use crate::exports::Server;
use crate::function::{self, AnyFunction, Function};
use crate::interface::Interface;
use crate::life::Life;
use crate::object::{Object, by_interface};
use crate::proxy;
use crate::remote::Remote;
use crate::scope::{self, Arrival, Receiver, Sending};
use crate::serving::answer_with;

/// From here a child's module reaches the objects of the parent, and makes callbacks.
///
/// There is one for each loader, see [`ChildExt`](crate::ChildExt), and one for each frame of it, see [`FrameExt`](crate::FrameExt). What is
/// made through a context ends with it: its closures are dropped, on the loop thread, and its callbacks are dead, here and in the
/// parent. A loader's context ends when the loader is unloaded, a frame's when the frame is
/// [reloaded](remote_child::Frame::reload) or goes, and both when the process ends. A context that is kept beyond its end still reaches
/// objects; what is made through it is dead from the beginning, and passing that is an error of the call. After a reload, ask the frame
/// for its new one.
#[derive(Clone)]
pub struct Context {
    child: Child,
    closures: Rc<Closures>,
    life: Arc<Life>,
    /// The frame it is of, if it is of one.
    frame: Option<FrameId>,
}

impl Context {
    pub(crate) const fn new(child: Child, closures: Rc<Closures>, life: Arc<Life>) -> Self {
        Self { child, closures, life, frame: None }
    }

    pub(crate) fn of_frame(self, frame: FrameId) -> Self {
        Self { frame: Some(frame), ..self }
    }

    /// The object that the parent exports as the module `name`: asked for twice, the same one.
    ///
    /// In the main process's own modules it is the object itself, and a method of it a direct call.
    ///
    /// # Blocking
    ///
    /// Until the parent has answered, at most for the [call deadline](Self::set_call_deadline); in the main process not at all.
    ///
    /// # Errors
    ///
    /// [`CallError`], naming what was asked for, when there is none, or it is no `T`.
    pub fn require<T: Interface + ?Sized>(&self, name: &str) -> Result<Remote<T>, CallError> {
        self.look_up(Root::Module(name.into()))
    }

    /// The object that the parent exports as the global `name`; otherwise as [`require`](Self::require).
    ///
    /// # Blocking
    ///
    /// As [`require`](Self::require).
    ///
    /// # Errors
    ///
    /// As [`require`](Self::require).
    pub fn global<T: Interface + ?Sized>(&self, name: &str) -> Result<Remote<T>, CallError> {
        self.look_up(Root::Global(name.into()))
    }

    /// The object that the parent exports as the module `name`, to be used by the names of its members, whatever it is.
    ///
    /// # Blocking
    ///
    /// As [`require`](Self::require).
    ///
    /// # Errors
    ///
    /// As [`require`](Self::require).
    pub fn require_dynamic(&self, name: &str) -> Result<RemoteObject, CallError> {
        self.look_up_dynamic(Root::Module(name.into()))
    }

    /// The object that the parent exports as the global `name`; otherwise as [`require_dynamic`](Self::require_dynamic).
    ///
    /// # Blocking
    ///
    /// As [`require`](Self::require).
    ///
    /// # Errors
    ///
    /// As [`require`](Self::require).
    pub fn global_dynamic(&self, name: &str) -> Result<RemoteObject, CallError> {
        self.look_up_dynamic(Root::Global(name.into()))
    }

    /// The object that stands for the parent's own process. It is asked for once for each `T`, and kept as long as this process runs;
    /// otherwise as [`require`](Self::require).
    ///
    /// # Blocking
    ///
    /// As [`require`](Self::require), when it is asked for first.
    ///
    /// # Errors
    ///
    /// As [`require`](Self::require).
    pub fn process<T: Interface + ?Sized>(&self) -> Result<Remote<T>, CallError> {
        let kept = self.closures.process.borrow().get(&TypeId::of::<T>()).cloned();
        if let Some(process) = kept.and_then(|kept| kept.downcast::<Remote<T>>().ok()) {
            return Ok((*process).clone());
        }
        let process = self.look_up::<T>(Root::Process)?;
        let old = self.closures.process.borrow_mut().insert(TypeId::of::<T>(), Rc::new(process.clone()));
        drop(old);
        Ok(process)
    }

    /// The window that this context's frame is in; otherwise as [`require`](Self::require).
    ///
    /// # Blocking
    ///
    /// Until the parent has answered, at most for the [call deadline](Self::set_call_deadline), in the main process as well: so it knows
    /// of a frame that was registered just now.
    ///
    /// # Errors
    ///
    /// [`CallError::NoFrame`] when the context is no frame's; [`CallError::Denied`] when the frame is gone; otherwise as
    /// [`require`](Self::require).
    pub fn current_window<T: Interface + ?Sized>(&self) -> Result<Remote<T>, CallError> {
        self.look_up(Root::CurrentWindow(self.frame("the current window")?))
    }

    /// The web contents that this context's frame belongs to; otherwise as [`current_window`](Self::current_window).
    ///
    /// # Blocking
    ///
    /// As [`current_window`](Self::current_window).
    ///
    /// # Errors
    ///
    /// As [`current_window`](Self::current_window).
    pub fn current_web_contents<T: Interface + ?Sized>(&self) -> Result<Remote<T>, CallError> {
        self.look_up(Root::CurrentWebContents(self.frame("the current web contents")?))
    }

    /// Makes a callback of a closure. It runs on the loop thread, once for each call, after what is running there then.
    ///
    /// The closure is dropped when neither this process nor the parent has a handle to the callback any more, or the context ends.
    #[track_caller]
    pub fn callback<A: DeserializeOwned + 'static>(&self, mut closure: impl FnMut(A) + 'static) -> Callback<A> {
        let call: CallbackClosure = Box::new(move |form, bytes, arrivals| {
            let argument = scope::decode_owned(form, bytes, arrivals);
            closure(argument.map_err(|reason| format!("called with something it does not take: {reason}"))?);
            Ok(())
        });
        let closure = Closure::Callback(RefCell::new(Some(call)));
        let made = self.closures.add(self.child.clone(), &self.life, Location::caller(), closure);
        Callback::new(AnyCallback::Made(made), Encoding::Typed)
    }

    /// Makes a function of a closure: a callback that returns. It runs on the loop thread, once for each call: while that waits in a call
    /// of its own, or after what is running there then. It may be called again while it runs, by what it calls itself.
    ///
    /// The closure is dropped when neither this process nor the parent has a handle to the function any more, or the context ends.
    #[track_caller]
    pub fn function<A, R>(&self, closure: impl Fn(A) -> R + 'static) -> Function<A, R>
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
    {
        let made_at = Location::caller();
        let name = function::name(&made_at.into());
        let run = move |form, bytes: &[u8], arrivals: Vec<Arrival>, receiver: Receiver, reply: Reply<'_>| {
            let argument = scope::decode_owned(form, bytes, arrivals)
                .map_err(|reason| CallError::Arguments { method: name.clone(), reason })?;
            let result = closure(argument);
            let failed = |reason: String| CallError::Result { method: name.clone(), reason };
            let sent = scope::encode(receiver, form, &result, |bytes, sending| reply(bytes, sending));
            sent.map_err(failed)?.map_err(failed)
        };
        let closure = Closure::Function(Rc::new(run));
        let made = self.closures.add(self.child.clone(), &self.life, made_at, closure);
        Function::new(AnyFunction::Made(made), Encoding::Typed)
    }

    /// How long calls that this process makes from now on may take, and functions that it calls of its own; the parent's call deadline,
    /// 30 s, if nothing is said. It is for the whole process, whatever context it is said to.
    pub fn set_call_deadline(&self, deadline: Duration) {
        self.closures.calling.set_deadline(deadline);
    }

    fn frame(&self, asked: &str) -> Result<FrameId, CallError> {
        self.frame.ok_or_else(|| CallError::NoFrame { asked: asked.to_owned() })
    }

    fn look_up<T: Interface + ?Sized>(&self, root: Root<'_>) -> Result<Remote<T>, CallError> {
        if !self.child.process().is_remote() {
            return self.look_up_here(root);
        }
        self.ask_for(root, Some(T::NAME))
    }

    fn look_up_dynamic(&self, root: Root<'_>) -> Result<RemoteObject, CallError> {
        if !self.child.process().is_remote() {
            return Ok(RemoteObject::new(Place::Here(self.find_here(root, None)?)));
        }
        self.ask_for(root, None)
    }

    fn ask_for<R: DeserializeOwned>(&self, root: Root<'_>, interface: Option<&str>) -> Result<R, CallError> {
        self.ask(root, interface, |payload, arrivals| proxy::decode(&payload, arrivals))
    }

    /// Asks the parent, and gives its answer to `take`.
    fn ask<R>(
        &self,
        root: Root<'_>,
        interface: Option<&str>,
        take: impl FnOnce(Payload<'_>, Result<Vec<Arrival>, String>) -> Result<R, String>,
    ) -> Result<R, CallError> {
        let name = root.to_string();
        let is_long = |name: &str| name.len() > NAME_BYTES;
        if root.name().is_some_and(is_long) || interface.is_some_and(is_long) {
            // Nothing can have it, and the parent ends who asks for it.
            return Err(CallError::NoSuchExport { root: name });
        }
        let request = Request::Lookup { root, interface: interface.map(Into::into) };
        self.closures.calling.request(request, Vec::new, &name, |outcome| {
            let (outcome, arrivals) = self.closures.calling.receive(outcome);
            take(done(outcome)?, arrivals).map_err(|reason| CallError::Result { method: name.clone(), reason })
        })?
    }

    /// In the main process: the object itself.
    fn look_up_here<T: Interface + ?Sized>(&self, root: Root<'_>) -> Result<Remote<T>, CallError> {
        let name = root.to_string();
        let object = self.find_here(root, Some(T::NAME))?;
        by_interface(&*object).map(Remote::new).ok_or_else(|| CallError::WrongInterface {
            root: name,
            expected: T::NAME.to_owned(),
            found: object.interface().to_owned(),
        })
    }

    fn find_here(&self, root: Root<'_>, interface: Option<&str>) -> Result<Arc<dyn Object>, CallError> {
        let name = root.to_string();
        let server = self.child.host().and_then(|host| host.downcast::<Server>().ok());
        let serving = server.and_then(|server| server.main());
        let serving = serving.ok_or_else(|| CallError::NotServed { asked: name.clone() })?;
        if root.frame().is_none() {
            return serving.resolve(&root);
        }
        // Asked by message, for the parent may not have come to the frame's own message.
        let lent = self.ask(root, interface, |_, arrivals| match arrivals?.first() {
            Some(Arrival::Proxy(proxy)) => Ok(serving.object(proxy.id())),
            _ => Err("found no object".to_owned()),
        })?;
        lent.ok_or(CallError::Disconnected { method: name })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("child", &self.child).finish_non_exhaustive()
    }
}

/// The closures behind the callbacks of a child, on its loop thread.
pub(crate) struct Closures {
    calling: Arc<Calling>,
    by_id: RefCell<HashMap<LentId, Rc<Entry>>>,
    /// What stands for the parent's process, as a `Remote<T>` of each interface it was asked for by.
    process: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
}

struct Entry {
    /// Who made it, to whose errors its own are added.
    child: Child,
    life: Arc<Life>,
    made_at: String,
    closure: Closure,
}

enum Closure {
    /// Empty while it runs.
    Callback(RefCell<Option<CallbackClosure>>),
    Function(Rc<FunctionClosure>),
}

type CallbackClosure = Box<dyn FnMut(Encoding, &[u8], Vec<Arrival>) -> Result<(), String>>;

/// Takes the argument and whom the result is for, and gives that to what replies.
type FunctionClosure = dyn Fn(Encoding, &[u8], Vec<Arrival>, Receiver, Reply<'_>) -> Result<(), CallError>;

/// Sends the result of a function. An error says why nothing was sent.
type Reply<'a> = &'a mut dyn FnMut(&[u8], Sending) -> Result<(), String>;

impl Closures {
    pub(crate) fn new(calling: Arc<Calling>) -> Rc<Self> {
        Rc::new(Self { calling, by_id: RefCell::default(), process: RefCell::default() })
    }

    fn add(
        &self,
        child: Child,
        life: &Arc<Life>,
        made_at: &'static Location<'static>,
        closure: Closure,
    ) -> Arc<MadeCallback> {
        let made = self.calling.make_callback(life, made_at);
        if !life.has_ended() {
            let entry = Entry { child, life: Arc::clone(life), made_at: made_at.to_string(), closure };
            self.by_id.borrow_mut().insert(made.id(), Rc::new(entry));
        }
        made
    }

    /// Drops a closure, outside the borrow: it may hold other callbacks.
    pub(crate) fn forget(&self, id: LentId) {
        let gone = self.by_id.borrow_mut().remove(&id);
        drop(gone);
    }

    /// Calls a closure; what goes wrong in it is reported to the parent. `false` when there is none: it may have gone while the call was
    /// on its way.
    pub(crate) fn call(&self, id: LentId, form: Encoding, argument: &[u8], arrivals: Vec<Arrival>) -> bool {
        let Some(entry) = self.by_id.borrow().get(&id).cloned() else { return false };
        let Closure::Callback(cell) = &entry.closure else {
            let message = "it is a function, and was not called as one".to_owned();
            entry.child.report_callback(entry.made_at.clone(), message);
            return true;
        };
        // One that is called while it runs cannot be: it would have to be borrowed twice. Only its own nested waiting could do that.
        let Some(mut closure) = cell.take() else { return true };
        let called = contain(|| closure(form, argument, arrivals));
        cell.replace(Some(closure));
        if let Err(message) = called.unwrap_or_else(|panic| Err(format!("panicked: {panic}"))) {
            entry.child.report_callback(entry.made_at.clone(), message);
        }
        true
    }

    /// Calls a function, and gives its result to what replies, unless there is an error.
    fn run_function(
        &self,
        id: LentId,
        form: Encoding,
        argument: &[u8],
        arrivals: Vec<Arrival>,
        receiver: Receiver,
        reply: Reply<'_>,
    ) -> Result<(), CallError> {
        let entry = self.by_id.borrow().get(&id).cloned();
        let entry = entry.ok_or_else(|| CallError::NoSuchFunction { function: format!("function {id}") })?;
        let Closure::Function(closure) = &entry.closure else {
            let function = format!("callback made at {}", entry.made_at);
            return Err(CallError::Arguments { method: function, reason: "it returns nothing".to_owned() });
        };
        contain_and_locate(|| closure(form, argument, arrivals, receiver, reply)).unwrap_or_else(|panic| {
            let Panic { message, location, .. } = panic;
            let method = format!("function made at {}", entry.made_at);
            tracing::error!(method, %message, "a function panicked");
            Err(CallError::Panicked { method, message, location })
        })
    }

    /// Calls a function for this process itself.
    pub(crate) fn run_here(
        &self,
        id: LentId,
        form: Encoding,
        argument: &[u8],
        arrivals: Vec<Arrival>,
    ) -> Result<Returned, CallError> {
        let mut returned = None;
        self.run_function(id, form, argument, arrivals, Receiver::Local, &mut |bytes, sending| {
            returned = Some((bytes.to_vec(), sending.kept));
            Ok(())
        })?;
        returned.ok_or_else(|| CallError::NoSuchFunction { function: format!("function {id}") })
    }

    /// Lets go of everything: the loop ends.
    pub(crate) fn close(&self) {
        self.calling.close();
        let gone = (self.by_id.take(), self.process.take());
        drop(gone);
    }

    /// A context has ended: its callbacks are dead, then its closures are dropped, outside the borrow.
    pub(crate) fn end(&self, life: &Arc<Life>) {
        let of_life = |_: &LentId, entry: &mut Rc<Entry>| Arc::ptr_eq(&entry.life, life);
        let gone: Vec<_> = self.by_id.borrow_mut().extract_if(of_life).collect();
        let ids: Vec<_> = gone.iter().map(|(id, _)| *id).collect();
        self.calling.revoke(life, &ids);
        for (_, entry) in gone {
            let made_at = entry.made_at.clone();
            // One that runs at this moment is dropped when it has returned.
            if let Err(panic) = contain(|| drop(entry)) {
                tracing::error!(%panic, made_at, "the destructor of a callback's closure panicked");
            }
        }
    }
}

impl Callbacks for Closures {
    fn invoke(&self, invoke: Invoke<'_>) {
        match self.calling.arrive(invoke.argument.references) {
            Ok(arrivals) => {
                if !self.call(invoke.callback, invoke.form, &invoke.argument.bytes.0, arrivals) {
                    self.calling.revoke_again(invoke.callback);
                }
            }
            // The parent sends callbacks to no child, so that it does not come to this.
            Err(reason) => tracing::error!(%reason, "the parent called a callback wrongly"),
        }
    }

    fn run(&self, run: Run<'_>, answer: Respond<'_>) {
        let Run { function, form, argument, .. } = run;
        let receiver = Receiver::Parent(Arc::clone(&self.calling));
        let mut answered = false;
        let arrivals = self.calling.arrive(argument.references);
        let ran = match arrivals {
            Ok(arrivals) => {
                let mut reply = |bytes: &[u8], sending: Sending| {
                    let Sending { receiver, references, kept, .. } = sending;
                    let lent = scope::copied(&references);
                    let payload = Payload { bytes: CowBytes(Cow::Borrowed(bytes)), references };
                    let sent = answer(Outcome::Done(payload));
                    answered = sent.is_ok();
                    // What it refers to is kept until now: its release goes behind it.
                    drop(kept);
                    sent.map_err(|error| {
                        scope::undo(receiver.as_ref(), lent);
                        error.to_string()
                    })
                };
                self.run_function(function, form, &argument.bytes.0, arrivals, receiver, &mut reply)
            }
            Err(reason) => Err(CallError::Arguments { method: format!("function {function}"), reason }),
        };
        // A panic after it was answered is in the log.
        if let Err(error) = ran
            && !answered
        {
            // A link that is closed is found out by the loop.
            let _ = answer_with(Outcome::Refused(Box::new(error)), answer);
        }
    }

    fn refuse(&self, run: Run<'_>, limit: usize, answer: Respond<'_>) {
        let made_at = self.by_id.borrow().get(&run.function).map(|entry| entry.made_at.clone());
        let function =
            made_at.map_or_else(|| format!("function {}", run.function), |at| format!("function made at {at}"));
        // Nobody looks at them, so they are given back.
        drop(self.calling.arrive(run.argument.references));
        let _ = answer(Outcome::Refused(Box::new(CallError::TooDeep { function, limit })));
    }

    fn release(&self, release: Release) {
        if let Err(reason) = self.calling.release(release) {
            tracing::error!(%reason, id = %release.id, "the parent released a callback wrongly");
        }
    }
}
