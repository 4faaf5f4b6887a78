use std::collections::VecDeque;
use std::fmt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use remote_protocol::call::{Invoke, Release};
use remote_protocol::endpoint::{Inlet, Outlet, OutletError};
use remote_protocol::id::{FrameId, LaneId, LoaderId, ProcessId};
use remote_protocol::link::{self, Link, SendError, Waker};
use remote_protocol::message::{Event, ToChild};
use remote_protocol::record::Budget;
use remote_protocol::service::{Notify, NotifyError, Serve, Service};
use remote_protocol::state::Violation;
use remote_protocol::state::parent::Session;
use shared_child::SharedChild;

use crate::detach::DetachReason;
use crate::frame::Frame;
use crate::hub::{Hub, Turns, lock};
use crate::lane;
use crate::log;
use crate::options::Executor;
use crate::process::{LastHeard, Streams};
use crate::watchdog::Watchdog;

/// The parent's end of what joins it with one process.
pub(crate) struct Connection {
    id: ProcessId,
    weak: Weak<Self>,
    state: Mutex<State>,
    link: OnceLock<Arc<dyn Link>>,
    waker: OnceLock<Waker>,
    /// What the lanes other than the main one share.
    pub(crate) lane_budget: Budget,
    executor: Option<Arc<dyn Executor>>,
    /// What the process's thread does before it handles the next message.
    local: Mutex<VecDeque<Local>>,
    /// `None` inside for a process that is a thread of ours.
    child: OnceLock<Option<Arc<SharedChild>>>,
    service: OnceLock<Arc<dyn Service>>,
    /// Whether the child has been welcomed, so that calls may come.
    running: AtomicBool,
    look: Mutex<Look>,
    unresponsive: AtomicBool,
    /// The kind of the last message that was handled.
    last: Mutex<Option<&'static str>>,
    end: Mutex<End>,
    /// Notified when something in `end` changes.
    ended: Condvar,
}

struct State {
    session: Session,
    /// `None` before there is a link, while the session holds everything back.
    outlet: Option<Outlet>,
}

/// What is known of the end of the process.
#[derive(Default)]
struct End {
    status: Option<ExitStatus>,
    link_closed: bool,
    /// The reason when it is ours.
    verdict: Option<DetachReason>,
    /// Whether the process is gone and, unless an executor does that, everybody has been told.
    gone: bool,
    /// The thread that tells, which must not wait for itself.
    driver: Option<thread::ThreadId>,
    /// What was being served when the link closed.
    calls: Vec<String>,
}

/// What the watchdog saw when it last looked.
#[derive(Default)]
struct Look {
    progress: u64,
    since: Option<Instant>,
}

/// Something that a thread of the parent wants told on the process's thread.
pub(crate) enum Local {
    FrameAttached(Turns<Frame>),
    Unresponsive,
    Responsive,
}

impl Connection {
    pub(crate) fn new(id: ProcessId, session: Session, executor: Option<Arc<dyn Executor>>) -> Arc<Self> {
        Arc::new_cyclic(|weak| Self {
            id,
            weak: Weak::clone(weak),
            state: Mutex::new(State { session, outlet: None }),
            link: OnceLock::new(),
            waker: OnceLock::new(),
            lane_budget: Budget::default(),
            executor,
            local: Mutex::default(),
            child: OnceLock::new(),
            service: OnceLock::new(),
            running: AtomicBool::new(false),
            look: Mutex::default(),
            unresponsive: AtomicBool::new(false),
            last: Mutex::default(),
            end: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    pub(crate) const fn id(&self) -> ProcessId {
        self.id
    }

    pub(crate) fn set_child(&self, child: Option<Arc<SharedChild>>) {
        // Set once, where the process is started.
        let _ = self.child.set(child);
    }

    /// Takes the link into use; gives the receiving end of its main lane.
    pub(crate) fn set_link(&self, link: Arc<dyn Link>) -> Result<Inlet, link::OpenError> {
        let main = link.open(LaneId::MAIN)?;
        let weak = Weak::clone(&self.weak);
        link.on_lane(Box::new(move |id, lane| {
            if let Some(connection) = weak.upgrade() {
                lane::serve(connection, id, lane);
            }
        }));
        let weak = Weak::clone(&self.weak);
        link.on_close(Box::new(move |_closure| {
            if let Some(connection) = weak.upgrade() {
                let calls = connection.service().map(|service| service.under_way()).unwrap_or_default();
                let mut end = lock(&connection.end);
                end.link_closed = true;
                end.calls = calls;
                drop(end);
                connection.ended.notify_all();
            }
        }));
        let _ = self.waker.set(main.rx.waker());
        lock(&self.state).outlet = Some(Outlet::new(main.tx));
        let _ = self.link.set(link);
        Ok(Inlet::new(main.rx, Budget::default()))
    }

    /// Begins to serve objects.
    pub(crate) fn serve(&self, serve: &dyn Serve) {
        let child = Arc::new(WeakNotify { id: self.id, connection: Weak::clone(&self.weak) });
        // There is one service for each connection: the hub takes one server.
        let _ = self.service.set(serve.open(self.id, child));
    }

    pub(crate) fn service(&self) -> Option<&Arc<dyn Service>> {
        self.service.get()
    }

    pub(crate) const fn executor(&self) -> Option<&Arc<dyn Executor>> {
        self.executor.as_ref()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Does something with the session.
    pub(crate) fn with_session<R>(&self, act: impl FnOnce(&mut Session) -> R) -> R {
        act(&mut lock(&self.state).session)
    }

    /// Gives the session a command and sends what it says to, in one step, so that nothing comes between. `None` when `command` gives none.
    /// What it gives is itself `None` when there is nothing to send now.
    pub(crate) fn command<'a, M: Sendable<'a>>(&self, command: impl FnOnce(&mut Session) -> Option<M>) -> Option<()> {
        let mut state = lock(&self.state);
        let message = command(&mut state.session)?;
        if let (Some(message), Some(outlet)) = (message.sendable(), &mut state.outlet) {
            self.send_on(outlet, &message);
        }
        Some(())
    }

    /// Sends a message that needs no decision, such as the answer to a call.
    pub(crate) fn send(&self, message: &ToChild<'_>) -> Result<(), OutletError> {
        match &mut lock(&self.state).outlet {
            Some(outlet) => {
                let bytes = outlet.send(message)?;
                log::sent(self.id, message, bytes);
                Ok(())
            }
            None => Err(OutletError::Link(SendError::Closed)),
        }
    }

    /// Sends what was held back until the child had said hello.
    pub(crate) fn release_held(&self) {
        let mut state = lock(&self.state);
        let State { session, outlet } = &mut *state;
        if let Some(outlet) = outlet {
            while let Some(message) = session.poll() {
                self.send_on(outlet, &message);
            }
        }
        self.running.store(true, Ordering::Release);
    }

    pub(crate) fn emit(&self, hub: &Arc<Hub>, event: &Event<'_>) -> Result<(), NotifyError> {
        self.try_command(|session| session.emit(event.borrowed()))?;
        Watchdog::wake(hub);
        Ok(())
    }

    pub(crate) fn has_loader(&self, loader: LoaderId) -> bool {
        self.with_session(|session| session.loaders().any(|open| open == loader))
    }

    /// Whether something that was sent is not known to be handled.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.with_session(|session| session.unhandled() > 0)
    }

    pub(crate) fn is_responsive(&self) -> bool {
        !self.unresponsive.load(Ordering::Acquire)
    }

    /// Sees whether the process has handled anything since the last look, and has it told when it has not for too long. Gives whether
    /// something is outstanding.
    pub(crate) fn look_after(&self, limit: Duration) -> bool {
        let (unhandled, progress) = self.with_session(|session| (session.unhandled(), session.progress()));
        let mut look = lock(&self.look);
        if unhandled == 0 || look.progress != progress || look.since.is_none() {
            look.progress = progress;
            look.since = (unhandled > 0).then(Instant::now);
            return unhandled > 0;
        }
        let stuck = look.since.is_some_and(|since| since.elapsed() >= limit);
        drop(look);
        if stuck && !self.unresponsive.swap(true, Ordering::AcqRel) {
            self.push_local(Local::Unresponsive);
        }
        true
    }

    /// The process has handled something.
    pub(crate) fn recovered(&self) {
        if self.unresponsive.load(Ordering::Acquire) && self.unresponsive.swap(false, Ordering::AcqRel) {
            self.push_local(Local::Responsive);
        }
    }

    pub(crate) fn handled_message(&self, kind: &'static str) {
        *lock(&self.last) = Some(kind);
    }

    pub(crate) fn last_heard(&self) -> LastHeard {
        LastHeard { message: *lock(&self.last), calls: lock(&self.end).calls.clone() }
    }

    pub(crate) fn take_streams(&self) -> Streams {
        match self.child.get() {
            Some(Some(child)) => {
                Streams { stdin: child.take_stdin(), stdout: child.take_stdout(), stderr: child.take_stderr() }
            }
            Some(None) | None => Streams::default(),
        }
    }

    pub(crate) fn close_frame(&self, frame: FrameId) {
        self.command(|session| session.close_frame(frame));
    }

    /// Asks the process to end.
    pub(crate) fn ask_to_close(&self) {
        self.command(Session::close);
    }

    /// Asks the process to end, and kills it when it has not ended in time.
    pub(crate) fn close_in_background(&self, stop: Duration) {
        self.ask_to_close();
        let Some(this) = self.weak.upgrade() else { return };
        let deadline = Instant::now() + stop;
        let closer = thread::Builder::new().name("remote-close".into()).spawn(move || {
            if !this.wait_until(deadline, |end| end.gone || end.link_closed) {
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
        lock(&self.end).verdict.get_or_insert(DetachReason::Unresponsive);
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
                lock(&self.end).verdict.get_or_insert(DetachReason::Disconnected);
                self.close_link();
            }
        }
    }

    /// Ends the process because it broke the protocol.
    pub(crate) fn violated(&self, violation: Violation) {
        tracing::error!(process = %self.id, %violation, "ending the process");
        lock(&self.end).verdict.get_or_insert(DetachReason::Violation(violation));
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
        lock(&self.end).status = status;
        self.ended.notify_all();
        self.wait_until(Instant::now() + DRAIN, |end| end.link_closed);
        self.close_link();
    }

    pub(crate) fn status(&self) -> Option<ExitStatus> {
        lock(&self.end).status
    }

    /// The link is closed and everything has been handled: waits for the end of the process, if need be by force, and says why it went.
    pub(crate) fn reason(&self, stop: Duration) -> DetachReason {
        let announced = self.with_session(|session| session.has_ended());
        if matches!(self.child.get(), Some(Some(_)))
            && !self.wait_until(Instant::now() + stop, |end| end.status.is_some())
        {
            self.kill();
            self.wait_until(Instant::now() + stop, |end| end.status.is_some());
        }
        let end = lock(&self.end);
        match (&end.verdict, end.status) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(status)) => DetachReason::of(status, announced),
            (None, None) if announced => DetachReason::Closed,
            (None, None) => DetachReason::Disconnected,
        }
    }

    pub(crate) fn wait_status(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, |end| end.status.is_some())
    }

    pub(crate) fn set_driver(&self) {
        lock(&self.end).driver = Some(thread::current().id());
    }

    /// The process is gone.
    pub(crate) fn set_gone(&self) {
        lock(&self.end).gone = true;
        self.ended.notify_all();
    }

    /// Waits until the process is gone; the thread that tells of it does not wait for itself.
    pub(crate) fn wait_gone(&self, deadline: Instant) -> bool {
        self.is_driver() || self.wait_until(deadline, |end| end.gone)
    }

    /// Whether this thread is the one that runs the process's listeners.
    pub(crate) fn is_driver(&self) -> bool {
        lock(&self.end).driver == Some(thread::current().id())
    }

    pub(crate) fn push_local(&self, local: Local) {
        lock(&self.local).push_back(local);
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    pub(crate) fn next_local(&self) -> Option<Local> {
        lock(&self.local).pop_front()
    }

    fn try_command<'a>(
        &self,
        command: impl FnOnce(&mut Session) -> Result<Option<ToChild<'a>>, NotifyError>,
    ) -> Result<(), NotifyError> {
        let mut state = lock(&self.state);
        let message = command(&mut state.session)?;
        if let (Some(message), Some(outlet)) = (message, &mut state.outlet) {
            self.send_on(outlet, &message);
        }
        Ok(())
    }

    fn send_on(&self, outlet: &mut Outlet, message: &ToChild<'_>) {
        match outlet.send(message) {
            Ok(bytes) => log::sent(self.id, message, bytes),
            // A link that is closed is found out by the process's thread.
            Err(error) => tracing::debug!(process = %self.id, %error, "not sent"),
        }
    }

    fn wait_until(&self, deadline: Instant, condition: impl Fn(&End) -> bool) -> bool {
        let mut end = lock(&self.end);
        while !condition(&end) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            (end, _) = self.ended.wait_timeout(end, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

/// What a command may give: a message, or one that may be missing.
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

    fn release(&self, release: Release) {
        match self.connection.upgrade() {
            Some(connection) => drop(connection.command(|session| session.release(release))),
            None => tracing::trace!(process = %self.id, "released after its process"),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How long the last records of a process that has ended may take to arrive. They lie in the system's buffers, so that only a
/// process of its own that holds the child's end open can use this up.
const DRAIN: Duration = Duration::from_millis(100);
