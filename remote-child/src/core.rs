use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remote_protocol::call::{self, CallError, FunctionResult, Outcome, Run, ShortReturn};
use remote_protocol::contain::contain;
use remote_protocol::endpoint::{Inlet, Pause};
use remote_protocol::id::{CallId, FrameId, InvocationId, LoaderId, ProcessId};
use remote_protocol::limits;
use remote_protocol::link::Receive;
use remote_protocol::message::{Event, ToChild, ToParent, Trouble, Welcome};
use remote_protocol::record::{Budget, Message};
use remote_protocol::service::{CallFailure, Callbacks, LateReturns};
use remote_protocol::state::child::Session;

use crate::child::UnloadReason;
use crate::driver::HostShared;
use crate::extensions::Extensions;
use crate::frame::{Frame, FrameOptions, Shared};
use crate::lanes::Lanes;
use crate::loader::Loader;
use crate::nesting::{Nesting, Running, TooDeep};
use crate::port::EmitError;

/// All that belongs to the loop thread of a child.
///
/// No cell is borrowed while code of the application runs: it may come back to any of them.
pub(crate) struct Core {
    session: RefCell<Session>,
    welcome: OnceCell<Welcome>,
    host: Option<HostShared>,
    pub(crate) lanes: Arc<Lanes>,
    inlet: MainInlet,
    pub(crate) loaders: RefCell<BTreeMap<LoaderId, Rc<Loader>>>,
    frames: RefCell<BTreeMap<FrameId, Rc<Shared>>>,
    callbacks: RefCell<Option<Rc<dyn Callbacks>>>,
    pub(crate) extensions: Extensions,
    pub(crate) nesting: Nesting,
    closing: Cell<bool>,
    /// Nothing new begins: everything is being unloaded.
    ending: Cell<bool>,
}

impl Core {
    pub(crate) fn new(session: Session, host: Option<HostShared>, lanes: Arc<Lanes>, rx: Box<dyn Receive>) -> Rc<Self> {
        let inlet = MainInlet::new(rx);
        Rc::new(Self {
            session: RefCell::new(session),
            welcome: OnceCell::new(),
            host,
            lanes,
            inlet,
            loaders: RefCell::default(),
            frames: RefCell::default(),
            callbacks: RefCell::default(),
            extensions: Extensions::default(),
            nesting: Nesting::default(),
            closing: Cell::new(false),
            ending: Cell::new(false),
        })
    }

    /// The core whose loop runs on this thread, if its lanes are these.
    pub(crate) fn of_this_thread(lanes: &Lanes) -> Option<Rc<Self>> {
        Self::on_this_thread().filter(|core| std::ptr::eq(&*core.lanes, lanes))
    }

    /// The core whose loop runs on this thread.
    pub(crate) fn on_this_thread() -> Option<Rc<Self>> {
        LOOP.with_borrow(|core| core.clone())
    }

    /// Makes this thread the loop thread of `core`, or of none.
    pub(crate) fn set_this_thread(core: Option<Rc<Self>>) {
        let old = LOOP.replace(core);
        drop(old);
    }

    pub(crate) const fn session(&self) -> &RefCell<Session> {
        &self.session
    }

    pub(crate) const fn inlet(&self) -> &MainInlet {
        &self.inlet
    }

    pub(crate) fn welcomed(&self, welcome: Welcome) {
        self.lanes.set_limits(welcome.limits);
        // The session takes one welcome only.
        let _ = self.welcome.set(welcome);
    }

    pub(crate) fn process(&self) -> ProcessId {
        let serial = self.welcome.get().map_or(0, |welcome| welcome.process.serial());
        ProcessId::new(std::process::id(), serial)
    }

    pub(crate) fn is_remote(&self) -> bool {
        self.welcome.get().is_some_and(|welcome| welcome.remote)
    }

    /// How long this process waits for the parent when it says nothing else.
    pub(crate) fn deadline(&self) -> Duration {
        self.welcome.get().map_or(limits::CALL, |welcome| welcome.deadline)
    }

    pub(crate) fn host(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.host.as_ref()?()
    }

    pub(crate) fn close(&self) {
        self.closing.set(true);
    }

    pub(crate) fn set_ending(&self) {
        self.ending.set(true);
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(crate) fn serve(&self, callbacks: Rc<dyn Callbacks>, late: Arc<dyn LateReturns>) {
        let old = self.callbacks.replace(Some(callbacks));
        drop(old);
        self.lanes.set_late(late);
    }

    pub(crate) fn callbacks(&self) -> Option<Rc<dyn Callbacks>> {
        self.callbacks.borrow().clone()
    }

    pub(crate) fn loader(&self, id: LoaderId) -> Option<Rc<Loader>> {
        self.loaders.borrow().get(&id).cloned()
    }

    /// Sends a message of the session; a link that is closed is found out by the loop.
    pub(crate) fn send(&self, message: Option<ToParent<'_>>) {
        if let Some(message) = message {
            let sent = self.lanes.send(&message);
            if let Err(error) = sent {
                tracing::debug!(%error, "not sent");
            }
        }
    }

    /// Reports trouble in the application's code to the parent.
    pub(crate) fn report(&self, loader: LoaderId, trouble: Trouble) {
        tracing::warn!(%trouble);
        self.send(Some(ToParent::Trouble { loader, trouble }));
    }

    pub(crate) fn emit(&self, event: Event<'_>) -> Result<(), EmitError> {
        let patience = self.deadline();
        // Mostly there is room, and nobody need know what time it is.
        let mut deadline = None;
        loop {
            let admitted = self.session.borrow_mut().admit(&event);
            let full = match admitted {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    let sent = self.lanes.send(&ToParent::Event(event));
                    return sent.map_err(|_| EmitError::Disconnected);
                }
                Err(full) => full,
            };
            if self.nesting.is_in_function() {
                // The thread that waits for the function may be the one that would handle what was sent.
                return Err(EmitError::Backlog { unhandled: full.unhandled, after: Duration::ZERO });
            }
            let deadline = *deadline.get_or_insert_with(|| limits::deadline(Instant::now(), patience));
            let begun = self.nesting.begun();
            // What a function waited for may have been credit.
            self.wait(None, deadline, &|| self.nesting.begun() != begun, |message| match message {
                ToChild::Handled { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(message),
            })
            .map_err(|failure| match failure {
                WaitFailure::Deadline => EmitError::Backlog { unhandled: full.unhandled, after: patience },
                WaitFailure::Closed => EmitError::Disconnected,
            })?;
        }
    }

    /// Runs a function for the parent, which waits for its result.
    pub(crate) fn run(&self, run: Run<'_>) {
        let invocation = run.invocation;
        let mut answered = false;
        let mut answer = |outcome: Outcome<'_>| {
            let result = FunctionResult { invocation, outcome };
            let sent = self.lanes.send(&ToParent::Object(call::ToParent::Result(result)));
            answered |= sent.is_ok();
            sent
        };
        let ran = contain(|| match (self.callbacks(), self.begin_function(Some(invocation))) {
            (Some(callbacks), Ok(_running)) => callbacks.run(run, &mut answer),
            (Some(callbacks), Err(TooDeep { limit })) => callbacks.refuse(run, limit, &mut answer),
            (None, _) => {
                let error = CallError::NoSuchFunction { function: format!("function {}", run.function) };
                // A link that is closed is found out by the loop.
                let _ = answer(Outcome::Refused(Box::new(error)));
            }
        });
        if let Err(panic) = ran {
            // Functions are contained one by one; what is left are destructors.
            tracing::error!(%panic, "a destructor of the application panicked");
            if !answered {
                let function = "a function".to_owned();
                let error = CallError::Panicked { method: function, message: panic, location: None };
                let result = FunctionResult { invocation, outcome: Outcome::Refused(Box::new(error)) };
                self.send(Some(ToParent::Object(call::ToParent::Result(result))));
            }
        }
    }

    /// A function begins on this thread; it ends when what this gives is dropped.
    pub(crate) fn begin_function(&self, invocation: Option<InvocationId>) -> Result<Running<'_>, TooDeep> {
        self.nesting.begin(invocation, self.lanes.limits().max_nested_functions())
    }

    /// Runs the functions that other threads of this process wait for.
    pub(crate) fn run_posted_functions(&self) {
        while let Some(task) = self.lanes.next_function() {
            if let Err(message) = contain(|| task(self)) {
                self.report(LoaderId::FIRST, Trouble::TaskPanicked { message });
            }
        }
    }

    /// Waits for the return of a call of this thread. Functions are run meanwhile; everything else waits, in order.
    pub(crate) fn wait_for_return(
        &self,
        id: CallId,
        within: Duration,
        take: &mut dyn FnMut(Outcome<'_>),
    ) -> Result<(), CallFailure> {
        // Mostly the next message is the return, and comes at once: then nobody need know that it is waited for, nor until when.
        let mut first = None;
        if !self.lanes.has_functions() {
            first = self.inlet.soon();
            if let Some(Ok(message)) = &first
                && let Some(answer) = ShortReturn::read(message).filter(|answer| answer.call == id)
            {
                take(answer.outcome());
                if let Some(Ok(message)) = first {
                    self.inlet.recycle(message);
                }
                return Ok(());
            }
        }
        let deadline = limits::deadline(Instant::now(), within);
        let awaited = self.nesting.wait_for(id);
        let waited = self.wait(first, deadline, &|| awaited.has_come(), |message| match message {
            ToChild::Object(call::ToChild::Return(answer)) if answer.call == id => {
                take(answer.outcome);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(message),
        });
        if let Some(early) = awaited.early()
            && let Ok(ToChild::Object(call::ToChild::Return(answer))) = ToChild::decode(&early)
        {
            take(answer.outcome);
            return Ok(());
        }
        waited.map_err(|failure| match failure {
            WaitFailure::Deadline => {
                self.lanes.given_up(id);
                CallFailure::Deadline(id)
            }
            WaitFailure::Closed => CallFailure::Disconnected,
        })
    }

    /// Receives on the main lane until something that arrives has settled what is waited for, or nothing more can. Functions are run
    /// meanwhile.
    pub(crate) fn wait_until(&self, deadline: Instant, settled: &dyn Fn() -> bool) {
        // Whether it is settled, the caller sees for itself; at the end of the link it is.
        let _ = self.wait(None, deadline, settled, |message| ControlFlow::Continue(message));
    }

    /// Waits on the main lane for what `done` breaks at, or until what came or was run meanwhile has `settled` it. What it lets pass waits
    /// for the loop, in order, but for functions, credit, and returns that are waited for further out or that no thread is blocked for.
    /// `first` is what came before, if anything did.
    fn wait(
        &self,
        mut first: Option<Result<Message, Pause>>,
        deadline: Instant,
        settled: &dyn Fn() -> bool,
        mut done: impl FnMut(ToChild<'_>) -> ControlFlow<(), ToChild<'_>>,
    ) -> Result<(), WaitFailure> {
        for received in 1_usize.. {
            let next = match first.take() {
                Some(next) => next,
                None => {
                    self.run_posted_functions();
                    if settled() {
                        return Ok(());
                    }
                    // Whoever receives notices the deadline when there is nothing to receive.
                    if received % LOOKED == 0 && deadline <= Instant::now() {
                        return Err(WaitFailure::Deadline);
                    }
                    self.lanes.rest();
                    self.inlet.receive(Some(deadline))
                }
            };
            let flow = self.inlet.handle(next, |bytes| {
                let Ok(message) = ToChild::decode(bytes) else {
                    // The loop finds out again, and ends.
                    self.inlet.defer(bytes);
                    return ControlFlow::Break(Err(WaitFailure::Closed));
                };
                if let ToChild::Handled { cost } = message
                    && self.session.borrow_mut().credit(cost).is_err()
                {
                    return ControlFlow::Break(Err(WaitFailure::Closed));
                }
                if let ToChild::Object(call::ToChild::Released { batches }) = message {
                    let acknowledged = self.lanes.acknowledged(batches);
                    return acknowledged.map_or(ControlFlow::Break(Err(WaitFailure::Closed)), ControlFlow::Continue);
                }
                match done(message) {
                    ControlFlow::Break(()) => return ControlFlow::Break(Ok(())),
                    ControlFlow::Continue(ToChild::Object(call::ToChild::Return(answer))) => {
                        if !self.nesting.keep(answer.call, bytes) {
                            self.lanes.late(answer.call, answer.outcome);
                        }
                    }
                    ControlFlow::Continue(ToChild::Object(call::ToChild::Run(run))) => self.run(run),
                    ControlFlow::Continue(ToChild::Handled { .. }) => {}
                    ControlFlow::Continue(_) => self.inlet.defer(bytes),
                }
                ControlFlow::Continue(())
            });
            let failure = match flow {
                // Tasks are looked for before the loop waits the next time.
                Ok(ControlFlow::Continue(())) | Err(Pause::Woken) => continue,
                Ok(ControlFlow::Break(Ok(()))) => return Ok(()),
                Ok(ControlFlow::Break(Err(failure))) => failure,
                Err(Pause::TimedOut) => WaitFailure::Deadline,
                Err(Pause::Closed | Pause::Violation(_)) => WaitFailure::Closed,
            };
            if matches!(failure, WaitFailure::Closed) {
                // What runs next may wait for a thread that waits for a return.
                self.lanes.disconnected();
            }
            return Err(failure);
        }
        Err(WaitFailure::Deadline)
    }

    pub(crate) fn register_frame(
        &self,
        loader: &Rc<Loader>,
        content: Rc<dyn Any>,
        options: FrameOptions,
    ) -> Result<Frame, EmitError> {
        if loader.is_unloaded() {
            return Err(EmitError::Unloaded);
        }
        if self.ending.get() {
            return Err(EmitError::Disconnected);
        }
        let (id, message) = self.session.borrow_mut().register_frame(options.tab)?;
        // Sent first: what listeners for the attachment emit on the frame has to come after it.
        self.lanes.send(&message).map_err(|_| EmitError::Disconnected)?;
        let shared = self.attach_frame(id, options.tab, Some(content));
        let frame = loader.frames.borrow().get(id);
        Ok(frame.unwrap_or_else(|| {
            // A listener has closed it already.
            let frame = Frame::new(id, Rc::clone(loader), shared);
            frame.clear();
            frame
        }))
    }

    pub(crate) fn attach_frame(&self, id: FrameId, tab: bool, content: Option<Rc<dyn Any>>) -> Rc<Shared> {
        let shared = Shared::new(tab, content);
        self.frames.borrow_mut().insert(id, Rc::clone(&shared));
        for loader in self.all_loaders() {
            // A listener may have closed it.
            if self.frames.borrow().contains_key(&id) {
                loader.attach_frame(id, &shared);
            }
        }
        shared
    }

    /// Detaches a frame here and then tells the parent, after what the listeners for it emitted.
    pub(crate) fn close_frame(&self, id: FrameId) {
        let Some(shared) = self.frames.borrow_mut().remove(&id) else { return };
        for loader in self.all_loaders() {
            loader.detach_frame(id);
        }
        let message = self.session.borrow_mut().close_frame(id);
        self.send(message);
        drop(shared);
    }

    /// Ends what was kept with a frame, for all loaders.
    pub(crate) fn reload_frame(&self, id: FrameId) {
        for loader in self.all_loaders() {
            let frame = loader.frames.borrow().get(id);
            if let Some(frame) = frame {
                frame.end_extensions();
            }
        }
    }

    /// Makes a loader; it sees the frames that are there.
    pub(crate) fn open_loader(self: &Rc<Self>, id: LoaderId) {
        let loader = Loader::new(id, Rc::clone(self));
        let frames: Vec<_> = self.frames.borrow().iter().map(|(id, shared)| (*id, Rc::clone(shared))).collect();
        for (id, shared) in frames {
            loader.attach_frame(id, &shared);
        }
        self.loaders.borrow_mut().insert(id, loader);
    }

    /// Unloads a loader, and tells the parent after everything its modules said.
    pub(crate) fn unload(&self, id: LoaderId, reason: &UnloadReason) {
        let Some(loader) = self.loader(id) else { return };
        loader.unload(reason);
        let removed = self.loaders.borrow_mut().remove(&id);
        drop(removed);
        let message = self.session.borrow().unloaded(id);
        self.send(message);
    }

    pub(crate) fn close_all_frames(&self) {
        loop {
            let Some(id) = self.frames.borrow().first_key_value().map(|(id, _)| *id) else { return };
            self.close_frame(id);
        }
    }

    pub(crate) fn all_loaders(&self) -> Vec<Rc<Loader>> {
        self.loaders.borrow().values().cloned().collect()
    }
}

thread_local! {
    /// The core whose loop runs on this thread.
    static LOOP: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// After how many messages a wait looks at the clock, so that a parent that sends without end does not keep it for ever.
const LOOKED: usize = 256;

enum WaitFailure {
    Deadline,
    Closed,
}

/// The receiving end of the main lane, and what arrived on it while the loop waited for something else.
pub(crate) struct MainInlet {
    /// Borrowed while receiving only: handling a message may receive others.
    inlet: RefCell<Inlet>,
    deferred: RefCell<VecDeque<Vec<u8>>>,
}

impl MainInlet {
    fn new(rx: Box<dyn Receive>) -> Self {
        // The parent is trusted with our memory.
        Self { inlet: RefCell::new(Inlet::new(rx, Budget::unlimited())), deferred: RefCell::default() }
    }

    /// Waits for the next message.
    pub(crate) fn receive(&self, deadline: Option<Instant>) -> Result<Message, Pause> {
        self.inlet.borrow_mut().next(deadline)
    }

    /// The next message, if there is one.
    pub(crate) fn now(&self) -> Option<Result<Message, Pause>> {
        self.inlet.borrow_mut().now()
    }

    /// The next message, if it comes in a moment.
    fn soon(&self) -> Option<Result<Message, Pause>> {
        self.inlet.borrow_mut().soon()
    }

    /// Handles what was received.
    pub(crate) fn handle<R>(&self, next: Result<Message, Pause>, handle: impl FnOnce(&[u8]) -> R) -> Result<R, Pause> {
        let message = next?;
        let result = handle(&message);
        self.recycle(message);
        Ok(result)
    }

    fn recycle(&self, message: Message) {
        self.inlet.borrow_mut().recycle(message);
    }

    /// Keeps a message for the loop.
    fn defer(&self, message: &[u8]) {
        self.deferred.borrow_mut().push_back(message.to_owned());
    }

    /// The next message that was kept.
    pub(crate) fn next_deferred(&self) -> Option<Vec<u8>> {
        self.deferred.borrow_mut().pop_front()
    }
}
