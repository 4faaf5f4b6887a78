use std::collections::VecDeque;
use std::fmt;
use std::process::{ChildStdin, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::call::{self, Invoke, Release, Return, ShortReturn};
use remote_protocol::endpoint::{Inlet, Outlet, OutletError};
use remote_protocol::id::{FrameId, LaneId, LentId, LoaderId, ProcessId};
use remote_protocol::limits::{CALL, Limits};
use remote_protocol::link::{self, BufferSpace, Link, SendError, Waker};
use remote_protocol::message::{Event, ToChild};
use remote_protocol::payload::{Encoding, Payload};
use remote_protocol::record::{Budget, Charge};
use remote_protocol::releases::Due;
use remote_protocol::service::{ArrivedOutcome, Notify, NotifyError, RunError, Serve, Service};
use remote_protocol::state::Violation;
use remote_protocol::state::parent::Session;
use remote_protocol::window::Debt;
use shared_child::SharedChild;

use crate::detach::DetachReason;
use crate::frame::Frame;
use crate::hub::{Turns, after, lock};
use crate::lane;
use crate::log;
use crate::process::{LastHeard, Streams};
use crate::pump::Pump;
use crate::watchdog::Watchdog;

mod ending;
mod functions;
mod invocations;
mod pulse;
pub(crate) mod reading;
pub(crate) mod waiting;

use ending::Ending;
use pulse::Pulse;
use reading::Reading;
use waiting::Waiting;

/// The parent's end of what joins it with one process.
pub(crate) struct Connection {
    id: ProcessId,
    limits: Limits,
    weak: Weak<Self>,
    state: Mutex<State>,
    link: OnceLock<Arc<dyn Link>>,
    waker: OnceLock<Waker>,
    /// Who reads the main lane.
    pub(crate) reading: Reading,
    /// For all that arrives and is kept.
    budget: Budget,
    pump: Option<Arc<Pump>>,
    /// The calls that the executor has not come to.
    pub(crate) waiting: Waiting,
    watchdog: Arc<Watchdog>,
    /// What the process's thread does before it handles the next message.
    local: Mutex<VecDeque<Local>>,
    /// Whether there is any of that. Changed under its lock.
    has_local: AtomicBool,
    /// `None` inside for a process that is a thread of ours.
    child: OnceLock<Option<Arc<SharedChild>>>,
    /// The other end of the child's standard input, where the system's own way to make that was not used.
    stdin: Mutex<Option<ChildStdin>>,
    service: OnceLock<Arc<dyn Service>>,
    /// Whether the child has been welcomed, so that calls may come.
    running: AtomicBool,
    /// Whether the child has said its last word on the main lane.
    heard_all: AtomicBool,
    /// Whether the link is closed: what was said before is still heard, but no call is begun.
    cut: AtomicBool,
    pulse: Pulse,
    /// What the events cost that were handled and that the session has not been told of.
    handled: AtomicU64,
    pub(crate) ending: Ending,
}

struct State {
    session: Session,
    /// `None` before there is a link, while the session holds everything back.
    outlet: Option<Outlet>,
    /// Why something was not sent, to be logged when nothing is locked any more: a subscriber is code of the application.
    unsent: Option<OutletError>,
}

/// Something that a thread of the parent wants told on the process's thread.
pub(crate) enum Local {
    FrameAttached(Turns<Frame>),
    Unresponsive,
    Responsive,
}

impl Connection {
    pub(crate) fn new(id: ProcessId, session: Session, pump: Option<Arc<Pump>>, watchdog: Arc<Watchdog>) -> Arc<Self> {
        let limits = session.limits();
        let budget = Budget::from(limits);
        Arc::new_cyclic(|weak| Self {
            id,
            limits,
            weak: Weak::clone(weak),
            state: Mutex::new(State { session, outlet: None, unsent: None }),
            link: OnceLock::new(),
            waker: OnceLock::new(),
            reading: Reading::new(limits, budget.clone()),
            budget,
            pump,
            waiting: Waiting::new(limits),
            watchdog,
            local: Mutex::default(),
            has_local: AtomicBool::new(false),
            child: OnceLock::new(),
            stdin: Mutex::default(),
            service: OnceLock::new(),
            running: AtomicBool::new(false),
            heard_all: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            pulse: Pulse::default(),
            handled: AtomicU64::new(0),
            ending: Ending::default(),
        })
    }

    pub(crate) const fn id(&self) -> ProcessId {
        self.id
    }

    /// What the process may have, do and cost.
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// For all that arrives and is kept.
    pub(crate) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    /// A message of this length is handed to the executor, if there is one; what this gives is to be dropped when it has been run. More than
    /// may lie unhandled elsewhere may not lie there either.
    pub(crate) fn hand_over(&self, length: usize) -> Result<Option<Charge>, Violation> {
        if self.pump.is_none() {
            return Ok(None);
        }
        reading::charge(&self.budget, length).map(Some)
    }

    pub(crate) fn set_child(&self, child: Option<Arc<SharedChild>>) {
        // Set once, where the process is started.
        let _ = self.child.set(child);
    }

    /// Whether there is a process of its own.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self.child.get(), Some(Some(_)))
    }

    /// Keeps the other end of the child's standard input until somebody takes it.
    #[cfg(target_os = "linux")]
    pub(crate) fn set_stdin(&self, stdin: Option<ChildStdin>) {
        *lock(&self.stdin) = stdin;
    }

    /// Takes the link into use; gives the receiving end of its main lane.
    pub(crate) fn set_link(&self, link: Arc<dyn Link>) -> Result<Inlet, link::OpenError> {
        let main = link.open(LaneId::MAIN)?;
        let weak = Weak::clone(&self.weak);
        link.on_lane(Box::new(move |id, lane| {
            if let Some(connection) = weak.upgrade() {
                match connection.limits.max_lanes() {
                    limit if id.0 >= limit => connection.violated(Violation::TooManyLanes { limit }),
                    _ => lane::serve(connection, id, lane),
                }
            }
        }));
        let weak = Weak::clone(&self.weak);
        link.on_close(Box::new(move |_closure| {
            if let Some(connection) = weak.upgrade() {
                connection.cut_off();
            }
        }));
        let _ = self.waker.set(main.rx.waker());
        lock(&self.state).outlet = Some(Outlet::new(main.tx, self.limits.max_message_bytes()));
        let _ = self.link.set(link);
        Ok(Inlet::new(main.rx, self.budget()))
    }

    /// The link is closed, perhaps while something was being sent, so with our lock held. Nobody waits for the calls that have not begun,
    /// and they are not; what the process held is let go of at once, though a method may take its time until the end is told.
    fn cut_off(&self) {
        let calls = self.service().map(|service| service.under_way()).unwrap_or_default();
        self.cut.store(true, Ordering::Release);
        self.hear_no_more();
        self.waiting.forget();
        if let Some(service) = self.service() {
            service.disconnect();
        }
        self.ending.set_link_closed(calls);
    }

    /// Whether the link is closed, so that nobody waits for calls any more.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Begins to serve objects.
    pub(crate) fn serve(&self, serve: &dyn Serve) {
        let child = Arc::new(WeakNotify { id: self.id, connection: Weak::clone(&self.weak) });
        // There is one service for each connection: the hub takes one server.
        let _ = self.service.set(serve.open(self.id, self.limits, child));
    }

    pub(crate) fn service(&self) -> Option<&Arc<dyn Service>> {
        self.service.get()
    }

    /// What runs the application's code, if that is not the threads of the process.
    pub(crate) const fn pump(&self) -> Option<&Arc<Pump>> {
        self.pump.as_ref()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Whether a call is served by the thread that receives it, and nobody else has to know of it.
    pub(crate) fn is_served_here(&self) -> bool {
        self.is_running() && self.pump.is_none() && !log::is_on()
    }

    /// [`is_served_here`](Self::is_served_here), for a call of the loop thread.
    pub(crate) fn serves_at_once(&self) -> bool {
        self.is_served_here() && !self.heard_all.load(Ordering::Acquire)
    }

    /// The child has said its last word on the main lane.
    pub(crate) fn hear_no_more(&self) {
        self.heard_all.store(true, Ordering::Release);
    }

    /// Does something with the session.
    pub(crate) fn with_session<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        act(&mut lock(&self.state).session)
    }

    /// Gives the session a command and sends the message it gives, in one step, so that nothing comes between. `None` when the session
    /// refuses; what it has nothing to send for now is no refusal.
    pub(crate) fn command<'a, M: Sendable<'a>>(&self, command: impl FnOnce(&mut Session) -> Option<M>) -> Option<()> {
        let mut state = lock(&self.state);
        let message = command(&mut state.session)?;
        if let Some(message) = message.sendable() {
            self.send_on(&mut state, &message);
        }
        let outstanding = state.session.unhandled() > 0;
        drop(state);
        self.watch(outstanding);
        Some(())
    }

    /// Sends a message that needs no decision, such as the answer to a call.
    pub(crate) fn send(&self, message: &ToChild<'_>) -> Result<(), OutletError> {
        let mut state = lock(&self.state);
        self.send_releases(&mut state);
        match &mut state.outlet {
            Some(outlet) => outlet.send_after(message, |bytes| log::sent(self.id, message, bytes)),
            None => Err(OutletError::Link(SendError::Closed)),
        }
    }

    /// [`send`](Self::send) for a return, of which there are many.
    pub(crate) fn send_return(&self, answer: Return<'_>) -> Result<(), OutletError> {
        if let Some(short) = ShortReturn::new(&answer)
            && !log::is_on()
        {
            let mut state = lock(&self.state);
            self.send_releases(&mut state);
            return state
                .outlet
                .as_mut()
                .map_or(Err(OutletError::Link(SendError::Closed)), |outlet| outlet.send(&short));
        }
        self.send(&ToChild::Object(call::ToChild::Return(answer)))
    }

    /// The process's thread is about to sleep: what the application has let go of does not rest meanwhile, if it can be sent.
    pub(crate) fn rest(&self) {
        let mut state = lock(&self.state);
        while !state.session.rest() {
            self.send_releases(&mut state);
        }
        let unsent = state.unsent.take();
        drop(state);
        if let Some(error) = unsent {
            // A link that is closed is found out by who receives.
            tracing::debug!(process = %self.id, %error, "not sent");
        }
    }

    /// Sends what was held back until the child had said hello.
    pub(crate) fn release_held(&self) {
        let mut state = lock(&self.state);
        // A welcomed child may call at once.
        self.running.store(true, Ordering::Release);
        while let Some(message) = state.session.poll() {
            self.send_on(&mut state, &message);
        }
    }

    pub(crate) fn emit(&self, event: &Event<'_>) -> Result<(), NotifyError> {
        self.try_command(|session| session.emit(event.borrowed()))
    }

    pub(crate) fn has_loader(&self, loader: LoaderId) -> bool {
        self.with_session(|session| session.loaders().any(|open| open == loader))
    }

    /// Whether something that was sent is not known to be handled.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.with_session(|session| session.unhandled() > 0)
    }

    pub(crate) fn is_responsive(&self) -> bool {
        !self.pulse.is_unresponsive()
    }

    /// Sees whether the process has handled anything since the last look, and has it told when it has not for too long. Gives whether
    /// something is outstanding.
    pub(crate) fn look_after(&self, limit: Duration) -> bool {
        let (unhandled, progress) = self.with_session(|session| (session.unhandled(), session.progress()));
        if unhandled == 0 {
            // It handled the last of it just after it was found unresponsive.
            self.recovered();
        }
        if self.pulse.look(unhandled, progress, limit) {
            self.push_local(Local::Unresponsive);
        }
        unhandled > 0 || !self.is_responsive()
    }

    /// The process has handled something.
    pub(crate) fn recovered(&self) {
        if self.pulse.recover() {
            self.push_local(Local::Responsive);
        }
    }

    /// An event of the child that cost this has been handled. Mostly it is not worth saying yet, and the session need not know.
    pub(crate) fn handled_event(&self, cost: u64) {
        let handled = self.handled.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
        if handled > Debt::worth_saying(self.limits.max_window()) {
            self.command(|session| session.handled(self.handled.swap(0, Ordering::Relaxed)));
        }
    }

    pub(crate) fn last_heard(&self) -> LastHeard {
        LastHeard { message: self.reading.last(), calls: self.ending.calls() }
    }

    pub(crate) fn take_streams(&self) -> Streams {
        match self.child.get() {
            Some(Some(child)) => {
                let stdin = lock(&self.stdin).take().or_else(|| child.take_stdin());
                Streams { stdin, stdout: child.take_stdout(), stderr: child.take_stderr() }
            }
            Some(None) | None => Streams::default(),
        }
    }

    pub(crate) fn close_frame(&self, frame: FrameId) {
        self.command(|session| session.close_frame(frame));
    }

    /// Asks the process to end. A child in a call that nobody will come to serve would not.
    pub(crate) fn ask_to_close(&self) {
        self.command(Session::close);
        if self.pump.as_ref().is_some_and(|pump| pump.waits_with_us()) {
            self.waiting.refuse();
        }
    }

    /// Asks the process to end, and kills it when it has not ended in time.
    pub(crate) fn close_in_background(&self, stop: Duration) {
        self.ask_to_close();
        let Some(this) = self.weak.upgrade() else { return };
        let deadline = after(stop);
        let closer = thread::Builder::new().name("remote-close".into()).spawn(move || {
            if !this.ending.wait_link_closed(deadline) {
                this.kill_unresponsive();
            }
        });
        if let Err(error) = closer {
            tracing::error!(process = %self.id, %error, "no thread to wait for the process, killing it");
            self.kill();
        }
    }

    /// Ends the process because it did not when it was asked to.
    pub(crate) fn kill_unresponsive(&self) {
        self.ending.judge(DetachReason::Unresponsive);
        self.kill();
    }

    /// Ends the process at once.
    pub(crate) fn kill(&self) {
        match self.child.get() {
            Some(Some(child)) => {
                if let Err(error) = child.kill() {
                    tracing::warn!(process = %self.id, %error, "not killed");
                }
            }
            Some(None) | None => {
                // What it manages to say meanwhile does not make it an end in good order.
                self.ending.judge(DetachReason::Disconnected);
                self.close_link();
            }
        }
    }

    /// Ends the process because it broke the protocol.
    pub(crate) fn violated(&self, violation: Violation) {
        // Several threads may find that it broke a rule, or the executor, of each message of many.
        if self.ending.judge(DetachReason::Violation(violation.clone())) {
            tracing::error!(process = %self.id, kind = violation.kind(), %violation, "ending the process");
        }
        self.kill();
        self.close_link();
    }

    pub(crate) fn close_link(&self) {
        if let Some(link) = self.link.get() {
            link.close();
        }
    }

    pub(crate) fn flush(&self, deadline: Instant) {
        if let Some(link) = self.link.get() {
            link.flush(deadline);
        }
    }

    /// The process has ended. Its link does too, in a moment; where something else keeps it open, we close it.
    pub(crate) fn exited(&self, status: Option<ExitStatus>) {
        self.ending.set_status(status);
        self.ending.wait_link_closed(after(DRAIN));
        self.close_link();
    }

    /// The link is closed and everything has been handled: waits for the end of the process, if need be by force, and says why it went.
    pub(crate) fn reason(&self, stop: Duration) -> DetachReason {
        // Who receives may learn of the close before what was being served has been noted.
        self.ending.wait_link_closed(after(stop));
        let announced = self.with_session(|session| session.has_ended());
        if self.is_process() && !self.ending.wait_status(after(stop)) {
            self.kill();
            self.ending.wait_status(after(stop));
        }
        self.ending.reason(announced)
    }

    pub(crate) fn push_local(&self, local: Local) {
        let mut locals = lock(&self.local);
        locals.push_back(local);
        self.has_local.store(true, Ordering::Release);
        drop(locals);
        self.wake();
    }

    /// Wakes whoever reads.
    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// What is next to do on the process's thread. Mostly there is nothing.
    #[inline]
    pub(crate) fn next_local(&self) -> Option<Local> {
        if self.has_local.load(Ordering::Acquire) { self.take_local() } else { None }
    }

    #[cold]
    fn take_local(&self) -> Option<Local> {
        let mut locals = lock(&self.local);
        let next = locals.pop_front();
        self.has_local.store(!locals.is_empty(), Ordering::Release);
        next
    }

    fn try_command<'a>(
        &self,
        command: impl FnOnce(&mut Session) -> Result<Option<ToChild<'a>>, NotifyError>,
    ) -> Result<(), NotifyError> {
        let mut state = lock(&self.state);
        let message = command(&mut state.session)?;
        if let Some(message) = message {
            self.send_on(&mut state, &message);
        }
        drop(state);
        self.watch(true);
        Ok(())
    }

    /// Has the process looked after while something is outstanding.
    fn watch(&self, outstanding: bool) {
        if outstanding {
            self.watchdog.wake();
        }
    }

    /// Sends a message, and what was let go of before.
    fn send_on(&self, state: &mut State, message: &ToChild<'_>) {
        self.send_releases(state);
        if let Some(outlet) = &mut state.outlet {
            let sent = outlet.send_after(message, |bytes| log::sent(self.id, message, bytes));
            state.unsent = state.unsent.take().or_else(|| sent.err());
        }
    }

    fn send_releases(&self, State { session, outlet, unsent }: &mut State) {
        // Without a link there has been nothing to let go of.
        let Some(outlet) = outlet else { return };
        while let Some(message) = session.releases() {
            let sent = outlet.send_after(&message, |bytes| log::sent(self.id, &message, bytes));
            *unsent = unsent.take().or_else(|| sent.err());
        }
    }

    /// Gives a callback back, by and by.
    fn release(&self, release: Release) {
        let mut state = lock(&self.state);
        let due = state.session.release(release);
        match due {
            Due::Later => {}
            Due::Now => self.send_releases(&mut state),
            Due::TooMany => {
                drop(state);
                self.violated(Violation::TooManyLent { limit: self.limits.max_lent() });
            }
            Due::Wake => {
                drop(state);
                if let Some(waker) = self.waker.get() {
                    waker.wake();
                }
            }
        }
    }
}

/// What a command gives: a message, or a message that may be held back.
pub(crate) trait Sendable<'a> {
    fn sendable(self) -> Option<ToChild<'a>>;
}

impl<'a> Sendable<'a> for ToChild<'a> {
    fn sendable(self) -> Option<Self> {
        Some(self)
    }
}

impl<'a> Sendable<'a> for Option<ToChild<'a>> {
    fn sendable(self) -> Self {
        self
    }
}

/// What a service tells its child with. Weak: the connection holds the service.
#[derive(Debug)]
struct WeakNotify {
    id: ProcessId,
    connection: Weak<Connection>,
}

impl Notify for WeakNotify {
    fn invoke(&self, invoke: Invoke<'_>) -> Result<(), NotifyError> {
        let Some(connection) = self.connection.upgrade() else { return Err(NotifyError::Gone) };
        connection.try_command(|session| session.invoke(invoke))
    }

    fn run(
        &self,
        function: LentId,
        form: Encoding,
        argument: Payload<'_>,
        deadline: Instant,
    ) -> Result<ArrivedOutcome, RunError> {
        let Some(connection) = self.connection.upgrade() else { return Err(NotifyError::Gone.into()) };
        connection.run(function, form, argument, deadline)
    }

    fn call_deadline(&self) -> Duration {
        self.connection.upgrade().map_or(CALL, |connection| connection.with_session(|session| session.deadline()))
    }

    fn release(&self, release: Release) {
        match self.connection.upgrade() {
            Some(connection) => connection.release(release),
            None => tracing::trace!(process = %self.id, "released after its process"),
        }
    }

    fn buffer_space(&self) -> Option<Arc<dyn BufferSpace>> {
        self.connection.upgrade()?.link.get()?.buffer_space()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How long the last records of a process that has ended may take to be read. They lie in the system's buffers and are read in no
/// time, but for a machine that is very busy; only a process of its own that holds the child's end open can use this up.
const DRAIN: Duration = Duration::from_secs(5);
